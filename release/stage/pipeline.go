package stage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// call runs another pipeline, in the name of who started this run: what that one
// may not judge here, they may not judge there. Outputs: run.
type call struct{}

var runs = child{noun: "run", create: pipeline.CreateRun, end: pipeline.CancelRun, look: pipeline.SeeRun, read: readRun}

func (call) Looks(in pipeline.StageInput) []pipeline.Look { return runs.looks(in) }

func (call) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.PipelineStage)
	parents := append(slices.Clone(in.Run.Parents), in.Run.Pipeline+"/"+in.Run.Name)
	if why := pipeline.Circle(parents, c.Name); why != "" && in.Open == nil {
		return failed(why)
	}
	trigger := in.Run.Trigger
	trigger.Type, trigger.ID = "pipeline", fmt.Sprintf("%s/%s/%d", in.Run.UID, in.Name, in.Attempt)
	work := pipeline.RunWork{Name: nameOf(in), Pipeline: c.Name, Parameters: c.Parameters, Trigger: trigger, Parents: parents}
	out := runs.next(in, work)
	if open := in.Open; c.NoWait && in.Cancel == "" && open != nil && open.Kind == pipeline.CreateRun && open.Result != nil && open.Result.OK {
		out = pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: "started " + work.Name}
	}
	if !out.Phase.Live() && runs.made(in.Open) {
		out.Outputs = encode(map[string]string{"run": work.Name})
	}
	return out
}

func readRun(raw json.RawMessage) (sight, error) {
	var r pipeline.RunSeen
	err := json.Unmarshal(raw, &r)
	seen := sight{missing: r.Missing, phase: pipeline.Running, why: strings.Trim(string(r.Phase)+": "+r.Why, ": ")}
	switch r.Phase {
	case v1alpha1.RunSucceeded:
		seen.phase = pipeline.Succeeded
	case v1alpha1.RunFailed, v1alpha1.RunCancelled:
		seen.phase = pipeline.Failed
	}
	return seen, err
}
