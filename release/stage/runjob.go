package stage

import (
	"encoding/json"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// runJob runs a Job once, and deletes it when it has ended, or the stage has to. What there was to read of it is
// remembered before that. Outputs: job, log, and what the Job gave.
type runJob struct{}

// jobEnd is what the stage remembers: how it ends when the Job is deleted.
type jobEnd struct {
	Phase   pipeline.StagePhase `json:"phase"`
	Why     string              `json:"why"`
	Outputs json.RawMessage     `json:"outputs,omitempty"`
}

func (runJob) Looks(in pipeline.StageInput) []pipeline.Look {
	if open := in.Open; open == nil || pending(open) || open.Result != nil && !open.Result.OK {
		return nil
	}
	c := in.Config.(*v1alpha1.RunJobStage)
	return []pipeline.Look{{
		Key: watched, Kind: pipeline.SeeJob, Every: watchEvery,
		Data: encode(pipeline.JobLook{Name: nameOf(in), Container: c.Container, OutputsFrom: c.OutputsFrom}),
	}}
}

func (r runJob) Next(in pipeline.StageInput) pipeline.StageOutcome {
	open := in.Open
	switch {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case open == nil || open.Kind == pipeline.CreateJob && pending(open) && in.Cancel == "":
		return r.begin(in)
	case open.Kind == pipeline.CreateJob && open.Result != nil && !open.Result.OK:
		return failed("Job is not made: " + open.Result.Text)
	case open.Kind == pipeline.DeleteJob:
		return r.end(in)
	case in.Cancel != "":
		return r.clear(in, jobEnd{Phase: pipeline.Cancelled, Why: fmt.Sprintf("%s; Job %s is deleted", in.Cancel, nameOf(in))})
	}
	return r.watch(in)
}

func (runJob) begin(in pipeline.StageInput) pipeline.StageOutcome {
	manifest, err := jobOf(in.Config.(*v1alpha1.RunJobStage))
	if err != nil {
		return failed(err.Error())
	}
	return pipeline.StageOutcome{
		Phase: pipeline.Running, Why: "makes Job " + nameOf(in),
		Act: &pipeline.Action{Kind: pipeline.CreateJob, Safe: true, Data: encode(manifest.as(nameOf(in)))},
	}
}

// watch waits for the Job's end.
func (r runJob) watch(in pipeline.StageInput) pipeline.StageOutcome {
	name := nameOf(in)
	seen, why := jobSeen(in)
	switch {
	case seen == nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	case seen.Missing:
		return failed(fmt.Sprintf("Job %s was deleted", name))
	case !seen.Ended:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: fmt.Sprintf("Job %s: %s", name, seen.Why)}
	}
	end := jobEnd{Phase: pipeline.Succeeded, Why: fmt.Sprintf("Job %s is complete", name), Outputs: outputsOf(name, seen)}
	if seen.Failed {
		end.Phase, end.Why = pipeline.Failed, fmt.Sprintf("Job %s failed: %s", name, seen.Why)
	}
	return r.clear(in, end)
}

func outputsOf(name string, seen *pipeline.JobSeen) json.RawMessage {
	outputs := map[string]string{"job": name, "log": seen.Log}
	for key, value := range seen.Outputs {
		outputs[key] = value
	}
	return encode(outputs)
}

// jobSeen is what there is of the Job; nil: why that is not known.
func jobSeen(in pipeline.StageInput) (*pipeline.JobSeen, string) {
	fact, known := in.Facts[watched]
	var seen pipeline.JobSeen
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil {
		return nil, strings.TrimSpace(fmt.Sprintf("does not see Job %s yet %s", nameOf(in), fact.Err))
	}
	return &seen, ""
}

// clear deletes the Job, and remembers how the stage ends then.
func (runJob) clear(in pipeline.StageInput, end jobEnd) pipeline.StageOutcome {
	return pipeline.StageOutcome{
		Phase: pipeline.Running, Why: end.Why, Memory: encode(end),
		Act: &pipeline.Action{Kind: pipeline.DeleteJob, Safe: true, Data: encode(pipeline.Child{Name: nameOf(in)})},
	}
}

// end ends as is remembered. A Job that was cut short is waited for: its pods may still be ending.
func (r runJob) end(in pipeline.StageInput) pipeline.StageOutcome {
	var end jobEnd
	_ = json.Unmarshal(in.Memory, &end) // it was stored with the action
	open := in.Open
	switch {
	case pending(open):
		return r.clear(in, end)
	case open.Result != nil && !open.Result.OK:
		end.Why = fmt.Sprintf("%s; it stays: %s", end.Why, open.Result.Text)
	case end.Phase == pipeline.Cancelled:
		if seen, why := jobSeen(in); seen == nil || !seen.Missing {
			return pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace("waits until the pods of Job " + nameOf(in) + " have ended " + why)}
		}
	}
	return pipeline.StageOutcome{Phase: end.Phase, Why: end.Why, Outputs: end.Outputs}
}
