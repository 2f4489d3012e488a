// Package herald tells people what becomes of runs of pipelines and of releases.
//
// Who was told what stands in an annotation of the object, so that a message is
// edited, not repeated, by whichever process leads. A crash between a message and
// that note repeats the message: better than none. Input: PipelineRuns and Releases,
// the notifications of their Pipelines and Applications, Secrets. Output: messages,
// and the annotation. Nothing waits for it, and it decides nothing.
package herald

import (
	"context"
	"log/slog"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/notify"
	"weft.dev/release/secret"
)

// Objects are those of one kind, as store.Resource is.
type Objects[T any] interface {
	Get(ctx context.Context, namespace, name string) (*T, error)
	// Patch changes an object by a merge patch.
	Patch(ctx context.Context, owner, namespace, name string, patch []byte) (*T, error)
	Watch(ctx context.Context, namespace string, changed func(o *T, deleted bool)) error
}

// Getter reads objects of one kind.
type Getter[T any] interface {
	Get(ctx context.Context, namespace, name string) (*T, error)
}

// Options of a herald; all are required.
type Options struct {
	Runs         Objects[v1alpha1.PipelineRun]
	Releases     Objects[v1alpha1.Release]
	Pipelines    Getter[v1alpha1.Pipeline]
	Applications Getter[v1alpha1.Application]
	Secrets      secret.Secrets
	Connect      notify.Dialer
	Now          func() time.Time
	Log          *slog.Logger
}

// Herald works beside the engines of runs and releases.
type Herald struct {
	ways      ways
	pipelines Getter[v1alpha1.Pipeline]
	runs      *teller[v1alpha1.PipelineRun]
	releases  *teller[v1alpha1.Release]
}

// New wires a herald; Run works.
func New(o Options) *Herald {
	h := &Herald{ways: newWays(o), pipelines: o.Pipelines}
	h.runs = newTeller(o, "run", h.ways.of, o.Runs, runs{o.Pipelines}.subject)
	h.releases = newTeller(o, "release", h.ways.of, o.Releases, releases{o.Applications}.subject)
	return h
}

// Run works until ctx ends, and then returns after the last message has gone.
func (h *Herald) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- h.runs.watch(ctx) }()
	go func() { ended <- h.releases.watch(ctx) }()
	err := <-ended
	cancel()
	<-ended
	return err
}

// teller tells of the objects of one kind.
type teller[T any] struct {
	Options
	way     wayOf
	all     Objects[T]
	subject func(ctx context.Context, o *T) (subject, error)
	loops   *loop.Loops
}

func newTeller[T any](o Options, noun string, way wayOf, all Objects[T], of func(context.Context, *T) (subject, error)) *teller[T] {
	t := &teller[T]{Options: o, way: way, all: all, subject: of}
	t.loops = loop.New(loop.Options{
		Noun: "telling of a " + noun, Now: o.Now, Log: o.Log,
		Begin: func(k loop.Key) loop.Step {
			return func(ctx context.Context) (time.Time, error) { return t.step(ctx, k) }
		},
	})
	return t
}

func (t *teller[T]) watch(ctx context.Context) error {
	defer t.loops.Wait()
	return t.all.Watch(ctx, "", func(o *T, deleted bool) {
		if !deleted {
			t.loops.Poke(ctx, keyOf(o))
		}
	})
}
