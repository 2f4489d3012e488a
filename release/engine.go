package release

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/loop"
	"weft.dev/release/opinion"
)

// Objects is the stored objects of one kind, as store.Resource is. Objects
// returned are the caller's own, and no older than any write that has returned. Errors are
// those of k8s.io/apimachinery/pkg/api/errors: NotFound, Conflict.
type Objects[T any] interface {
	List(ctx context.Context, namespace string) ([]*T, error)
	Get(ctx context.Context, namespace, name string) (*T, error)
	// Update writes all but the status, UpdateStatus the status alone; both only over the resourceVersion that o carries.
	Update(ctx context.Context, o *T) (*T, error)
	UpdateStatus(ctx context.Context, o *T) (*T, error)
	// Watch tells of every object that there is, and then of each change, until ctx ends. Namespace "" is all.
	Watch(ctx context.Context, namespace string, changed func(o *T, deleted bool)) error
}

// Options of an engine; all but Instances, Versions, Hold, Object, Delete, Others and Took are required.
type Options struct {
	Releases     Objects[v1alpha1.Release]
	Applications Objects[v1alpha1.Application]
	Strategies   map[v1alpha1.StrategyType]Strategy
	Provider     Provider
	// Instances starts and stops versions; nil: releases move traffic alone.
	Instances instances.Provider
	// Versions are the records of what served; nil: there are none, and undo starts nothing.
	Versions Versions
	// Hold is why a release must not begin, and one that goes on not go further; "": it may. What goes
	// back does not ask. The Application is the release's; nil: there is none, or it goes back. Nil: nothing is held.
	Hold func(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application) string
	// Object is why what a person set of a release does not count, its abort and its promote; "": it does. Nil: all counts.
	Object func(ctx context.Context, rel *v1alpha1.Release) (abort, promote string)
	// Delete removes a release that has ended; nil: all are kept.
	Delete func(ctx context.Context, namespace, name string) error
	// Others is what those said last whom an analysis asks beside the proxies; it waits for nobody. Who asks is
	// another one at each step. Nil: nobody answers, and such a release waits for a person.
	Others func(ctx context.Context, who string, o v1alpha1.Others, about opinion.About) map[string]opinion.Said
	Now    func() time.Time
	Log    *slog.Logger
	// Took is told of each step.
	Took func(late, lasted time.Duration)
}

const (
	// saveEvery is how often evidence alone is stored; decisions are stored at once.
	saveEvery = 5 * time.Second
	// queueWait is how often a release looks whether its turn has come.
	queueWait = time.Second
	// maxEvents of a release's record; the oldest go first.
	maxEvents = 100
)

// Engine runs releases, each in a loop of its own. One engine acts at a time
// (the leader); a second one by mistake is slowed by conflicts but harms nothing.
type Engine struct {
	Options

	loops *loop.Loops
	open  open

	mu   sync.Mutex
	turn map[loop.Key]loop.Key // application to the release whose turn it is

	adopting map[loop.Key]bool // applications that wait for their first version
	adoption sync.WaitGroup    // and the sweep
}

// NewEngine wires an engine; Run works.
func NewEngine(o Options) *Engine {
	e := &Engine{Options: o, open: open{all: map[loop.Key]*v1alpha1.Release{}}, turn: map[loop.Key]loop.Key{}, adopting: map[loop.Key]bool{}}
	e.loops = loop.New(loop.Options{
		Noun: "release", Now: o.Now, Log: o.Log, Took: o.Took,
		Begin: func(k loop.Key) loop.Step { return (&run{Engine: e, key: k}).step },
	})
	return e
}

// Run works until ctx ends, and then returns after the last step has.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer e.loops.Wait()
	defer e.adoption.Wait()
	defer cancel()
	e.adoption.Go(func() {
		if err := e.adoptAll(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("applications are not watched", "error", err)
		}
	})
	if e.Delete != nil {
		e.adoption.Go(func() { e.sweep(ctx) })
	}
	return e.Releases.Watch(ctx, "", func(rel *v1alpha1.Release, deleted bool) {
		if e.open.see(rel, deleted) || deleted {
			e.loops.Poke(ctx, loop.Key{Namespace: rel.Namespace, Name: rel.Name})
		}
	})
}

// record is what status.state holds.
type record struct {
	Config   Config          `json:"config"`
	Strategy json.RawMessage `json:"strategy,omitempty"`
}
