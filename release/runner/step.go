package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

// Finalizer marks a run that has begun and not been finished: deleting it cancels it
// first, which takes back what is half done.
const Finalizer = "weft.dev/pipelinerun"

// run is one run's loop.
type run struct {
	*Engine
	key loop.Key
	*memory
}

// memory is what a process knows of a run beside the record. All of it may be lost.
type memory struct {
	uid        types.UID
	definition *v1alpha1.PipelineSpec // of a run that has begun
	looks      []pipeline.Look        // of the last step
	facts      map[string]pipeline.Fact
	soft       map[string]json.RawMessage
	saved      time.Time // the status was stored last
	flights    *flights
}

// step takes one run one decision further, and returns when to look again; zero: it has ended.
func (r *run) step(ctx context.Context) (time.Time, error) {
	o, err := r.Runs.Get(ctx, r.key.Namespace, r.key.Name)
	if apierrors.IsNotFound(err) {
		r.turns.forget("", r.key)
		why := fmt.Sprintf("there is no PipelineRun %s", r.key)
		return time.Time{}, r.refuse(ctx, r.key, r.inbox.open(r.key), why)
	}
	if err != nil {
		return time.Time{}, r.wrap("read", err)
	}
	r.turns.see(o)
	r.remember(o)
	if err := r.refuseOthers(ctx, o.UID); err != nil {
		return time.Time{}, r.wrap("answer decisions", err)
	}
	if pipeline.Final(o.Status.Phase) {
		return time.Time{}, r.finish(ctx, o)
	}
	return r.decide(ctx, o)
}

// remember begins with nothing where the run is not the one of the last step.
func (r *run) remember(o *v1alpha1.PipelineRun) {
	if r.memory != nil && r.uid == o.UID {
		return
	}
	r.memory = &memory{uid: o.UID, flights: newFlights()}
	if o.Status.Soft != nil && json.Unmarshal(o.Status.Soft.Raw, &r.soft) != nil {
		r.soft = nil // it may be lost
	}
}

// refuseOthers answers decisions about an earlier run of the same name.
func (r *run) refuseOthers(ctx context.Context, uid types.UID) error {
	others := slices.DeleteFunc(r.inbox.open(r.key), func(d *v1alpha1.Decision) bool { return types.UID(d.Spec.RunUID) == uid })
	return r.refuse(ctx, r.key, others, "it is about another run of that name: this one has the uid "+string(uid))
}

// decide asks the machine, stores what it decided, and only then acts.
func (r *run) decide(ctx context.Context, o *v1alpha1.PipelineRun) (time.Time, error) {
	state, err := recall(o)
	if err != nil {
		return time.Time{}, r.fail(ctx, o, err.Error())
	}
	in := pipeline.Input{}
	if o.DeletionTimestamp != nil {
		in.Cancel = "the PipelineRun was deleted"
	}
	d, err := r.spec(ctx, o, state, &in)
	if why := unfit(""); errors.As(err, &why) {
		return time.Time{}, r.fail(ctx, o, why.Error())
	}
	if err == nil && state.Phase == "" && in.Held == "" && in.Cancel == "" {
		o, err = r.begin(ctx, o, d)
	}
	if err != nil {
		return time.Time{}, err
	}
	r.facts = r.observe(ctx, o.Namespace, r.looks, r.facts)
	open := r.inbox.open(r.key)
	r.fill(&in, o, d, state, open)
	if err := r.guard(ctx, &in, o, d, state); err != nil {
		return time.Time{}, err
	}
	step := pipeline.Next(d, state, in, r.With)
	late, err := r.store(ctx, o, d, state, step, in)
	if err != nil {
		return time.Time{}, err
	}
	r.looks, r.soft = step.Looks, step.Soft
	r.flights.stored(len(in.Results))
	for _, a := range step.Actions {
		r.act(ctx, r.key, r.flights, a)
	}
	if err := r.answers(ctx, open, step.Answers); err != nil {
		return time.Time{}, err
	}
	if step.Wake.IsZero() {
		return in.Now, nil // to finish
	}
	return earlier(step.Wake, late), nil
}

// fill completes what the machine decides from.
func (r *run) fill(in *pipeline.Input, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, s pipeline.State, open []*v1alpha1.Decision) {
	in.Now = r.Now()
	in.Run = pipeline.Run{
		UID: string(o.UID), Namespace: o.Namespace, Name: o.Name, Pipeline: o.Spec.Pipeline, Application: d.Application,
		Parameters: map[string]string{}, Trigger: o.Spec.Trigger, Parents: o.Spec.Parents,
	}
	for name, value := range o.Spec.Parameters {
		in.Run.Parameters[name] = string(value)
	}
	in.Facts, in.Soft = r.facts, r.soft
	in.Results = r.flights.landed()
	in.Lost = lost(s, r.flights)
	for _, d := range open {
		in.Decisions = append(in.Decisions, decided(d))
	}
}

// store writes what was decided in one write. Words and evidence alone are kept in
// memory between saves; it returns when they are due, zero: nothing is.
func (r *run) store(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, s pipeline.State, step pipeline.Step, in pipeline.Input) (time.Time, error) {
	next := o.DeepCopy()
	if full(o.Status.Events) {
		if err := r.seal(ctx, next); err != nil {
			return time.Time{}, r.wrap("seal events", err)
		}
	}
	if err := write(next, d, s, step); err != nil {
		return time.Time{}, r.wrap("record", err)
	}
	news := len(step.Events) > 0 || o.Status.Phase == "" || next.Status.Sealed != o.Status.Sealed
	due := r.saved.Add(saveEvery)
	if !news && same(next.Status, o.Status) {
		return time.Time{}, nil
	}
	if !news && in.Now.Before(due) {
		return due, nil
	}
	if _, err := r.Runs.UpdateStatus(ctx, next); err != nil {
		return time.Time{}, r.wrap("store status", err)
	}
	r.saved = in.Now
	return time.Time{}, nil
}

// answers tells what became of decisions; it is stored before, so that who is told is told the truth.
func (r *run) answers(ctx context.Context, open []*v1alpha1.Decision, all []pipeline.Answer) error {
	var faults []error
	for _, a := range all {
		i := slices.IndexFunc(open, func(d *v1alpha1.Decision) bool { return d.Name == a.Decision })
		if i >= 0 {
			faults = append(faults, r.answer(ctx, r.key, open[i], a.Accepted, a.Why))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return r.wrap("answer decisions", err)
	}
	return nil
}

func (r *run) wrap(what string, err error) error {
	return fmt.Errorf("run %s: %s: %w", r.key, what, err)
}

// earlier is the earlier one; zero is no time.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
