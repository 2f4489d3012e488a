package guard

import (
	"cmp"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// Run is the rails of one run at one time: it has the methods of runner.Rails.
type Run struct {
	Rails
	Of   *v1alpha1.PipelineRun
	Spec *v1alpha1.PipelineSpec
	Now  time.Time
}

// Begin says why the run may not begin; "": it may. What no person started needs no role.
func (r Run) Begin() string {
	t := r.Of.Spec.Trigger
	return Refuses(r.Application, MayRelease, r.person(pipeline.Starter(t), t.Groups, r.made()))
}

// Gate says whether a stage may start.
func (r Run) Gate(s *v1alpha1.Stage) pipeline.Gate {
	if !Acts(s) {
		return pipeline.Gate{Open: true}
	}
	return r.Rails.Gate(Work{
		Namespace: r.Of.Namespace, Application: r.Spec.Application, Groups: r.person("", r.Of.Spec.Trigger.Groups, r.made()).Groups, Seed: string(r.Of.UID),
		Windows: map[string][]v1alpha1.Window{"pipeline " + r.Of.Spec.Pipeline: r.Spec.Windows, "stage " + s.Name: s.Windows},
	}, r.Now)
}

func (r Run) made() time.Time { return r.Of.CreationTimestamp.Time }

// Object says why a person's decision does not count; "": it does, as far as roles go. A cancel in
// nobody's name is weft's own, of a run that ends what it began. Who judges has to be known, and who started the run.
func (r Run) Object(d pipeline.Decision) string {
	if d.Verb == pipeline.Cancel && d.By == "" {
		return ""
	}
	if d.Verb == pipeline.Judge {
		if why := cmp.Or(r.unvouched(d.Made), r.unvouched(r.made())); why != "" {
			return "nobody vouches for who you are, or who started the run: " + why
		}
	}
	p := r.person(d.By, d.Groups, d.Made)
	if why := Refuses(r.Application, rights[d.Verb], p); why != "" || d.Verb != pipeline.Judge {
		return why
	}
	return Same(r.Application, p.Name, r.Of.Spec.Trigger)
}
