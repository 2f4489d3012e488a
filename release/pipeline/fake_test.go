package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

// fakes stand in for the kinds of stages; each behaves as the real one has to.
func fakes() With {
	return With{
		Stages: map[string]Stage{"wait": fakeWait{}, "judgment": fakeJudgment{}, "check": fakeCheck{}, "webhook": fakeCall{}, "release": fakeRelease{}},
		Eval:   fakeWords{},
	}
}

// fakeWords knows three expressions, and one that reads what another stage gave.
type fakeWords struct{}

func (fakeWords) Check(source string, _ Type) error {
	if source == "(" {
		return errors.New("ends too early")
	}
	return nil
}

func (fakeWords) CheckAll(config any) map[string]error {
	if w, ok := config.(*v1alpha1.WaitStage); ok && w.For == "${" {
		return map[string]error{"for": errors.New("ends too early")}
	}
	return nil
}

func (fakeWords) Bool(source string, e Env) (bool, error) {
	switch source {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	before, ok := e["stages"].(map[string]any)[source].(map[string]any)
	if !ok {
		return false, fmt.Errorf("%s: no such stage before this one", source)
	}
	return before["outputs"].(map[string]any)["answer"] == "yes", nil
}

func (fakeWords) Expand(config any, _ Env) (any, error) {
	if w, ok := config.(*v1alpha1.WaitStage); ok && w.For == "${gone}" {
		return nil, errors.New("for: nothing of this name")
	}
	return config, nil
}

type blind struct{}

func (blind) Looks(StageInput) []Look { return nil }

// fakeWait waits, and can be skipped.
type fakeWait struct{ blind }

func (fakeWait) Next(in StageInput) StageOutcome {
	d, _ := time.ParseDuration(in.Config.(*v1alpha1.WaitStage).For)
	until := in.Started.Add(d)
	switch {
	case in.Cancel != "":
		return StageOutcome{Phase: Cancelled, Why: in.Cancel}
	case len(in.Decisions) > 0 && in.Decisions[0].Verb == Skip:
		return StageOutcome{Phase: Succeeded, Answers: []Answer{{Decision: in.Decisions[0].Name, Accepted: true}}}
	case !in.Now.Before(until):
		return StageOutcome{Phase: Succeeded, Outputs: json.RawMessage(`{"answer":"yes"}`)}
	}
	return StageOutcome{Phase: Running, Why: "waits", Wake: until, Soft: json.RawMessage(`{"seen":1}`)}
}

// fakeCheck is over at once: its expression is how it ends, or what is wrong with its outcome.
type fakeCheck struct{ blind }

func (fakeCheck) Next(in StageInput) StageOutcome {
	big, _ := json.Marshal(map[string]string{"big": string(make([]byte, MaxData))})
	switch e := in.Config.(*v1alpha1.CheckStage).Expression; e {
	case "stays":
		if in.Cancel == "" {
			return StageOutcome{Phase: Running}
		}
		return StageOutcome{Phase: Cancelled}
	case "ok":
		return StageOutcome{Phase: Succeeded, Outputs: json.RawMessage(`{"answer":"no"}`)}
	case "full":
		return StageOutcome{Phase: Succeeded, Outputs: data(map[string]string{"full": strings.Repeat("x", MaxData-64)})}
	case "big":
		return StageOutcome{Phase: Succeeded, Outputs: big}
	case "list":
		return StageOutcome{Phase: Running, Memory: json.RawMessage(`[1]`)}
	case "first":
		if in.Attempt > 1 {
			return StageOutcome{Phase: Succeeded}
		}
	}
	return StageOutcome{Phase: Failed, Why: "it is not true"}
}

// fakeJudgment asks somebody else than who started the run.
type fakeJudgment struct{ blind }

func (fakeJudgment) Next(in StageInput) StageOutcome {
	out := StageOutcome{Phase: Asking, Why: "may it go on?"}
	if in.Cancel != "" {
		return StageOutcome{Phase: Cancelled, Why: in.Cancel}
	}
	for _, d := range in.Decisions {
		switch {
		case d.Verb != Judge:
		case d.By == in.Run.Trigger.By:
			out.Answers = append(out.Answers, Answer{Decision: d.Name, Why: "you started it"})
		case !out.Phase.Live():
			out.Answers = append(out.Answers, Answer{Decision: d.Name, Why: "somebody was faster"})
		default:
			out.Answers = append(out.Answers, Answer{Decision: d.Name, Accepted: true})
			out.Phase, out.Why = Succeeded, ""
			if d.Choice == "stop" {
				out.Phase, out.Why = Failed, "stopped by "+d.By
			}
		}
	}
	return out
}

// fakeCall calls once, and asks where nobody knows whether it did; it can be skipped. Body "safe" may be repeated.
type fakeCall struct{ blind }

func (fakeCall) Next(in StageInput) StageOutcome {
	c := in.Config.(*v1alpha1.WebhookStage)
	if in.Soft != nil && string(in.Soft) != string(data(in.Attempt)) {
		return StageOutcome{Phase: Failed, Why: "evidence of another attempt"}
	}
	if len(in.Decisions) > 0 && in.Decisions[0].Verb == Skip {
		return StageOutcome{Phase: Succeeded, Answers: []Answer{{Decision: in.Decisions[0].Name, Accepted: true}}}
	}
	switch open := in.Open; {
	case open == nil && in.Cancel != "":
		return StageOutcome{Phase: Cancelled, Why: in.Cancel}
	case open == nil || open.pending():
		return StageOutcome{Phase: Running, Why: "calls", Act: &Action{Kind: Call, Safe: c.Body == "safe", Data: json.RawMessage(`{"url":"x"}`)}}
	case open.Result != nil && open.Result.OK:
		return StageOutcome{Phase: Succeeded, Outputs: json.RawMessage(`{"answer":"yes"}`)}
	case open.Result != nil:
		return StageOutcome{Phase: Failed, Why: open.Result.Text}
	case in.Cancel != "":
		return StageOutcome{Phase: Cancelled, Why: in.Cancel}
	}
	return StageOutcome{Phase: Asking, Why: "it is not known whether it happened", Soft: data(in.Attempt)}
}

// fakeRelease makes a child, watches it, and takes it back when it has to end.
type fakeRelease struct{}

func (fakeRelease) Looks(in StageInput) []Look {
	if in.Open == nil {
		return nil
	}
	return []Look{{Key: "child", Kind: SeeRelease, Data: child(in), Every: time.Minute}}
}

func child(in StageInput) json.RawMessage { return data(Child{ChildName(in.Run, in.Name, in.Attempt)}) }

func (fakeRelease) Next(in StageInput) StageOutcome {
	var seen ReleaseSeen
	json.Unmarshal(in.Facts["child"].Data, &seen)
	out := StageOutcome{Phase: Running, Why: string(seen.Phase), Soft: data(in.Attempt)}
	if seen.Phase != "" {
		out.Memory = json.RawMessage(fmt.Sprintf(`{"z":1,"a":"<%s>"}`, seen.Phase))
	}
	switch {
	case in.Soft != nil && string(in.Soft) != string(out.Soft):
		return StageOutcome{Phase: Failed, Why: "evidence of another attempt"}
	case in.Open == nil && in.Cancel != "":
		return StageOutcome{Phase: Cancelled, Why: in.Cancel}
	case seen.Phase == v1alpha1.ReleaseSucceeded:
		out.Phase = Succeeded
	case seen.Phase == v1alpha1.ReleaseFailed:
		out.Phase, out.Why = Failed, "the release failed"
	case seen.Phase == v1alpha1.ReleaseRolledBack:
		out.Phase, out.Why = Cancelled, "the release went back"
	case in.Open != nil && in.Open.Result != nil && !in.Open.Result.OK && in.Open.Kind == CreateRelease:
		out.Phase, out.Why = Failed, in.Open.Result.Text
	case in.Cancel != "" && (in.Open.Kind == AbortRelease && in.Open.pending() || in.Open.Kind != AbortRelease):
		out.Act = &Action{Kind: AbortRelease, Safe: true, Data: child(in)}
	case in.Open == nil || in.Open.pending():
		out.Act = &Action{Kind: CreateRelease, Safe: true, Data: child(in)}
	}
	return out
}
