// Package objects makes the objects that stages of a run wait for: Releases, and
// runs of other pipelines.
//
// Each object has the name that its stage gave it and carries the id of the action
// that made it, so making it twice makes one. Input: pipeline.Action and
// pipeline.Look. Output: objects in the run's namespace. It must not know what a
// release or a run does.
package objects

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/release/pipeline"
)

// ActionAnnotation has the id of the action that made an object.
const ActionAnnotation = "weft.dev/run-action"

// Objects are those of one kind, as store.Resource is.
type Objects[T any] interface {
	Get(ctx context.Context, namespace, name string) (*T, error)
	Create(ctx context.Context, o *T) (*T, error)
}

// named is the metadata of an object that an action makes.
func named(namespace, name string, a pipeline.Action) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{ActionAnnotation: a.ID}}
}

// create makes an object, unless this action made it before.
func create[T any](ctx context.Context, all Objects[T], a pipeline.Action, o *T) (pipeline.Result, error) {
	meta := any(o).(metav1.Object)
	_, err := all.Create(ctx, o)
	if apierrors.IsAlreadyExists(err) {
		var old *T
		if old, err = all.Get(ctx, meta.GetNamespace(), meta.GetName()); err == nil && any(old).(metav1.Object).GetAnnotations()[ActionAnnotation] != a.ID {
			return a.Refused(fmt.Errorf("%s exists, and this run did not make it: delete it", meta.GetName()))
		}
	}
	if refusal(err) {
		return a.Refused(err)
	}
	return pipeline.Result{ID: a.ID, OK: err == nil, Text: meta.GetName()}, err
}

// observe sees the child that a look names: as missing, where there is none.
func observe[T, S any](ctx context.Context, all Objects[T], namespace string, l pipeline.Look, missing S, seen func(*T) S) (pipeline.Fact, error) {
	child, err := read[pipeline.Child](l.Kind, l.Data)
	if err != nil {
		return pipeline.Fact{}, err
	}
	found, err := all.Get(ctx, namespace, child.Name)
	switch {
	case apierrors.IsNotFound(err):
		return fact(missing)
	case err != nil:
		return pipeline.Fact{}, err
	}
	return fact(seen(found))
}

// refusal reports whether trying again is of no use.
func refusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// read is the data of an action or a look.
func read[T any](kind string, data json.RawMessage) (T, error) {
	var into T
	if err := json.Unmarshal(data, &into); err != nil {
		return into, fmt.Errorf("%s: %w", kind, err)
	}
	return into, nil
}

// fact is what was seen, as JSON.
func fact(seen any) (pipeline.Fact, error) {
	data, err := json.Marshal(seen)
	return pipeline.Fact{Data: data}, err
}

// unknown is the error for a kind that has no code here: our own mistake.
func unknown(kind string) error { return fmt.Errorf("kind %q: nobody does that", kind) }
