package kubernetes

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

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
	if err := finish(job.Unstructured, work); err != nil {
		return fmt.Errorf("%w: Job %s: %w", instances.ErrRefused, work.Name, err)
	}
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

// finish says in a Job what its manifest does not: one try is one, what it leaves is read before it goes, and who
// fails says why in its pod's status.
func finish(job *unstructured.Unstructured, work pipeline.JobWork) error {
	err := errors.Join(
		absent(job, int64(0), "spec", "backoffLimit"),
		absent(job, string(corev1.RestartPolicyNever), "spec", "template", "spec", "restartPolicy"))
	if err != nil {
		return err
	}
	unstructured.RemoveNestedField(job.Object, "spec", "ttlSecondsAfterFinished")
	if work.Deadline > 0 {
		if err := unstructured.SetNestedField(job.Object, work.Deadline, "spec", "activeDeadlineSeconds"); err != nil {
			return err
		}
	}
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(job.Object, path...)
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok && c["terminationMessagePolicy"] == nil {
			c["terminationMessagePolicy"] = string(corev1.TerminationMessageFallbackToLogsOnError)
		}
	}
	if err == nil && len(containers) == 0 {
		err = errors.New("spec.template.spec.containers: give it one")
	}
	if err != nil {
		return err
	}
	return unstructured.SetNestedSlice(job.Object, containers, path...)
}

// absent sets a field that is not there.
func absent(o *unstructured.Unstructured, value any, path ...string) error {
	if _, there, err := unstructured.NestedFieldNoCopy(o.Object, path...); there || err != nil {
		return err
	}
	return unstructured.SetNestedField(o.Object, value, path...)
}

// unmake deletes a Job by the name that only one action makes, after its pods.
func (o Objects) unmake(ctx context.Context, namespace string, job pipeline.Child) error {
	policy := metav1.DeletePropagationForeground
	err := o.at.client.Resource(jobs).Namespace(namespace).Delete(ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
