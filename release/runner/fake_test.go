package runner_test

import (
	"encoding/json"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// kinds stand in for those of release/stage: what the runner must get right does not depend on them.
var kinds = pipeline.With{
	Stages: map[string]pipeline.Stage{"wait": wait{}, "judgment": judgment{}, "webhook": webhook{}, "release": child{}},
	Eval:   plain{},
}

// plain knows no expressions.
type plain struct{}

func (plain) Check(string, pipeline.Type) error              { return nil }
func (plain) CheckAll(any) map[string]error                  { return nil }
func (plain) Bool(string, pipeline.Env) (bool, error)        { return true, nil }
func (plain) Expand(config any, _ pipeline.Env) (any, error) { return config, nil }
func data(v any) json.RawMessage                             { raw, _ := json.Marshal(v); return raw }
func ended(p pipeline.StagePhase, why string) pipeline.StageOutcome {
	return pipeline.StageOutcome{Phase: p, Why: why}
}

type blind struct{}

func (blind) Looks(pipeline.StageInput) []pipeline.Look { return nil }

// wait waits.
type wait struct{ blind }

func (wait) Next(in pipeline.StageInput) pipeline.StageOutcome {
	d, _ := time.ParseDuration(in.Config.(*v1alpha1.WaitStage).For)
	until := in.Started.Add(d)
	switch {
	case in.Cancel != "":
		return ended(pipeline.Cancelled, in.Cancel)
	case !in.Now.Before(until):
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Outputs: data(map[string]string{"waited": d.String()})}
	}
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: "waits", Wake: until, Soft: data(map[string]any{"at": in.Now})}
}

// judgment lets anybody but who started the run decide.
type judgment struct{ blind }

func (judgment) Next(in pipeline.StageInput) pipeline.StageOutcome {
	out := ended(pipeline.Asking, "may it go on?")
	if in.Cancel != "" {
		return ended(pipeline.Cancelled, in.Cancel)
	}
	for _, d := range in.Decisions {
		switch {
		case out.Phase != pipeline.Asking:
			out.Answers = append(out.Answers, pipeline.Answer{Decision: d.Name, Why: "somebody was faster"})
		case d.By == in.Run.Trigger.By:
			out.Answers = append(out.Answers, pipeline.Answer{Decision: d.Name, Why: "you started it"})
		default:
			out.Answers = append(out.Answers, pipeline.Answer{Decision: d.Name, Accepted: true})
			out.Phase = pipeline.Succeeded
		}
	}
	return out
}

// webhook calls once, and asks where nobody knows whether it did.
type webhook struct{ blind }

func (webhook) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.WebhookStage)
	switch open := in.Open; {
	case open == nil && in.Cancel != "":
		return ended(pipeline.Cancelled, in.Cancel)
	case open == nil, open.Result == nil && !open.Unknown:
		out := ended(pipeline.Running, "calls")
		out.Act = &pipeline.Action{Kind: pipeline.Call, Safe: c.Idempotent, Data: data(pipeline.HTTPCall{URL: c.URL})}
		return out
	case open.Result != nil && open.Result.OK:
		return ended(pipeline.Succeeded, "")
	case open.Result != nil:
		return ended(pipeline.Failed, open.Result.Text)
	case in.Cancel != "":
		return ended(pipeline.Cancelled, in.Cancel)
	}
	return ended(pipeline.Asking, "it is not known whether it happened")
}

// child makes a release, watches it, and takes it back when it has to end.
type child struct{}

func (child) name(in pipeline.StageInput) json.RawMessage {
	return data(pipeline.Child{Name: pipeline.ChildName(in.Run, in.Name, in.Attempt)})
}

func (c child) Looks(in pipeline.StageInput) []pipeline.Look {
	if in.Open == nil {
		return nil
	}
	return []pipeline.Look{{Key: "child", Kind: pipeline.SeeRelease, Data: c.name(in), Every: time.Second}}
}

func (c child) Next(in pipeline.StageInput) pipeline.StageOutcome {
	var seen pipeline.ReleaseSeen
	json.Unmarshal(in.Facts["child"].Data, &seen)
	out := ended(pipeline.Running, "release "+string(seen.Phase))
	known := in.Open != nil && in.Open.Result != nil
	switch {
	case in.Open == nil && in.Cancel != "":
		return ended(pipeline.Cancelled, in.Cancel)
	case seen.Phase == v1alpha1.ReleaseSucceeded:
		out.Phase = pipeline.Succeeded
	case seen.Phase == v1alpha1.ReleaseRolledBack:
		return ended(pipeline.Cancelled, "the release went back")
	case in.Cancel != "" && known && in.Open.Kind == pipeline.CreateRelease, in.Open != nil && in.Open.Kind == pipeline.AbortRelease && !known:
		out.Act = &pipeline.Action{Kind: pipeline.AbortRelease, Safe: true, Data: c.name(in)}
	case in.Open == nil || !known:
		out.Act = &pipeline.Action{Kind: pipeline.CreateRelease, Safe: true, Data: c.name(in)}
	}
	return out
}
