package objects

import (
	"context"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// Traffic is a runner's World for "traffic": who gets that of an application.
type Traffic struct {
	Applications interface {
		Get(ctx context.Context, namespace, name string) (*v1alpha1.Application, error)
	}
	Splits interface {
		List(ctx context.Context, namespace string) ([]*v1alpha1.TrafficSplit, error)
	}
}

// Observe sees the shares of an application's versions.
func (t Traffic) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	q, err := read[instances.Question](l.Kind, l.Data)
	if err != nil {
		return pipeline.Fact{}, err
	}
	seen, err := t.Of(ctx, namespace, q.Application)
	if err != nil {
		return pipeline.Fact{}, err
	}
	return fact(seen)
}

// Of is who gets an application's traffic.
func (t Traffic) Of(ctx context.Context, namespace, application string) (pipeline.TrafficSeen, error) {
	var seen pipeline.TrafficSeen
	app, err := t.Applications.Get(ctx, namespace, application)
	if err != nil {
		return seen, fmt.Errorf("Application %s/%s: %w", namespace, application, err)
	}
	splits, err := t.Splits.List(ctx, namespace)
	if err != nil {
		return seen, fmt.Errorf("trafficsplits of %s: %w", namespace, err)
	}
	service := app.ServiceName()
	for _, s := range splits {
		if s.Spec.Service == service {
			seen.Shares = append(seen.Shares, s.Spec.Versions...)
		}
	}
	return seen, nil
}

// Do is for nobody: a run moves no traffic but by a Release.
func (t Traffic) Do(_ context.Context, _ string, a pipeline.Action) (pipeline.Result, error) {
	return a.Refused(unknown(a.Kind))
}
