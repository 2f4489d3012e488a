package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/places"
)

// Objects is a runner's World for "objects": any kind but weft's own, in the namespace of the run.
type Objects struct {
	at    *Provider
	blobs places.Blobs
}

// Objects acts on the provider's cluster; of a nil one it refuses everything, for there is no cluster.
func (p *Provider) Objects(blobs places.Blobs) Objects { return Objects{p, blobs} }

var errNoCluster = fmt.Errorf("%w: this weft runs in no cluster, so there are no objects to change", instances.ErrRefused)

// Do changes objects.
func (o Objects) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	text, done, err := "", json.RawMessage(nil), error(nil)
	for range tries {
		switch {
		case o.at == nil:
			err = errNoCluster
		case a.Kind == pipeline.ApplyObjects:
			text, done, err = o.apply(ctx, namespace, a)
		case a.Kind == pipeline.DeleteObject:
			text, done, err = o.delete(ctx, namespace, a)
		default:
			text, err = o.do(ctx, namespace, a)
		}
		if !apierrors.IsConflict(err) {
			break
		}
	}
	if err = refusal(err); errors.Is(err, instances.ErrRefused) {
		return a.Refused(err)
	}
	return pipeline.Result{ID: a.ID, OK: err == nil, Text: text, Data: done}, err
}

func (o Objects) do(ctx context.Context, namespace string, a pipeline.Action) (string, error) {
	stamp := stampOf(namespace, a)
	switch a.Kind {
	case pipeline.CreateJob:
		work, err := data[pipeline.JobWork](a)
		if err != nil {
			return "", err
		}
		return work.Name, o.job(ctx, stamp, work)
	case pipeline.DeleteJob:
		job, err := data[pipeline.Child](a)
		if err != nil {
			return "", err
		}
		return job.Name, o.unmake(ctx, namespace, job)
	}
	work, err := patchFor(a)
	if err != nil {
		return "", err
	}
	return o.change(ctx, stamp, work, a.Kind != pipeline.PatchObject)
}

// patchFor is the patch that an action is.
func patchFor(a pipeline.Action) (pipeline.ObjectPatch, error) {
	switch a.Kind {
	case pipeline.PatchObject:
		return data[pipeline.ObjectPatch](a)
	case pipeline.ScaleObject:
		work, err := data[pipeline.ObjectScale](a)
		return merged(work.Object, work.Replicas, "spec", "replicas"), err
	case pipeline.RestartObject:
		ref, err := data[pipeline.ObjectRef](a)
		return merged(ref, a.ID, "spec", "template", "metadata", "annotations", RestartAnnotation), err
	}
	return pipeline.ObjectPatch{}, fmt.Errorf("%w: kind %q: nobody does that", instances.ErrRefused, a.Kind)
}

// stampOf is an action as what it changed remembers it.
func stampOf(namespace string, a pipeline.Action) instances.Action {
	return instances.Action{ID: a.ID, Seq: instances.Seq(a.At), Target: instances.Target{Namespace: namespace}}
}

func data[T any](a pipeline.Action) (into T, err error) {
	if err := json.Unmarshal(a.Data, &into); err != nil {
		return into, fmt.Errorf("%w: %s: %w", instances.ErrRefused, a.Kind, err)
	}
	return into, nil
}

// merged is the patch that sets one field.
func merged(ref pipeline.ObjectRef, value any, path ...string) pipeline.ObjectPatch {
	for _, name := range slices.Backward(path) {
		value = map[string]any{name: value}
	}
	body, err := json.Marshal(value)
	if err != nil {
		panic("kubernetes: " + err.Error()) // numbers and texts
	}
	return pipeline.ObjectPatch{Object: ref, Type: "merge", Patch: body}
}

// change patches objects as they were read, and notes that; none of them, where one must not be.
func (o Objects) change(ctx context.Context, stamp instances.Action, work pipeline.ObjectPatch, byVersion bool) (string, error) {
	all, at, err := o.find(ctx, stamp.Target.Namespace, work.Object)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: there is no %s in namespace %s: make it first", instances.ErrRefused, work.Object, stamp.Target.Namespace)
	}
	var memories []memory
	for _, old := range all {
		m, wrong := remembered(old.GetAnnotations())
		if wrong == nil && !m.Passed(stamp) {
			wrong = free(old, m, byVersion)
		}
		err = errors.Join(err, wrong)
		memories = append(memories, m)
	}
	if err != nil {
		return "", err
	}
	for i, old := range all {
		if err := o.patch(ctx, stamp, at, old, memories[i], work); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s: %d changed", work.Object, len(all)), nil
}

func (o Objects) patch(ctx context.Context, stamp instances.Action, at dynamic.ResourceInterface, old object, m memory, work pipeline.ObjectPatch) error {
	if m.Passed(stamp) {
		return nil
	}
	kind, body, err := patchOf(old, m.done(stamp), work)
	if err != nil {
		return fmt.Errorf("%w: patch of %s %s: %w", instances.ErrRefused, old.GetKind(), old.GetName(), err)
	}
	_, err = at.Patch(ctx, old.GetName(), kind, body, metav1.PatchOptions{FieldManager: manager})
	return err
}

// delete deletes objects, and what they own before them, unless they were made after that was decided.
func (o Objects) delete(ctx context.Context, namespace string, a pipeline.Action) (string, json.RawMessage, error) {
	ref, err := data[pipeline.ObjectRef](a)
	if err != nil {
		return "", nil, err
	}
	all, at, err := o.find(ctx, namespace, ref)
	all = slices.DeleteFunc(all, func(o object) bool { return o.GetCreationTimestamp().After(a.At) })
	gone := pipeline.ObjectsGone{UIDs: []string{}}
	for _, old := range all {
		m, wrong := remembered(old.GetAnnotations())
		err = errors.Join(err, wrong, free(old, m, true))
		gone.UIDs = append(gone.UIDs, string(old.GetUID()))
	}
	if err != nil {
		return "", nil, err
	}
	for _, old := range all {
		if err := end(ctx, at, old); err != nil {
			return "", nil, err
		}
	}
	text, err := json.Marshal(gone)
	return fmt.Sprintf("%s: %d deleted", ref, len(all)), text, err
}

// end deletes an object that was read, unless it ends already.
func end(ctx context.Context, at dynamic.ResourceInterface, old object) error {
	if old.GetDeletionTimestamp() != nil {
		return nil
	}
	uid, policy := old.GetUID(), metav1.DeletePropagationForeground
	err := at.Delete(ctx, old.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy, Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// op is one of a JSON patch.
func op(verb, path string, value any) map[string]any {
	return map[string]any{"op": verb, "path": path, "value": value}
}

// patchOf is the patch with what fences it.
func patchOf(old object, m memory, work pipeline.ObjectPatch) (types.PatchType, []byte, error) {
	switch work.Type {
	case "json":
		var ops []any
		if err := json.Unmarshal(work.Patch, &ops); err != nil {
			return "", nil, err
		}
		first := []any{op("replace", "/metadata/resourceVersion", old.GetResourceVersion())}
		if old.GetAnnotations() == nil {
			first = append(first, op("add", "/metadata/annotations", map[string]any{}))
		}
		note := op("add", "/metadata/annotations/"+strings.ReplaceAll(MemoryAnnotation, "/", "~1"), m.String())
		body, err := json.Marshal(slices.Concat(first, ops, []any{note}))
		return types.JSONPatchType, body, err
	case "merge", "strategic", "":
		u := &unstructured.Unstructured{Object: map[string]any{}}
		if err := json.Unmarshal(work.Patch, &u.Object); err != nil {
			return "", nil, err
		}
		if err := set(u, map[string]string{MemoryAnnotation: m.String()}, "metadata", "annotations"); err != nil {
			return "", nil, err
		}
		u.SetResourceVersion(old.GetResourceVersion())
		body, err := json.Marshal(u.Object)
		if work.Type == "merge" {
			return types.MergePatchType, body, err
		}
		return types.StrategicMergePatchType, body, err
	}
	return "", nil, fmt.Errorf("type %q: give strategic, merge or json", work.Type)
}
