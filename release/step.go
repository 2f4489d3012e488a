package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

// Finalizer marks a release that has begun and not been finished: deleting it
// takes the version out of traffic first.
const Finalizer = "weft.dev/release"

// run is one release's loop.
type run struct {
	*Engine
	key loop.Key
	// evidence is state newer than stored, of the release at resourceVersion; saved is when it was stored last.
	evidence        json.RawMessage
	resourceVersion string
	saved           time.Time
	refused         string
	answer          Answer
}

// step takes one release one decision further, and returns when to look again;
// zero: it has ended.
func (r *run) step(ctx context.Context) (time.Time, error) {
	rel, err := r.Releases.Get(ctx, r.key.Namespace, r.key.Name)
	if apierrors.IsNotFound(err) {
		r.yield(r.key)
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, r.wrap("read", err)
	}
	if Final(rel.Status.Phase) {
		return time.Time{}, r.finish(ctx, rel)
	}
	if !begun(rel) {
		rel, err = r.begin(ctx, rel)
		if rel == nil || err != nil {
			r.yield(r.key)
			return r.Now().Add(queueWait), err
		}
	}
	return r.decide(ctx, rel)
}

// decide asks the strategy, stores what it decided, and only then acts.
func (r *run) decide(ctx context.Context, rel *v1alpha1.Release) (time.Time, error) {
	rec, err := r.recall(rel)
	if err != nil {
		return time.Time{}, r.end(ctx, rel, v1alpha1.ReleaseFailed, err.Error())
	}
	strategy, ok := r.Strategies[rec.Config.Strategy.Type]
	if !ok {
		return time.Time{}, r.end(ctx, rel, v1alpha1.ReleaseFailed, fmt.Sprintf("strategy.type: %q is not known", rec.Config.Strategy.Type))
	}
	words := r.listen(ctx, rel)
	app, abort, err := r.abort(ctx, rel, words)
	if err != nil {
		return time.Time{}, err
	}
	c := rec.Config
	facts, err := r.Provider.Observe(ctx, c.target())
	if err != nil {
		return time.Time{}, r.wrap("observe "+c.Service, err)
	}
	r.look(ctx, c, &facts)
	r.hear(ctx, rel, c, &facts)
	now := r.Now()
	out := strategy.Next(Input{
		Now: now, Config: c, State: rec.Strategy, Facts: facts,
		Abort: abort, Hold: r.hold(ctx, rel, app), Promote: words.promote, Behind: r.behind(ctx, rel, app, c), Refused: r.refused, Answer: r.answer,
	})
	out.Why += words.why
	rel, err = r.save(ctx, rel, rec.Config, out, now)
	if err != nil {
		return time.Time{}, err
	}
	if Final(out.Phase) {
		return time.Time{}, r.finish(ctx, rel)
	}
	r.work(ctx, c, out.Work)
	return out.Wake, r.act(ctx, out.Action)
}

// act does what is stored. A refusal for good is the strategy's next input.
func (r *run) act(ctx context.Context, a *Action) error {
	if a == nil {
		return nil
	}
	err := r.Provider.Do(ctx, *a)
	if errors.Is(err, ErrChanged) {
		r.refused = err.Error()
		return nil
	}
	if err != nil {
		return r.wrap("action "+a.ID(), err)
	}
	return nil
}

// recall reads the record from the status, or the newer evidence of it in memory.
func (r *run) recall(rel *v1alpha1.Release) (record, error) {
	var rec record
	if rel.Status.State == nil {
		return rec, errors.New("status.state is missing: traffic stays as it is; release again")
	}
	if err := json.Unmarshal(rel.Status.State.Raw, &rec); err != nil {
		return rec, fmt.Errorf("status.state cannot be read (%v): traffic stays as it is; release again", err)
	}
	if r.evidence != nil && r.resourceVersion == rel.ResourceVersion {
		rec.Strategy = r.evidence
	}
	return rec, nil
}

// words are what people said about a release, as far as it counts, and why the rest does not.
type words struct {
	abort, promote bool
	why            string
}

// listen asks whether what people said counts, where they said anything.
func (r *run) listen(ctx context.Context, rel *v1alpha1.Release) words {
	said := words{abort: rel.Spec.Abort, promote: rel.Spec.Promote}
	if r.Object == nil || !said.abort && !said.promote {
		return said
	}
	abort, promote := r.Object(ctx, rel)
	if said.abort && abort != "" {
		said.abort, said.why = false, "; the abort does not count: "+abort
	}
	if said.promote && promote != "" {
		said.promote, said.why = false, said.why+"; the promote does not count: "+promote
	}
	return said
}

// abort is why the release must go back, if it must; without that its Application is read.
func (r *run) abort(ctx context.Context, rel *v1alpha1.Release, said words) (app *v1alpha1.Application, why string, err error) {
	switch {
	case rel.DeletionTimestamp != nil:
		return nil, "the Release was deleted", nil
	case said.abort:
		return nil, "aborted by a person", nil
	}
	app, err = r.Applications.Get(ctx, rel.Namespace, rel.Spec.Application)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Sprintf("the Application %s was deleted", rel.Spec.Application), nil
	}
	if err != nil {
		return nil, "", r.wrap("read application "+rel.Spec.Application, err)
	}
	return app, "", nil
}

// save stores an outcome. Evidence alone is kept in memory between saves: after a
// crash the judge counts on from what was stored, and loses nothing.
func (r *run) save(ctx context.Context, rel *v1alpha1.Release, c Config, out Outcome, now time.Time) (*v1alpha1.Release, error) {
	next := rel.DeepCopy()
	s := &next.Status
	s.Phase, s.From, s.Weight, s.Why = out.Phase, out.From, out.Weight, out.Why
	for _, event := range out.Events {
		addEvent(s, now, event)
	}
	decided := out.Phase != rel.Status.Phase || len(out.Events) > 0 ||
		out.Action != nil && !recorded(rel, out.Action.ID()) || out.Work != nil && !recorded(rel, out.Work.ID)
	if !decided && now.Sub(r.saved) < saveEvery {
		r.evidence, r.resourceVersion = out.State, rel.ResourceVersion
		return rel, nil
	}
	raw, err := json.Marshal(record{Config: c, Strategy: out.State})
	if err != nil {
		return nil, r.wrap("record", err)
	}
	s.State = &runtime.RawExtension{Raw: raw}
	stored, err := r.Releases.UpdateStatus(ctx, next)
	if err != nil {
		return nil, r.wrap("store status", err)
	}
	r.evidence, r.resourceVersion, r.saved = nil, "", now
	return stored, nil
}

// end ends a release without its strategy.
func (r *run) end(ctx context.Context, rel *v1alpha1.Release, p v1alpha1.ReleasePhase, why string) error {
	rel.Status.Phase, rel.Status.Why = p, why
	addEvent(&rel.Status, r.Now(), Event{Text: fmt.Sprintf("%s: %s", p, why)})
	stored, err := r.Releases.UpdateStatus(ctx, rel)
	if err != nil {
		return r.wrap("store status", err)
	}
	return r.finish(ctx, stored)
}

// recorded reports whether the intent to do an action is stored.
func recorded(rel *v1alpha1.Release, id string) bool {
	return slices.ContainsFunc(rel.Status.Events, func(e v1alpha1.ReleaseEvent) bool { return e.Action == id })
}

// addEvent appends to the record, which keeps the newest maxEvents.
func addEvent(s *v1alpha1.ReleaseStatus, now time.Time, event Event) {
	s.Events = append(s.Events, v1alpha1.ReleaseEvent{Time: metav1.NewMicroTime(now), Action: event.Action, Text: event.Text, Weight: s.Weight})
	if over := len(s.Events) - maxEvents; over > 0 {
		s.Events = slices.Delete(s.Events, 0, over)
	}
}

func (r *run) wrap(what string, err error) error {
	return fmt.Errorf("release %s: %s: %w", r.key, what, err)
}
