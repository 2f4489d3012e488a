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
		if a.Kind == pipeline.ApplyObjects {
			text, done, err = o.apply(ctx, namespace, a)
		} else {
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
	if o.at == nil {
		return "", errNoCluster
	}
	stamp := stampOf(namespace, a)
	switch a.Kind {
	case pipeline.PatchObject:
		work, err := data[pipeline.ObjectPatch](a)
		if err != nil {
			return "", err
		}
		return "patch of " + work.Object.Name, o.patch(ctx, stamp, work)
	case pipeline.ScaleObject:
		work, err := data[pipeline.ObjectScale](a)
		if err != nil {
			return "", err
		}
		fields, err := json.Marshal(map[string]any{"spec": map[string]any{"replicas": work.Replicas}})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s gets %d instances", work.Object.Name, work.Replicas), o.patch(ctx, stamp, pipeline.ObjectPatch{Object: work.Object, Type: "merge", Patch: fields})
	case pipeline.DeleteObject:
		work, err := data[pipeline.ObjectDelete](a)
		if err != nil {
			return "", err
		}
		return "delete of " + work.Object.Name, o.delete(ctx, a, namespace, work)
	case pipeline.CreateJob:
		work, err := data[pipeline.JobWork](a)
		if err != nil {
			return "", err
		}
		return work.Name, o.job(ctx, stamp, work)
	}
	return "", fmt.Errorf("%w: kind %q: nobody does that", instances.ErrRefused, a.Kind)
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

// find is an object, and where ones of its kind are.
func (o Objects) find(ctx context.Context, namespace string, r pipeline.ObjectRef) (object, dynamic.ResourceInterface, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(r.APIVersion)
	u.SetKind(r.Kind)
	u.SetName(r.Name)
	placed, err := o.at.place(namespace, u)
	if err != nil {
		return placed, nil, err
	}
	at := o.at.client.Resource(placed.what).Namespace(namespace)
	placed.Unstructured, err = at.Get(ctx, r.Name, metav1.GetOptions{})
	return placed, at, err
}

// missing makes a refusal of an object that is not there to be changed.
func missing(err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%w: %w: make it first", instances.ErrRefused, err)
	}
	return err
}

// delete deletes an object, unless it was made after that was decided.
func (o Objects) delete(ctx context.Context, a pipeline.Action, namespace string, work pipeline.ObjectDelete) error {
	policy, ok := map[string]metav1.DeletionPropagation{
		"": background, "background": background, "foreground": metav1.DeletePropagationForeground, "orphan": metav1.DeletePropagationOrphan,
	}[work.Cascade]
	if !ok {
		return fmt.Errorf("%w: cascade %q: give background, foreground or orphan", instances.ErrRefused, work.Cascade)
	}
	old, at, err := o.find(ctx, namespace, work.Object)
	if err == nil && !old.GetCreationTimestamp().After(a.At) && old.GetDeletionTimestamp() == nil {
		uid := old.GetUID()
		err = at.Delete(ctx, work.Object.Name, metav1.DeleteOptions{
			PropagationPolicy: &policy, GracePeriodSeconds: work.Grace, Preconditions: &metav1.Preconditions{UID: &uid},
		})
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// job makes a Job, unless this action did.
func (o Objects) job(ctx context.Context, stamp instances.Action, work pipeline.JobWork) error {
	manifests, err := read([]byte(work.Manifest))
	if err != nil {
		return err
	}
	if len(manifests) != 1 || manifests[0].GetAPIVersion() != "batch/v1" || manifests[0].GetKind() != "Job" {
		return fmt.Errorf("%w: the manifest of a job is one object, a Job of batch/v1", instances.ErrRefused)
	}
	job, err := o.at.place(stamp.Target.Namespace, manifests[0])
	if err != nil {
		return err
	}
	job.SetName(work.Name)
	if err := set(job.Unstructured, map[string]string{MemoryAnnotation: memory{}.done(stamp).String()}, "metadata", "annotations"); err != nil {
		return err
	}
	at := o.at.client.Resource(job.what).Namespace(stamp.Target.Namespace)
	_, err = at.Create(ctx, job.Unstructured, metav1.CreateOptions{FieldManager: manager})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := at.Get(ctx, work.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if m, err := remembered(old.GetAnnotations()); err != nil || m.ID != stamp.ID {
		return fmt.Errorf("%w: Job %s is there, and this run did not make it: delete it", instances.ErrRefused, work.Name)
	}
	return nil
}

// patch changes an object as it was read, and notes that.
func (o Objects) patch(ctx context.Context, stamp instances.Action, work pipeline.ObjectPatch) error {
	old, at, err := o.find(ctx, stamp.Target.Namespace, work.Object)
	if err != nil {
		return missing(err)
	}
	m, err := remembered(old.GetAnnotations())
	if err != nil || m.Passed(stamp) {
		return err
	}
	kind, body, err := patchOf(old, m.done(stamp), work)
	if err != nil {
		return fmt.Errorf("%w: patch of %s %s: %w", instances.ErrRefused, work.Object.Kind, work.Object.Name, err)
	}
	_, err = at.Patch(ctx, work.Object.Name, kind, body, metav1.PatchOptions{FieldManager: manager})
	return err
}

// change is one of a JSON patch.
func change(op, path string, value any) map[string]any {
	return map[string]any{"op": op, "path": path, "value": value}
}

// patchOf is the patch with what fences it.
func patchOf(old object, m memory, work pipeline.ObjectPatch) (types.PatchType, []byte, error) {
	switch work.Type {
	case "json":
		var ops []any
		if err := json.Unmarshal(work.Patch, &ops); err != nil {
			return "", nil, err
		}
		first := []any{change("replace", "/metadata/resourceVersion", old.GetResourceVersion())}
		if old.GetAnnotations() == nil {
			first = append(first, change("add", "/metadata/annotations", map[string]any{}))
		}
		note := change("add", "/metadata/annotations/"+strings.ReplaceAll(MemoryAnnotation, "/", "~1"), m.String())
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
