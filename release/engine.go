package release

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
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

// Options of an engine; all are required.
type Options struct {
	Releases     Objects[v1alpha1.Release]
	Applications Objects[v1alpha1.Application]
	Strategies   map[v1alpha1.StrategyType]Strategy
	Provider     Provider
	Now          func() time.Time
	Log          *slog.Logger
}

const (
	// minWait and maxWait bound the time between two steps of one release.
	minWait, maxWait = 50 * time.Millisecond, 30 * time.Second
	// firstRetry after an outside failure; doubled up to maxWait.
	firstRetry = 200 * time.Millisecond
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

	mu    sync.Mutex
	wake  map[key]chan struct{} // one for each loop
	turn  map[key]key           // application to the release whose turn it is
	loops sync.WaitGroup

	adopting map[key]bool // applications that wait for their first version
}

type key struct{ namespace, name string }

// NewEngine wires an engine; Run works.
func NewEngine(o Options) *Engine {
	return &Engine{Options: o, wake: map[key]chan struct{}{}, turn: map[key]key{}, adopting: map[key]bool{}}
}

// Run works until ctx ends, and then returns after the last step has.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer e.loops.Wait()
	defer cancel()
	e.loops.Go(func() {
		if err := e.adoptAll(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("applications are not watched", "error", err)
		}
	})
	return e.Releases.Watch(ctx, "", func(rel *v1alpha1.Release, _ bool) {
		if !Final(rel.Status.Phase) || begun(rel) {
			e.poke(ctx, key{rel.Namespace, rel.Name})
		}
	})
}

// poke makes a release's loop look now; it starts the loop where there is none.
func (e *Engine) poke(ctx context.Context, k key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	wake, running := e.wake[k]
	if !running {
		wake = make(chan struct{}, 1)
		e.wake[k] = wake
		e.loops.Go(func() { e.loop(ctx, k, wake) })
	}
	select {
	case wake <- struct{}{}:
	default: // it will look anyway
	}
}

// loop takes steps until the release has ended.
func (e *Engine) loop(ctx context.Context, k key, wake chan struct{}) {
	run := &run{Engine: e, key: k}
	retry := firstRetry
	var wait time.Duration
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			e.leave(k, nil)
			return
		case <-wake:
			timer.Stop()
		case <-timer.C:
		}
		next, err := run.step(ctx)
		switch {
		case apierrors.IsConflict(err): // somebody wrote the object meanwhile: read it again
			wait = minWait
		case err != nil:
			e.Log.Warn("release is delayed", "release", k.namespace+"/"+k.name, "error", err, "retry", retry)
			wait, retry = retry, min(2*retry, maxWait)
		case next.IsZero() && e.leave(k, wake):
			return
		default:
			retry = firstRetry
			wait = min(max(next.Sub(e.Now()), minWait), maxWait)
		}
	}
}

// leave ends a loop, unless something happened since its last step.
func (e *Engine) leave(k key, wake chan struct{}) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(wake) > 0 {
		return false
	}
	delete(e.wake, k)
	return true
}

// record is what status.state holds.
type record struct {
	Config   Config          `json:"config"`
	Strategy json.RawMessage `json:"strategy,omitempty"`
}
