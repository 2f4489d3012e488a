// Package places finds who runs an application, by what the Application says, and
// has him do what runs of pipelines and releases want.
//
// Input: Applications, and the providers there are. Output: instances.Actions to one
// of them. It must not know how any of them does it.
package places

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
)

// Applications are the stored ones, as store.Resource is.
type Applications interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Application, error)
}

// Places is the provider of every application: that which its spec.runs names.
type Places struct {
	Applications Applications
	Kubernetes   instances.Provider // nil: there is no cluster here
	Host         instances.Provider // nil: no agent starts anything
	Named        map[string]instances.Provider
}

var _ instances.Provider = Places{}

// Observe finds the versions of an application; nil, where weft does not run it.
// Of the target, Runs may be nil: then it is as the Application says.
func (p Places) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	t, err := p.complete(ctx, t)
	if err != nil || t.Runs == nil {
		return nil, err
	}
	at, err := p.of(t)
	if err != nil {
		return nil, err
	}
	return at.Observe(ctx, t)
}

// Do has an action done. What holds for Observe's target holds for that of the action.
func (p Places) Do(ctx context.Context, a instances.Action) (err error) {
	if a.Target, err = p.complete(ctx, a.Target); err != nil {
		return err
	}
	at, err := p.of(a.Target)
	if err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return err
	}
	return at.Do(ctx, a)
}

func (p Places) complete(ctx context.Context, t instances.Target) (instances.Target, error) {
	if t.Runs != nil {
		return t, nil
	}
	app, err := p.Applications.Get(ctx, t.Namespace, t.Application)
	if apierrors.IsNotFound(err) {
		return t, fmt.Errorf("%w: there is no Application %s/%s: make it", instances.ErrRefused, t.Namespace, t.Application)
	}
	if err != nil {
		return t, fmt.Errorf("Application %s/%s: %w", t.Namespace, t.Application, err)
	}
	t.Runs = app.Spec.Runs
	return t, nil
}

// of is the provider of an application.
func (p Places) of(t instances.Target) (instances.Provider, error) {
	var found instances.Provider
	var missing string
	switch r := t.Runs; {
	case r == nil:
		missing = "it says nothing, so that somebody else starts its instances; give it spec.runs"
	case r.Kubernetes != nil:
		found, missing = p.Kubernetes, "this weft runs in no cluster, or may not change its workloads (the chart's value deploys)"
	case r.Host != nil:
		found, missing = p.Host, "no agent of this mesh starts processes"
	case r.Provider != nil:
		found, missing = p.Named[r.Provider.Name], fmt.Sprintf("there is no provider %q, but %q; weft serve --provider adds one", r.Provider.Name, slices.Sorted(maps.Keys(p.Named)))
	}
	if found == nil {
		return nil, fmt.Errorf("%w: spec.runs of Application %s/%s: %s", instances.ErrRefused, t.Namespace, t.Application, missing)
	}
	return found, nil
}
