package mesh

import (
	"context"
	"encoding/json"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pipeline"
)

// World is a runner's World for "answers": what was counted of an application's versions.
type World struct {
	Applications interface {
		Get(ctx context.Context, namespace, name string) (*v1alpha1.Application, error)
	}
	Provider release.Provider
}

// Observe sees what callers counted, in the run's namespace.
func (w World) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	var t release.Target
	if err := json.Unmarshal(l.Data, &t); err != nil {
		return pipeline.Fact{}, fmt.Errorf("%s: %w", l.Kind, err)
	}
	app, err := w.Applications.Get(ctx, namespace, t.Application)
	if err != nil {
		return pipeline.Fact{}, fmt.Errorf("Application %s/%s: %w", namespace, t.Application, err)
	}
	t.Namespace, t.Service = namespace, app.ServiceName()
	facts, err := w.Provider.Observe(ctx, t)
	if err != nil {
		return pipeline.Fact{}, err
	}
	data, err := json.Marshal(release.Answers{Serving: app.Status.Version, Traffic: facts.Traffic, Routes: facts.Routes})
	return pipeline.Fact{Data: data}, err
}

// Do is for nobody: a run moves no traffic but by a Release.
func (w World) Do(_ context.Context, _ string, a pipeline.Action) (pipeline.Result, error) {
	return a.Refused(fmt.Errorf("nobody does %q here", a.Kind))
}
