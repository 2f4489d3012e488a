// Package runner runs pipelines: it stores what package pipeline decides, and only
// then does it.
//
// The status of a PipelineRun is the record, and one write of it is one decision:
// what is not in it has not been decided, and of what is in it, what was begun and
// has no result is dealt with again. So a crash at any point neither loses nor
// repeats an action; one that must not be repeated, and of which nobody knows
// whether it happened, is put before a person.
//
// Input: PipelineRuns, Decisions, the Pipelines that they are of, and what Worlds
// see. Output: the status of both, Blobs that are too much for it, and actions for
// Worlds. The package does not know what a stage or an action does.
package runner

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

// Told is the stored objects of one kind, and how they change.
type Told[T any] interface {
	List(ctx context.Context, namespace string) ([]*T, error)
	// Watch tells of every object that there is, and then of each change, until ctx ends. Namespace "" is all.
	Watch(ctx context.Context, namespace string, changed func(o *T, deleted bool)) error
}

// Runs is the stored PipelineRuns, as store.Resource is. Objects returned are the
// caller's own, and no older than any write that has returned. Errors are those of
// k8s.io/apimachinery/pkg/api/errors: NotFound, Conflict.
type Runs interface {
	Told[v1alpha1.PipelineRun]
	Get(ctx context.Context, namespace, name string) (*v1alpha1.PipelineRun, error)
	// Update writes all but the status, UpdateStatus the status alone; both only over the resourceVersion that o carries.
	Update(ctx context.Context, o *v1alpha1.PipelineRun) (*v1alpha1.PipelineRun, error)
	UpdateStatus(ctx context.Context, o *v1alpha1.PipelineRun) (*v1alpha1.PipelineRun, error)
	Delete(ctx context.Context, namespace, name string) error
}

// Decisions is the stored Decisions; what holds for Runs holds for them.
type Decisions interface {
	Told[v1alpha1.Decision]
	UpdateStatus(ctx context.Context, o *v1alpha1.Decision) (*v1alpha1.Decision, error)
	Delete(ctx context.Context, namespace, name string) error
}

// Blobs is the stored Blobs; what holds for Runs holds for them.
type Blobs interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Blob, error)
	Create(ctx context.Context, o *v1alpha1.Blob) (*v1alpha1.Blob, error)
	// DeleteAll deletes those with a label, however many there are.
	DeleteAll(ctx context.Context, namespace, label, value string) error
}

// World sees and acts, in the namespace of a run.
type World interface {
	// Observe finds what a look is for; an error is a fact, too.
	Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error)
	// Do acts. An error means that nobody knows whether it happened; a result that is not OK, that it did not.
	Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error)
}

// Options of an engine; all but Rails and Took are required.
type Options struct {
	Runs      Runs
	Decisions Decisions
	Blobs     Blobs
	Pipelines func(ctx context.Context, namespace, name string) (*v1alpha1.Pipeline, error)
	With      pipeline.With
	Worlds    map[string]World // by what is before the slash of an action's or a look's kind
	// Rails are read anew for each step that they may matter for; nil: nothing is guarded.
	Rails func(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (Rails, error)
	// Leading reports whether this process may act; it is asked right before what must not be done twice.
	Leading func() bool
	Now     func() time.Time
	Log     *slog.Logger
	Took    func(late, lasted time.Duration) // of each step
}

// learnAgain is the wait after the stored objects could not be read.
const learnAgain = time.Second

// Engine runs PipelineRuns, each in a loop of its own. One engine acts at a time
// (the leader); a second one by mistake is slowed by conflicts but repeats nothing.
type Engine struct {
	Options
	loops *loop.Loops
	work  sync.WaitGroup // actions in flight, and all else but loops
	turns turns
	inbox inbox
}

// New wires an engine; Run works.
func New(o Options) *Engine {
	e := &Engine{Options: o, turns: turns{views: map[loop.Key]*view{}}, inbox: inbox{notes: map[loop.Key]map[string]*note{}}}
	e.loops = loop.New(loop.Options{
		Noun: "run", Now: o.Now, Log: o.Log, Took: o.Took,
		Begin: func(k loop.Key) loop.Step { return (&run{Engine: e, key: k}).step },
	})
	return e
}

// Run works until ctx ends, and then returns after the last step and action have.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer e.work.Wait()
	defer e.loops.Wait()
	defer cancel(nil)
	for e.learn(ctx) != nil && pause(ctx, learnAgain) {
	}
	e.work.Go(func() {
		cancel(e.Decisions.Watch(ctx, "", func(d *v1alpha1.Decision, deleted bool) { e.hear(ctx, d, deleted) }))
	})
	e.work.Go(func() { e.sweep(ctx) })
	if err := e.Runs.Watch(ctx, "", func(o *v1alpha1.PipelineRun, deleted bool) { e.see(ctx, o, deleted) }); ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// learn knows of everything before anything is decided: whose turn it is depends on
// the other runs, and what is forgotten at a run's end on the decisions about it.
func (e *Engine) learn(ctx context.Context) error {
	decisions, err := e.Decisions.List(ctx, "")
	if err != nil {
		return e.unread(ctx, "decisions", err)
	}
	runs, err := e.Runs.List(ctx, "")
	if err != nil {
		return e.unread(ctx, "runs", err)
	}
	for _, d := range decisions {
		e.inbox.put(d)
	}
	for _, o := range runs {
		e.turns.see(o)
	}
	for _, o := range runs { // one that is deleted by now is found out so
		if unfinished(o) {
			e.loops.Poke(ctx, keyOf(o))
		}
	}
	return nil
}

func (e *Engine) unread(ctx context.Context, what string, err error) error {
	if ctx.Err() == nil {
		e.Log.Warn("pipelines do not run: their "+what+" cannot be read", "error", err, "retry", learnAgain)
	}
	return err
}

// see takes in a change of a run. Those of its pipeline that wait look again when one
// comes or goes.
func (e *Engine) see(ctx context.Context, o *v1alpha1.PipelineRun, deleted bool) {
	isNew := false
	if deleted {
		e.turns.forget(o.UID, keyOf(o))
		e.work.Go(func() {
			if err := e.clear(ctx, o); err != nil && ctx.Err() == nil {
				e.Log.Warn("what a deleted run leaves is not cleared away", "run", keyOf(o).String(), "error", err)
			}
		})
	} else {
		isNew = e.turns.see(o)
	}
	if deleted || unfinished(o) {
		e.loops.Poke(ctx, keyOf(o))
	}
	if isNew || deleted || pipeline.Final(o.Status.Phase) {
		for _, k := range e.turns.waiting(o) {
			e.loops.Poke(ctx, k)
		}
	}
}

// hear takes in a change of a decision.
func (e *Engine) hear(ctx context.Context, d *v1alpha1.Decision, deleted bool) {
	k := loop.Key{Namespace: d.Namespace, Name: d.Spec.Run}
	if deleted {
		e.inbox.forget(k, d.Name)
		return
	}
	if e.inbox.put(d) {
		e.loops.Poke(ctx, k)
	}
}

func keyOf(o *v1alpha1.PipelineRun) loop.Key { return loop.Key{Namespace: o.Namespace, Name: o.Name} }

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
