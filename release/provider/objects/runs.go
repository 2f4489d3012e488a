package objects

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Runs is a runner's World for "run".
type Runs struct {
	All       Objects[v1alpha1.PipelineRun]
	Decisions Objects[v1alpha1.Decision]
}

// Observe sees a run.
func (r Runs) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	return observe(ctx, r.All, namespace, l, pipeline.RunSeen{Missing: true}, func(found *v1alpha1.PipelineRun) pipeline.RunSeen {
		return pipeline.RunSeen{Phase: found.Status.Phase, Why: found.Status.Why}
	})
}

// Do makes a run, or cancels one.
func (r Runs) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	switch a.Kind {
	case pipeline.CreateRun:
		work, err := read[pipeline.RunWork](a.Kind, a.Data)
		if err != nil {
			return a.Refused(err)
		}
		return create(ctx, r.All, a, &v1alpha1.PipelineRun{
			ObjectMeta: named(namespace, work.Name, a),
			Spec:       v1alpha1.PipelineRunSpec{Pipeline: work.Pipeline, Parameters: work.Parameters, Trigger: work.Trigger, Parents: work.Parents},
		})
	case pipeline.CancelRun:
		child, err := read[pipeline.Child](a.Kind, a.Data)
		if err != nil {
			return a.Refused(err)
		}
		return r.cancel(ctx, namespace, child.Name, a)
	}
	return a.Refused(unknown(a.Kind))
}

// cancel decides that a run ends, as a person would.
func (r Runs) cancel(ctx context.Context, namespace, name string, a pipeline.Action) (pipeline.Result, error) {
	run, err := r.All.Get(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return pipeline.Result{ID: a.ID, OK: true, Text: name + " is gone"}, nil
	}
	if err != nil {
		return pipeline.Result{}, err
	}
	return create(ctx, r.Decisions, a, &v1alpha1.Decision{
		ObjectMeta: named(namespace, name+"-cancelled", a),
		Spec:       v1alpha1.DecisionSpec{Run: name, RunUID: string(run.UID), Verb: pipeline.Cancel, Reason: "the run that started it was cancelled", By: "weft"},
	})
}
