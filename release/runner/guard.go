package runner

import (
	"context"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Rails say what holds for a run now.
type Rails interface {
	// Begin is why the run may not begin; "": it may.
	Begin() string
	Gate(s *v1alpha1.Stage) pipeline.Gate
	// Object is why a person's decision does not count; "": it may.
	Object(d pipeline.Decision) string
}

// guardEvery is how often the rails are asked again that keep a stage from starting, where
// they do not say until when: somebody may take them away.
const guardEvery = 2 * time.Second

// guard asks the rails, where there is anything for them to say.
func (r *run) guard(ctx context.Context, in *pipeline.Input, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, s pipeline.State) error {
	if r.Rails == nil || s.Phase != "" && len(in.Decisions) == 0 && !mayStart(d, s) {
		return nil
	}
	rails, err := r.Rails(ctx, o, d)
	if err != nil {
		return r.wrap("see what guards it", err)
	}
	if s.Phase == "" && in.Cancel == "" {
		in.Cancel = rails.Begin()
	}
	in.Gates, in.Barred = map[string]pipeline.Gate{}, map[string]string{}
	for i := range d.Stages {
		gate := rails.Gate(&d.Stages[i])
		if soon := in.Now.Add(guardEvery); gate.Until.IsZero() || gate.Until.After(soon) {
			gate.Until = soon
		}
		in.Gates[d.Stages[i].Name] = gate
	}
	for _, decision := range in.Decisions {
		in.Barred[decision.Name] = rails.Object(decision)
	}
	return nil
}

// mayStart reports whether there are stages that have not started.
func mayStart(d *v1alpha1.PipelineSpec, s pipeline.State) bool {
	for i := range d.Stages {
		if _, known := s.Stages[d.Stages[i].Name]; !known {
			return true
		}
	}
	return false
}
