package stage

import (
	"cmp"
	"encoding/json"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// undo gives all traffic back to an earlier version, by a Release that goes before all
// others. Outputs: release, application; version, where the stage names one.
type undo struct{}

func (undo) Looks(in pipeline.StageInput) []pipeline.Look { return releases.looks(in) }

func (undo) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.UndoStage)
	return atOnce(in, c.Application, c.To, cmp.Or(c.Reason, fmt.Sprintf("stage %s of run %s", in.Name, in.Run.Name)))
}

// atOnce is how a stage stands that has a Release give a version everything, unjudged.
func atOnce(in pipeline.StageInput, application, version, reason string) pipeline.StageOutcome {
	work := pipeline.ReleaseWork{
		Name: nameOf(in), Application: cmp.Or(application, in.Run.Application), Version: version, Undo: true, Reason: reason,
		By: pipeline.Starter(in.Run.Trigger), Groups: in.Run.Trigger.Groups,
	}
	if work.Application == "" && in.Open == nil && in.Cancel == "" {
		return failed(nameless)
	}
	out := releases.next(in, work)
	if !out.Phase.Live() && releases.made(in.Open) {
		outputs := map[string]string{"release": work.Name, "application": work.Application}
		if version != "" {
			outputs["version"] = version
		}
		out.Outputs = encode(outputs)
	}
	return out
}

// enable gives a version all traffic, and takes it back where it is worse. Outputs: release, application, version.
type enable struct{}

func (enable) Looks(in pipeline.StageInput) []pipeline.Look { return releases.looks(in) }

func (enable) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.EnableStage)
	in.Config = &v1alpha1.ReleaseStage{Application: c.Application, Version: c.Version, Strategy: &v1alpha1.Strategy{Type: v1alpha1.BlueGreen}}
	return shift{}.Next(in)
}

// disable takes a version out of traffic, for the other one with most of it. Outputs:
// release, application, version (that one); none, where it had no traffic.
type disable struct{}

// heir is what the stage remembers: who gets the traffic.
type heir struct {
	Version string `json:"version"`
}

func (disable) Looks(in pipeline.StageInput) []pipeline.Look {
	app := cmp.Or(in.Config.(*v1alpha1.DisableStage).Application, in.Run.Application)
	if in.Open == nil && app != "" {
		return []pipeline.Look{lookAt(shares, pipeline.SeeTraffic, app)}
	}
	return releases.looks(in)
}

func (disable) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.DisableStage)
	app := cmp.Or(c.Application, in.Run.Application)
	reason := fmt.Sprintf("run %s disables %s", in.Run.Name, c.Version)
	if in.Open != nil || in.Cancel != "" || app == "" {
		var to heir
		_ = json.Unmarshal(in.Memory, &to) // it was stored with the action
		return atOnce(in, app, to.Version, reason)
	}
	seen, why := traffic(in)
	if seen == nil {
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	}
	to := heaviest(*seen, c.Version)
	switch {
	case len(seen.Shares) > 0 && seen.Share(c.Version) == 0:
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: fmt.Sprintf("%s %s has no traffic", app, c.Version)}
	case to == "":
		return failed(fmt.Sprintf("no other version of %s has traffic: enable one, or release it", app))
	}
	out := atOnce(in, app, to, reason)
	out.Memory = encode(heir{to})
	return out
}

// heaviest is the version with most traffic besides one; empty: none has any.
func heaviest(t pipeline.TrafficSeen, besides string) (version string) {
	var most int32
	for _, v := range t.Shares {
		if v.Version != besides && v.Weight > most {
			version, most = v.Version, v.Weight
		}
	}
	return version
}
