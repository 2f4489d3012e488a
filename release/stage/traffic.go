package stage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// undo gives all traffic back to an earlier version, by a Release that goes before all
// others. Outputs: release, application, version.
type undo struct{}

// heir is what a stage remembers that found out who gets the traffic: that stays so, whenever weft is killed.
type heir struct {
	Version string `json:"version"`
}

// remembered is the heir that was stored with the action.
func remembered(in pipeline.StageInput) (to heir) {
	_ = json.Unmarshal(in.Memory, &to)
	return to
}

const earlier = "earlier"

func (undo) Looks(in pipeline.StageInput) []pipeline.Look {
	c := in.Config.(*v1alpha1.UndoStage)
	if app := cmp.Or(c.Application, in.Run.Application); in.Open == nil && app != "" && c.To == "" {
		return []pipeline.Look{lookAt(earlier, pipeline.SeeEarlier, app)}
	}
	return releases.looks(in)
}

func (undo) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.UndoStage)
	work := pipeline.ReleaseWork{
		Application: c.Application, Version: cmp.Or(c.To, remembered(in).Version), Routes: c.Routes, Config: c.Config,
		Reason: cmp.Or(c.Reason, fmt.Sprintf("stage %s of run %s", in.Name, in.Run.Name)),
	}
	if work.Version != "" || in.Open != nil || in.Cancel != "" || cmp.Or(c.Application, in.Run.Application) == "" {
		return atOnce(in, work)
	}
	fact, known := in.Facts[earlier]
	var seen pipeline.EarlierSeen
	switch {
	case !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace("does not see yet what served before " + fact.Err)}
	case seen.Refused != "":
		return failed(seen.Refused)
	}
	work.Version = seen.Version
	out := atOnce(in, work)
	out.Memory = encode(heir{seen.Version})
	return out
}

// atOnce is how a stage stands that has a Release give a version everything, unjudged.
func atOnce(in pipeline.StageInput, work pipeline.ReleaseWork) pipeline.StageOutcome {
	work.Name, work.Application, work.Undo = nameOf(in), cmp.Or(work.Application, in.Run.Application), true
	work.By, work.Groups = pipeline.Starter(in.Run.Trigger), in.Run.Trigger.Groups
	if work.Application == "" && in.Open == nil && in.Cancel == "" {
		return failed(nameless)
	}
	out := releases.next(in, work)
	if !out.Phase.Live() && releases.made(in.Open) {
		outputs := map[string]string{"release": work.Name, "application": work.Application}
		if work.Version != "" {
			outputs["version"] = work.Version
		}
		out.Outputs = encode(outputs)
	}
	if stays := stays(in.Open); stays != "" && out.Phase == pipeline.Succeeded {
		out.Phase, out.Why = pipeline.Failed, out.Why+"; "+stays
	}
	return out
}

// stays is why what was to be put back is not, if anything.
func stays(open *pipeline.Open) string {
	var made pipeline.ReleaseMade
	if open != nil && open.Kind == pipeline.CreateRelease && open.Result != nil && len(open.Result.Data) > 0 {
		_ = json.Unmarshal(open.Result.Data, &made) // it was encoded from one
	}
	return made.Stays
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
		return atOnce(in, pipeline.ReleaseWork{Application: app, Version: remembered(in).Version, Reason: reason})
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
	out := atOnce(in, pipeline.ReleaseWork{Application: app, Version: to, Reason: reason})
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
