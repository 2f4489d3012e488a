package stage

import (
	"cmp"
	"encoding/json"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// shift brings a version of an application into service, by a Release: a run never
// moves traffic itself. Outputs: release, application, version.
type shift struct{}

var releases = child{
	noun: "release", create: pipeline.CreateRelease, end: pipeline.AbortRelease, look: pipeline.SeeRelease, read: readRelease,
}

func (shift) Looks(in pipeline.StageInput) []pipeline.Look { return releases.looks(in) }

func (shift) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.ReleaseStage)
	work := pipeline.ReleaseWork{
		Name: nameOf(in), Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version, Strategy: c.Strategy,
		By: pipeline.Starter(in.Run.Trigger), Groups: in.Run.Trigger.Groups,
	}
	if work.Application == "" && in.Open == nil {
		return failed(nameless)
	}
	out := releases.next(in, work)
	if !out.Phase.Live() && releases.made(in.Open) {
		out.Outputs = encode(map[string]string{"release": work.Name, "application": work.Application, "version": work.Version})
	}
	return out
}

func readRelease(raw json.RawMessage) (sight, error) {
	var r pipeline.ReleaseSeen
	err := json.Unmarshal(raw, &r)
	seen := sight{missing: r.Missing, phase: pipeline.Running, why: fmt.Sprintf("%s at %d%%", cmp.Or(r.Phase, v1alpha1.ReleasePending), r.Weight)}
	if r.Why != "" {
		seen.why += ": " + r.Why
	}
	switch r.Phase {
	case v1alpha1.ReleaseSucceeded:
		seen.phase = pipeline.Succeeded
	case v1alpha1.ReleaseRolledBack, v1alpha1.ReleaseFailed:
		seen.phase = pipeline.Failed
	case v1alpha1.ReleaseInconclusive: // promote, or abort
		seen.phase = pipeline.Asking
	}
	return seen, err
}
