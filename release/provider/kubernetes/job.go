package kubernetes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// jobSeen is how a Job goes.
func (o Objects) jobSeen(ctx context.Context, w workload) (pipeline.ObjectSeen, error) {
	all, err := conditions(w)
	if err != nil {
		return pipeline.ObjectSeen{}, err
	}
	for _, c := range all {
		switch {
		case c.Status == "True" && c.Type == "Complete":
			return pipeline.ObjectSeen{Ready: true}, nil
		case c.Status == "True" && c.Type == "Failed":
			return pipeline.ObjectSeen{Failed: true, Why: c.Reason + ": " + c.Message}, nil
		}
	}
	return o.blame(ctx, w, pipeline.ObjectSeen{Why: "it runs"})
}
