// Package loop gives each object that is worked on a goroutine of its own, which
// looks at it when something happened to it, when it asked to be woken, and again
// after a failure. It knows nothing of what is done.
package loop

import (
	"context"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	// minWait and maxWait bound the time between two steps of one loop.
	minWait, maxWait = 50 * time.Millisecond, 30 * time.Second
	// firstRetry after an outside failure; doubled up to maxWait.
	firstRetry = 200 * time.Millisecond
)

// Key names the object that a loop is about.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Step takes an object one decision further, and returns when to look again; zero:
// it has ended. A conflict (k8s.io/apimachinery/pkg/api/errors) is no failure: the
// object is looked at again at once.
type Step func(ctx context.Context) (time.Time, error)

// Options of Loops; all but Took are required.
type Options struct {
	Noun  string         // what an object is, for the log: "release"
	Begin func(Key) Step // a new loop's step
	Now   func() time.Time
	Log   *slog.Logger
	// Took is told of each step: how long after its time it began, and how long it lasted.
	Took func(late, lasted time.Duration)
}

// Loops is the loops of all objects of one kind.
type Loops struct {
	Options

	mu     sync.Mutex
	wake   map[Key]chan time.Time // one for each loop, with when it was poked
	closed bool
	all    sync.WaitGroup
}

// New has no loop yet.
func New(o Options) *Loops { return &Loops{Options: o, wake: map[Key]chan time.Time{}} }

// Wait returns once every loop has ended, and begins no other one.
func (l *Loops) Wait() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.all.Wait()
}

// Poke makes an object's loop look now; it starts the loop, until ctx ends, where there is none.
func (l *Loops) Poke(ctx context.Context, k Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wake, running := l.wake[k]
	if l.closed && !running {
		return
	}
	if !running {
		wake = make(chan time.Time, 1)
		l.wake[k] = wake
		l.all.Go(func() { l.run(ctx, k, wake) })
	}
	select {
	case wake <- l.Now():
	default: // it will look anyway
	}
}

// run takes steps until the object has ended.
func (l *Loops) run(ctx context.Context, k Key, wake chan time.Time) {
	step := l.Begin(k)
	retry := firstRetry
	var wait time.Duration
	for {
		timer, due := time.NewTimer(wait), l.Now().Add(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			l.leave(k, nil)
			return
		case due = <-wake:
			timer.Stop()
		case <-timer.C:
		}
		began := l.Now()
		next, err := step(ctx)
		if l.Took != nil {
			l.Took(began.Sub(due), l.Now().Sub(began))
		}
		switch {
		case apierrors.IsConflict(err): // somebody wrote the object meanwhile: read it again
			wait = minWait
		case err != nil:
			l.Log.Warn(l.Noun+" is delayed", l.Noun, k.String(), "error", err, "retry", retry)
			wait, retry = retry, min(2*retry, maxWait)
		case next.IsZero() && l.leave(k, wake):
			return
		default:
			retry = firstRetry
			wait = min(max(next.Sub(l.Now()), minWait), maxWait)
		}
	}
}

// leave ends a loop, unless something happened since its last step.
func (l *Loops) leave(k Key, wake chan time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(wake) > 0 {
		return false
	}
	delete(l.wake, k)
	return true
}
