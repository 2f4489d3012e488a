package places

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// Blobs are the stored ones, as store.Resource is.
type Blobs interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Blob, error)
}

// World is a runner's World for "instances": instances.See, and the kinds of the verbs.
type World struct {
	Places Places
	Blobs  Blobs
}

// Observe finds the versions of an application.
func (w World) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	var q instances.Question
	if err := json.Unmarshal(l.Data, &q); err != nil {
		return pipeline.Fact{}, fmt.Errorf("%s: %w", l.Kind, err)
	}
	t, err := w.Places.complete(ctx, instances.Target{Namespace: namespace, Application: q.Application})
	if err != nil {
		return pipeline.Fact{}, err
	}
	at, err := w.Places.of(t)
	if err != nil {
		return pipeline.Fact{}, err
	}
	seen, err := at.Observe(ctx, t)
	if err != nil {
		return pipeline.Fact{}, err
	}
	data, err := json.Marshal(seen)
	return pipeline.Fact{Data: data}, err
}

// Do has a version changed.
func (w World) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	action, err := w.action(ctx, namespace, a)
	if err == nil {
		err = w.Places.Do(ctx, action)
	}
	if errors.Is(err, instances.ErrRefused) {
		return a.Refused(err)
	}
	return pipeline.Result{ID: a.ID, OK: err == nil, Text: fmt.Sprintf("%s %s of %s", action.Verb, action.Version, action.Target.Application)}, err
}

// action is what a run wants done, as its provider is told.
func (w World) action(ctx context.Context, namespace string, a pipeline.Action) (instances.Action, error) {
	var work instances.Work
	if err := json.Unmarshal(a.Data, &work); err != nil {
		return instances.Action{}, fmt.Errorf("%w: %s: %w", instances.ErrRefused, a.Kind, err)
	}
	manifests, err := Manifests(ctx, w.Blobs, namespace, work.Manifests, work.Blobs)
	if err != nil {
		err = fmt.Errorf("manifests of %s %s: %w", work.Application, work.Version, err)
	}
	return instances.Action{
		ID: a.ID, Seq: instances.Seq(a.At), Verb: verb(a.Kind),
		Target:  instances.Target{Namespace: namespace, Application: work.Application},
		Version: work.Version, Replicas: work.Replicas, Image: work.Image, Manifests: manifests,
	}, err
}

// verb is that of a kind of action; one that nobody knows is refused by Check.
func verb(kind string) instances.Verb {
	for _, v := range instances.Verbs {
		if v.Kind() == kind {
			return v
		}
	}
	return instances.Verb(kind)
}

// Manifests are the first ones, and then what the named Blobs have, each with its parts.
// ErrRefused: they will never be those.
func Manifests(ctx context.Context, blobs Blobs, namespace, first string, names []string) ([]byte, error) {
	all, names := []byte(first), slices.Clone(names)
	for i := 0; i < len(names); i++ {
		found, err := blobs.Get(ctx, namespace, names[i])
		if err != nil {
			return nil, fmt.Errorf("Blob %s: %w", names[i], err)
		}
		part, err := unpacked(found, blob.MaxManifests-len(all))
		if err != nil {
			return nil, fmt.Errorf("%w: Blob %s: %w", instances.ErrRefused, names[i], err)
		}
		all, names = append(all, part...), slices.Insert(names, i+1, found.Spec.Parts...)
	}
	return all, nil
}

func unpacked(b *v1alpha1.Blob, limit int) ([]byte, error) {
	plain, err := blob.Read(b, int64(limit)+1)
	if err == nil && len(plain) > limit {
		err = fmt.Errorf("with it they have more than %d bytes", blob.MaxManifests)
	}
	return plain, err
}
