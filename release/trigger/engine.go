package trigger

import (
	"context"
	"log/slog"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
	"weft.dev/release/secret"
)

// Pipelines are those of the store, as store.Resource is. Objects returned are the caller's own.
type Pipelines interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Pipeline, error)
	// UpdateStatus writes the status alone, over the resourceVersion that o carries.
	UpdateStatus(ctx context.Context, o *v1alpha1.Pipeline) (*v1alpha1.Pipeline, error)
	Watch(ctx context.Context, namespace string, changed func(o *v1alpha1.Pipeline, deleted bool)) error
}

// Runs are those of the store.
type Runs interface {
	Maker
	Watch(ctx context.Context, namespace string, changed func(o *v1alpha1.PipelineRun, deleted bool)) error
}

// Maker makes runs. One that exists is the error AlreadyExists.
type Maker interface {
	Create(ctx context.Context, o *v1alpha1.PipelineRun) (*v1alpha1.PipelineRun, error)
}

// Outside says what there is outside, as artifact.Client does.
type Outside interface {
	Tags(ctx context.Context, r artifact.Repository) ([]string, error)
	Digest(ctx context.Context, r artifact.Repository, tag string) (string, error)
	Branches(ctx context.Context, url string, login artifact.Login) (map[string]string, error)
}

// Options of an engine; all are required.
type Options struct {
	Pipelines Pipelines
	Runs      Runs
	Secrets   secret.Secrets
	Outside   Outside
	Eval      pipeline.Evaluator
	Now       func() time.Time
	Log       *slog.Logger
}

// Engine looks at what triggers are for. One at a time may run for all pipelines.
type Engine struct {
	Options
	starter starter
	ended   *ended
	asking  chan struct{} // has room for those who may ask outside at a time
}

// maxAsking is how many registries and repositories are asked at the same time.
const maxAsking = 8

// New makes an engine. Run works.
func New(o Options) *Engine {
	return &Engine{Options: o, starter: starter{o.Runs, o.Eval}, ended: newEnded(), asking: make(chan struct{}, maxAsking)}
}

// Run works until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	loops := loop.New(loop.Options{Noun: "trigger", Begin: e.begin, Now: e.Now, Log: e.Log})
	defer loops.Wait()
	defer cancel()
	wrong := make(chan error, 2)
	go func() {
		wrong <- e.Runs.Watch(ctx, "", func(o *v1alpha1.PipelineRun, deleted bool) {
			for _, listener := range e.ended.saw(o, deleted) {
				loops.Poke(ctx, listener)
			}
		})
	}()
	go func() {
		wrong <- e.Pipelines.Watch(ctx, "", func(o *v1alpha1.Pipeline, deleted bool) {
			k := loop.Key{Namespace: o.Namespace, Name: o.Name}
			e.ended.listens(k, o, deleted)
			if !deleted && len(o.Spec.Triggers)+len(o.Status.Triggers) > 0 {
				loops.Poke(ctx, k)
			}
		})
	}()
	return <-wrong
}
