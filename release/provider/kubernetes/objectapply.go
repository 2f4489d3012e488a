package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/places"
)

// maxWait is how many objects with instances one apply may have: each is looked at until it is ready.
const maxWait = 50

// apply makes objects have the fields that manifests say. All have their place before one is changed.
func (o Objects) apply(ctx context.Context, namespace string, a pipeline.Action) (string, json.RawMessage, error) {
	all, err := o.applied(ctx, namespace, a)
	if err != nil {
		return "", nil, err
	}
	done := pipeline.ObjectsDone{Count: len(all)}
	for _, one := range all {
		if hasInstances(one.Unstructured) {
			done.Wait = append(done.Wait, pipeline.ObjectRef{APIVersion: one.GetAPIVersion(), Kind: one.GetKind(), Name: one.GetName()})
		}
	}
	if len(done.Wait) > maxWait {
		return "", nil, fmt.Errorf("%w: %d objects have instances, at most %d are applied at once", instances.ErrRefused, len(done.Wait), maxWait)
	}
	stamp, memories := stampOf(namespace, a), make([]memory, len(all))
	for i, one := range all {
		if memories[i], err = o.before(ctx, stamp, one); err != nil {
			return "", nil, fmt.Errorf("%s %s: %w", one.GetKind(), one.GetName(), err)
		}
	}
	for i, one := range all {
		if err := o.applyOne(ctx, stamp, one, memories[i]); err != nil {
			return "", nil, fmt.Errorf("%s %s: %w", one.GetKind(), one.GetName(), err)
		}
	}
	text, err := json.Marshal(done)
	return fmt.Sprintf("%d objects applied", done.Count), text, err
}

// applied are the objects of an action, each with where it goes.
func (o Objects) applied(ctx context.Context, namespace string, a pipeline.Action) ([]object, error) {
	work, err := data[pipeline.ObjectsWork](a)
	if err != nil {
		return nil, err
	}
	text, err := places.Manifests(ctx, o.blobs, namespace, work.Manifests, work.Blobs)
	if err != nil {
		return nil, err
	}
	manifests, err := read(text)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, u := range manifests {
		placed, err := o.at.place(namespace, u)
		if err == nil && placed.GroupVersionKind().GroupKind() == secretKind {
			err = fmt.Errorf("%w: Secret %s: a run neither sees nor changes Secrets", instances.ErrRefused, u.GetName())
		}
		if err != nil {
			return nil, err
		}
		all = append(all, placed)
	}
	return all, nil
}

// hasInstances says whether an object is not at once as it should be.
func hasInstances(o *unstructured.Unstructured) bool { return isWorkload(o) || o.GetKind() == "Job" }

// before is what was noted about an object that is there, and has what is applied be a change of that one.
func (o Objects) before(ctx context.Context, stamp instances.Action, one object) (m memory, err error) {
	old, err := o.at.client.Resource(one.what).Namespace(stamp.Target.Namespace).Get(ctx, one.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	one.SetResourceVersion(old.GetResourceVersion())
	if m, err = remembered(old.GetAnnotations()); err == nil && !m.Passed(stamp) {
		err = free(object{old, one.what}, m, true)
	}
	return m, err
}

func (o Objects) applyOne(ctx context.Context, stamp instances.Action, one object, m memory) error {
	if m.Passed(stamp) {
		return nil
	}
	if err := set(one.Unstructured, map[string]string{MemoryAnnotation: m.done(stamp).String()}, "metadata", "annotations"); err != nil {
		return err
	}
	_, err := o.at.client.Resource(one.what).Namespace(stamp.Target.Namespace).Apply(ctx, one.GetName(), one.Unstructured, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}
