package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/guard"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// wishes refuses what people may not write, when they ask for it: what the engines would hold or not
// count later. A decision is its run's to answer.
type wishes struct {
	applications store.Resource[v1alpha1.Application]
	pipelines    store.Resource[v1alpha1.Pipeline]
}

func newWishes(client *store.Client) wishes {
	return wishes{store.For[v1alpha1.Application](client, api.Application), store.For[v1alpha1.Pipeline](client, api.Pipeline)}
}

// refuse is serve.Options.Rules.
func (w wishes) refuse(ctx context.Context, wish serve.Wish) error {
	p := guard.Person{Name: wish.By, Groups: wish.Groups}
	switch why, err := w.why(ctx, wish, p); {
	case err != nil:
		return fmt.Errorf("nobody can see who may: %w", err)
	case why != "":
		return errors.New(why)
	}
	return nil
}

func (w wishes) why(ctx context.Context, wish serve.Wish, p guard.Person) (string, error) {
	switch wish.Kind {
	case api.Freeze:
		return w.freeze(ctx, wish, p)
	case api.Release:
		return w.release(ctx, wish, p)
	case api.PipelineRun:
		return w.run(ctx, wish, p)
	}
	return "", nil
}

func (w wishes) freeze(ctx context.Context, wish serve.Wish, p guard.Person) (string, error) {
	all, err := w.applications.List(ctx, "")
	for _, o := range []*unstructured.Unstructured{wish.Old, wish.New} {
		if o == nil || err != nil {
			continue
		}
		var f *v1alpha1.Freeze
		if f, err = decode[v1alpha1.Freeze](o); err == nil {
			if why := guard.Freezes(f, all, p); why != "" {
				return why, nil
			}
		}
	}
	return "", err
}

func (w wishes) release(ctx context.Context, wish serve.Wish, p guard.Person) (string, error) {
	if wish.New == nil {
		return "", nil // only administrators delete
	}
	now, err := decode[v1alpha1.Release](wish.New)
	if err != nil {
		return "", err
	}
	var old *v1alpha1.Release
	if wish.Old != nil {
		if old, err = decode[v1alpha1.Release](wish.Old); err != nil {
			return "", err
		}
	}
	app, err := applicationOf(ctx, w.applications, wish.Namespace, now.Spec.Application)
	return guard.Rails{Application: app}.Releases(old, now, p), err
}

// run looks at new ones alone, which never change. One of a pipeline that is not there fails by itself.
func (w wishes) run(ctx context.Context, wish serve.Wish, p guard.Person) (string, error) {
	if wish.Old != nil || wish.New == nil {
		return "", nil
	}
	o, err := decode[v1alpha1.PipelineRun](wish.New)
	if err != nil {
		return "", err
	}
	d, err := w.pipelines.Get(ctx, wish.Namespace, o.Spec.Pipeline)
	if store.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	app, err := applicationOf(ctx, w.applications, wish.Namespace, d.Spec.Application)
	return guard.Refuses(app, guard.MayRelease, p), err
}

func decode[T any](o *unstructured.Unstructured) (*T, error) {
	into := new(T)
	return into, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, into)
}
