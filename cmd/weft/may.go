package main

import (
	"context"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/guard"
	"weft.dev/release/pipeline"
	"weft.dev/release/stage"
	"weft.dev/store/serve"
)

// may says beforehand what who asks may not do, so that pages need not offer it. It decides nothing:
// what it does not know, the API server and the engines refuse.
type may struct{ rails *rails }

// notStart is why they may not start a run; "": they may, or nobody here knows who they are.
func (m may) notStart(ctx context.Context, p *v1alpha1.Pipeline) string {
	by, groups := serve.Who(ctx)
	app, err := applicationOf(ctx, m.rails.applications, p.Namespace, p.Spec.Application)
	switch {
	case p.Spec.Locked != "":
		return "It is locked: " + p.Spec.Locked
	case by == "" || err != nil:
		return ""
	}
	return guard.Refuses(app, guard.MayRelease, guard.Person{Name: by, Groups: groups})
}

// notDecide is why a decision of theirs would not count; "" as above. The stage is that of a judgment.
func (m may) notDecide(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, verb, name string) string {
	by, groups := serve.Who(ctx)
	app, err := applicationOf(ctx, m.rails.applications, o.Namespace, d.Application)
	if by == "" || err != nil {
		return ""
	}
	decision := pipeline.Decision{Verb: verb, Stage: name, By: by, Groups: groups, Made: time.Now()}
	if why := (guard.Run{Rails: m.rails.names(ctx, app), Of: o, Spec: d}).Object(decision); why != "" {
		return why
	}
	for i := range d.Stages {
		if s := &d.Stages[i]; s.Name == name && s.Judgment != nil {
			return stage.Barred(s.Judgment, pipeline.Run{Trigger: o.Spec.Trigger}, decision)
		}
	}
	return ""
}
