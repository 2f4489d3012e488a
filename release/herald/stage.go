package herald

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/notify"
	"weft.dev/release/pipeline"
)

// Observe sees nothing: a message has no state.
func (h *Herald) Observe(_ context.Context, _ string, l pipeline.Look) (pipeline.Fact, error) {
	return pipeline.Fact{}, fmt.Errorf("nobody sees %q here", l.Kind)
}

// Do sends what a stage says. It makes a Herald a runner's World for "notify".
func (h *Herald) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	var work pipeline.NotifyWork
	if err := json.Unmarshal(a.Data, &work); err != nil {
		return a.Refused(fmt.Errorf("%s: %w", a.Kind, err))
	}
	p, err := h.pipelines.Get(ctx, namespace, work.Pipeline)
	if err != nil {
		return pipeline.Result{}, err
	}
	if unknown := strangers(p, work.To); len(unknown) > 0 {
		return a.Refused(fmt.Errorf("pipeline %s has no notification %q: its spec.notify names them", p.Name, unknown))
	}
	told, m := 0, notify.Message{About: a.ID, Occasion: "said", Title: work.Title, Text: work.Text}
	for _, n := range p.Spec.Notify {
		if len(work.To) > 0 && !slices.Contains(work.To, n.Name) {
			continue
		}
		if err := h.say(ctx, namespace, n, m); errors.Is(err, notify.ErrRefused) {
			return a.Refused(fmt.Errorf("notification %s: %w", n.Name, err))
		} else if err != nil {
			return pipeline.Result{}, fmt.Errorf("notification %s: %w", n.Name, err)
		}
		told++
	}
	return pipeline.Result{ID: a.ID, OK: true, Text: fmt.Sprintf("%d told", told)}, nil
}

func strangers(p *v1alpha1.Pipeline, names []string) (unknown []string) {
	for _, name := range names {
		if !slices.ContainsFunc(p.Spec.Notify, func(n v1alpha1.Notification) bool { return n.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func (h *Herald) say(ctx context.Context, namespace string, n v1alpha1.Notification, m notify.Message) error {
	way, err := h.ways.of(ctx, namespace, n)
	if err != nil {
		return err
	}
	_, err = way.Send(ctx, m, "")
	return err
}
