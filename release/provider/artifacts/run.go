package artifacts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// run finds the last run of a pipeline that ended so, and what its stage gave.
func (w World) run(ctx context.Context, namespace string, c *v1alpha1.FindRun) (seen pipeline.ArtifactSeen, err error) {
	phases := c.Phases
	if len(phases) == 0 {
		phases = []v1alpha1.RunPhase{v1alpha1.RunSucceeded}
	}
	all, err := w.Runs.List(ctx, namespace)
	if err != nil {
		return seen, err
	}
	var last *v1alpha1.PipelineRun
	for _, o := range all {
		fits := o.Spec.Pipeline == c.Pipeline && o.Status.Ended != nil && slices.Contains(phases, o.Status.Phase)
		if fits && (last == nil || last.Status.Ended.Before(o.Status.Ended)) {
			last = o
		}
	}
	if last == nil {
		return seen, none{fmt.Errorf("no run of pipeline %s has ended as one of %q: run it first", c.Pipeline, phases)}
	}
	outputs, err := w.outputs(ctx, last, c.Stage)
	if err != nil {
		return seen, err
	}
	seen = found("run "+last.Name, map[string]string{"run": last.Name})
	for name, value := range outputs {
		if name != "run" {
			seen.Outputs[name] = value
		}
	}
	return seen, nil
}

// outputs are those of a stage of a run, the last time that it ended.
func (w World) outputs(ctx context.Context, o *v1alpha1.PipelineRun, stage string) (map[string]json.RawMessage, error) {
	events, err := o.Status.Events, error(nil)
	for chapter := o.Status.Sealed; ; chapter-- {
		for _, e := range slices.Backward(events) {
			if e.Stage == stage && e.Kind == string(pipeline.StageEnded) && e.Data != nil {
				return pipeline.OutputsOf(e.Data.Raw)
			}
		}
		if chapter == 0 {
			return nil, none{fmt.Errorf("no stage %s has ended in run %s: name one that did", stage, o.Name)}
		}
		if events, err = w.Chapter(ctx, o, chapter); err != nil {
			return nil, fmt.Errorf("events of run %s: %w", o.Name, err)
		}
	}
}
