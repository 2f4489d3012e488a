package runner

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

const (
	// keepRuns of each pipeline that have ended, keepFor after their end, are kept at most; sweepEvery is when the others go.
	keepRuns   = 50
	keepFor    = 30 * 24 * time.Hour
	sweepEvery = time.Hour
)

// fail ends a run that the machine cannot go on with.
func (r *run) fail(ctx context.Context, o *v1alpha1.PipelineRun, why string) error {
	s := &o.Status
	at := metav1.NewMicroTime(r.Now())
	e := v1alpha1.RunEvent{Seq: 1, Time: at, Kind: string(pipeline.RunEnded), Text: why}
	if n := len(s.Events); n > 0 {
		e.Seq = s.Events[n-1].Seq + 1
	}
	s.Events = append(s.Events, e)
	s.Phase, s.Why, s.Ended, s.State, s.Soft = v1alpha1.RunFailed, why, &at, nil, nil
	o, err := r.Runs.UpdateStatus(ctx, o)
	if err != nil {
		return r.wrap("store status", err)
	}
	return r.finish(ctx, o)
}

// finish leaves of a run that has ended what is worth keeping, after those who
// decided have their answers: without the state nobody knows which were accepted.
func (r *run) finish(ctx context.Context, o *v1alpha1.PipelineRun) (err error) {
	state, _ := recall(o) // what cannot be read accepted nobody
	for _, d := range r.inbox.open(r.key) {
		accepted, why := slices.Contains(state.Accepted, d.Name), ""
		if !accepted {
			why = "the run has ended"
		}
		if err := r.answer(ctx, r.key, d, accepted, why); err != nil {
			return r.wrap("answer decisions", err)
		}
	}
	if o.Status.State != nil {
		o.Status.State, o.Status.Soft = nil, nil
		if size(o.Status.Events) > keepTailBytes {
			if err := r.seal(ctx, o); err != nil {
				return r.wrap("seal events", err)
			}
		}
		if o, err = r.Runs.UpdateStatus(ctx, o); err != nil {
			return r.wrap("store status", err)
		}
	}
	if !begun(o) {
		return nil
	}
	o.Finalizers = slices.DeleteFunc(o.Finalizers, func(f string) bool { return f == Finalizer })
	if _, err = r.Runs.Update(ctx, o); err != nil && !apierrors.IsNotFound(err) {
		return r.wrap("end", err)
	}
	return nil
}

// sweep deletes runs that are too old, from time to time.
func (e *Engine) sweep(ctx context.Context) {
	for {
		for _, k := range e.turns.old(keepRuns, e.Now().Add(-keepFor)) {
			if err := e.retire(ctx, k); err != nil && ctx.Err() == nil {
				e.Log.Warn("an old run is not deleted", "run", k.String(), "error", err, "retry", sweepEvery)
			}
		}
		if !pause(ctx, sweepEvery) {
			return
		}
	}
}

// retire deletes a run that has ended, and before it what belongs to it: nobody else would.
func (e *Engine) retire(ctx context.Context, k loop.Key) error {
	o, err := e.Runs.Get(ctx, k.Namespace, k.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || unfinished(o) {
		return err
	}
	if err := e.clear(ctx, o); err != nil {
		return err
	}
	return e.Runs.Delete(ctx, k.Namespace, k.Name)
}

// clear deletes what belongs to a run alone: its Blobs, also those that its stages
// made, and the decisions about it.
func (e *Engine) clear(ctx context.Context, o *v1alpha1.PipelineRun) error {
	faults := []error{e.Blobs.DeleteAll(ctx, o.Namespace, v1alpha1.BlobRunLabel, string(o.UID))}
	for _, name := range e.inbox.of(keyOf(o), o.UID) {
		faults = append(faults, e.Decisions.Delete(ctx, o.Namespace, name))
	}
	return errors.Join(faults...)
}
