package runner

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// unfit says why a run cannot go on, for good.
type unfit string

func (u unfit) Error() string { return string(u) }

// spec is the definition of a run: the one that it began with, or, before that, the
// pipeline's; then it also notes whether the run's turn has come.
func (r *run) spec(ctx context.Context, o *v1alpha1.PipelineRun, s pipeline.State, in *pipeline.Input) (*v1alpha1.PipelineSpec, error) {
	if s.Phase != "" {
		return r.pinned(ctx, o)
	}
	p, err := r.Pipelines(ctx, o.Namespace, o.Spec.Pipeline)
	if apierrors.IsNotFound(err) {
		return nil, unfit(fmt.Sprintf("there is no Pipeline %s in namespace %s: make it, and start another run", o.Spec.Pipeline, o.Namespace))
	}
	if err != nil {
		return nil, r.wrap("read pipeline "+o.Spec.Pipeline, err)
	}
	if in.Cancel != "" {
		return &p.Spec, nil
	}
	switch turn, why := r.turns.admit(r.key, p.Spec.Concurrency); turn {
	case pipeline.Await:
		in.Held = why
	case pipeline.Never:
		in.Cancel = why
	}
	return &p.Spec, nil
}

// pinned is the definition that a run began with.
func (r *run) pinned(ctx context.Context, o *v1alpha1.PipelineRun) (*v1alpha1.PipelineSpec, error) {
	if r.definition != nil {
		return r.definition, nil
	}
	b, err := r.Blobs.Get(ctx, o.Namespace, o.Status.Definition)
	if apierrors.IsNotFound(err) {
		return nil, unfit(fmt.Sprintf("its definition, Blob %s, is gone: what was begun goes on without this run; start another one", o.Status.Definition))
	}
	if err != nil {
		return nil, r.wrap("read definition", err)
	}
	d, err := Definition(b)
	if err != nil {
		return nil, unfit(err.Error())
	}
	r.definition = d
	return d, nil
}

// begin makes a run whose turn it is ready to act: its definition is kept, and
// deleting it cancels it. The definition's name is in the status that it returns, which is not stored yet.
func (r *run) begin(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (*v1alpha1.PipelineRun, error) {
	definition, err := r.pin(ctx, o, d)
	if err != nil {
		return nil, r.wrap("keep definition", err)
	}
	if !begun(o) {
		o.Finalizers = append(o.Finalizers, Finalizer)
		if o, err = r.Runs.Update(ctx, o); err != nil {
			return nil, r.wrap("begin", err)
		}
	}
	o.Status.Definition = definition
	return o, nil
}

// begun reports whether a run may have acted, and is not finished.
func begun(o *v1alpha1.PipelineRun) bool { return slices.Contains(o.Finalizers, Finalizer) }

// unfinished reports whether there is something to do for a run.
func unfinished(o *v1alpha1.PipelineRun) bool {
	return !pipeline.Final(o.Status.Phase) || begun(o) || o.Status.State != nil
}
