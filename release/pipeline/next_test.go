package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// play is a run in the hands of a test.
type play struct {
	t     *testing.T
	spec  *v1alpha1.PipelineSpec
	state State
	in    Input
	last  Step
}

func newPlay(t *testing.T, stages ...v1alpha1.Stage) *play {
	return &play{
		t: t, spec: &v1alpha1.PipelineSpec{Stages: stages},
		in: Input{Now: noon, Run: Run{UID: "u", Namespace: "shop", Name: "ship-1", Pipeline: "ship", Trigger: v1alpha1.TriggerFact{Type: Manual, By: "alice"}}},
	}
}

// stage of a kind, as "NAME KIND ARG", after others.
func stage(text string, after ...string) v1alpha1.Stage {
	words := strings.Fields(text + " _")
	s := v1alpha1.Stage{Name: words[0], After: after}
	switch words[1] {
	case "wait":
		s.Wait = &v1alpha1.WaitStage{For: words[2]}
	case "check":
		s.Check = &v1alpha1.CheckStage{Expression: words[2]}
	case "judgment":
		s.Judgment = &v1alpha1.JudgmentStage{}
	case "webhook":
		s.Webhook = &v1alpha1.WebhookStage{Body: words[2]}
	case "release":
		s.Release = &v1alpha1.ReleaseStage{Version: words[2]}
	}
	return s
}

func (p *play) next() Step {
	p.t.Helper()
	p.last = Next(p.spec, p.state, p.in, fakes())
	for _, e := range p.last.Events {
		p.state = Apply(p.state, e)
	}
	return p.last
}

// settle takes steps until nothing happens without time or news. Results of actions are good ones.
func (p *play) settle() *play {
	p.t.Helper()
	for range 50 {
		s := p.next()
		p.in.Decisions, p.in.Results, p.in.Lost = nil, nil, nil
		if len(s.Events) == 0 {
			return p
		}
	}
	p.t.Fatalf("events without end: %+v", p.last.Events)
	return nil
}

func (p *play) after(d time.Duration) *play {
	p.t.Helper()
	p.in.Now = p.in.Now.Add(d)
	return p.settle()
}

func (p *play) decided(ds ...Decision) map[string]string {
	p.t.Helper()
	p.in.Decisions = ds
	answers := map[string]string{}
	for _, a := range p.next().Answers {
		answers[a.Decision] = a.Why
		if a.Accepted {
			answers[a.Decision] = "accepted"
		}
	}
	p.in.Decisions = nil
	p.settle()
	return answers
}

func (p *play) phases() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.state.Stages)) {
		all = append(all, name+"="+string(p.state.Stages[name].Phase))
	}
	return string(p.state.Phase) + ": " + strings.Join(all, " ")
}

func (p *play) want(phases string) *play {
	p.t.Helper()
	if got := p.phases(); got != phases {
		p.t.Fatalf("%s\nwant %s", got, phases)
	}
	return p
}

// Two branches and their join; a fails while b goes on, by each mode.
func TestFailureModes(t *testing.T) {
	for mode, want := range map[v1alpha1.FailureMode][2]string{
		"":                    {"Failed: a=Failed b=Cancelled", "Failed: a=Failed b=Cancelled"},
		v1alpha1.FailRun:      {"Failed: a=Failed b=Cancelled", "Failed: a=Failed b=Cancelled"},
		v1alpha1.FailStop:     {"Running: a=Stopped b=Running", "Succeeded: a=Stopped b=Succeeded c=Succeeded"},
		v1alpha1.FailContinue: {"Running: a=Continued b=Running", "Succeeded: a=Continued b=Succeeded c=Succeeded join=Succeeded"},
		v1alpha1.FailLater:    {"Running: a=Failed b=Running", "Failed: a=Failed b=Succeeded c=Succeeded"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			a := stage("a check no")
			a.OnFailure = mode
			p := newPlay(t, stage("join check ok", "a", "b"), stage("b wait 10m"), stage("c check ok", "b"), a)
			p.settle().want(want[0])
			p.after(10 * time.Minute).want(want[1])
		})
	}
}

func TestWhen(t *testing.T) {
	skipped, reads, bad := stage("a check ok"), stage("b check ok", "a"), stage("c check ok", "b")
	skipped.When, reads.When, bad.When = "false", "true", "nobody"
	p := newPlay(t, skipped, reads, bad).settle().want("Failed: a=Skipped b=Succeeded c=Failed")
	if why := p.state.Why; why != "c: when: nobody: no such stage before this one" {
		t.Error(why)
	}
	reads.When = "w"
	reads.After = []string{"w"}
	newPlay(t, stage("w wait 0s"), reads).settle().want("Succeeded: b=Succeeded w=Succeeded")
	other := stage("x check ok")
	other.When = "w"
	newPlay(t, stage("w wait 0s"), other).settle().want("Failed: w=Succeeded x=Failed")
	newPlay(t, stage("w check ok"), reads).settle().want("Succeeded: b=Skipped w=Succeeded")
}

func TestGates(t *testing.T) {
	p := newPlay(t, stage("a check ok"), stage("b check ok", "a"))
	p.in.Gates = map[string]Gate{"b": {Why: "frozen", Until: noon.Add(time.Second)}}
	p.settle().want("Running: a=Succeeded")
	if p.last.Why != "b: frozen" || !p.last.Wake.Equal(noon.Add(time.Second)) {
		t.Errorf("%+v", p.last)
	}
	p.after(time.Minute).want("Running: a=Succeeded")
	if !p.last.Wake.Equal(p.in.Now.Add(lookAgain)) {
		t.Errorf("a gate that should be open is asked again at %s", p.last.Wake)
	}
	p.in.Gates = nil
	p.settle().want("Succeeded: a=Succeeded b=Succeeded")
}

func TestTimeouts(t *testing.T) {
	for text, limit := range map[string]time.Duration{"a check stays": 2 * time.Hour, "a judgment": 72 * time.Hour, "a release v2": 72 * time.Hour} {
		p := newPlay(t, stage(text)).settle()
		p.after(limit - time.Second)
		if Final(p.state.Phase) {
			t.Errorf("%s ended too early", text)
		}
		p.in.Lost = []string{"u/a/1/1"}
		p.after(time.Second).after(time.Second).after(10 * time.Minute).want("Failed: a=Failed")
		if !strings.Contains(p.state.Why, limit.String()) {
			t.Error(p.state.Why)
		}
	}
	newPlay(t, stage("a wait 100h")).settle().after(99 * time.Hour).want("Running: a=Running")
	short := stage("a wait 1h")
	short.Timeout, short.OnFailure = &metav1.Duration{Duration: time.Minute}, v1alpha1.FailContinue
	p := newPlay(t, short).settle()
	if !p.last.Wake.Equal(noon.Add(time.Minute)) {
		t.Error(p.last.Wake)
	}
	p.after(time.Minute).want("Succeeded: a=Continued")
}

// A clock that was set back stops no run: it is looked at as often, and its times count on from the last event.
func TestClockSetBack(t *testing.T) {
	p := newPlay(t, stage("a wait 1h"), stage("b release v2")).settle()
	p.in.Now = noon.Add(-time.Hour)
	p.in.Results = []Result{{ID: "u/b/1/1", OK: true}}
	p.in.Facts = map[string]Fact{"b/1/child": {At: p.in.Now}}
	p.settle()
	if e := p.state.Last; !e.Equal(noon) {
		t.Error(e)
	}
	if !p.last.Wake.Equal(p.in.Now.Add(time.Minute)) {
		t.Errorf("wakes at %s", p.last.Wake)
	}
	p.after(2*time.Hour - time.Second).after(time.Second).want("Running: a=Succeeded b=Running")
}

// A stage that does not end is ended, and what it left is said.
func TestForcedEnd(t *testing.T) {
	p := newPlay(t, stage("a webhook"), stage("b release v2")).settle()
	p.decided(Decision{Name: "d", Verb: Cancel, By: "bob", Reason: "late"})
	p.want("Running: a=Running b=Running")
	p.after(10*time.Minute - time.Second).want("Running: a=Running b=Running")
	p.after(time.Second).want("Cancelled: a=Cancelled b=Cancelled")
	if why := p.state.Stages["a"].Why; !strings.Contains(why, "did not end within 10m0s") {
		t.Error(why)
	}
	if p.state.Why != "cancelled by bob (late)" {
		t.Error(p.state.Why)
	}
}

func TestDecisions(t *testing.T) {
	judge := func(name, by, choice string, attempt int) Decision {
		return Decision{Name: name, Verb: Judge, Stage: "j", Attempt: attempt, By: by, Choice: choice}
	}
	p := newPlay(t, stage("j judgment"), stage("w wait 1h"), stage("z wait 1h", "w")).settle().want("Asking: j=Asking w=Running")
	got := p.decided(judge("self", "alice", "continue", 1), judge("old", "bob", "continue", 0), judge("good", "bob", "continue", 1), judge("late", "eve", "stop", 1),
		Decision{Name: "none", Verb: Judge, Stage: "nobody"}, Decision{Name: "early", Verb: Skip, Stage: "z"},
		Decision{Name: "odd", Verb: Judge, Stage: "w", Attempt: 1}, Decision{Name: "well", Verb: Retry, Stage: "w", Attempt: 1})
	want := map[string]string{
		"self": "you started it", "old": "it is about attempt 0 of j, which is at attempt 1", "good": "accepted", "late": "somebody was faster",
		"none": `the run has no stage "nobody"`, "early": "z has not started", "odd": "w has nothing to judge", "well": "w has not failed: Running",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	p.want("Running: j=Succeeded w=Running")
	again := p.decided(judge("good", "bob", "continue", 1), judge("late", "eve", "stop", 1))
	if !reflect.DeepEqual(again, map[string]string{"good": "accepted", "late": "j has ended: Succeeded"}) {
		t.Errorf("answers that were lost: %q", again)
	}
	p.decided(Decision{Name: "skip", Verb: Skip, Stage: "w", Attempt: 1, By: "bob"})
	p.after(time.Hour).want("Succeeded: j=Succeeded w=Succeeded z=Succeeded")
	if got := p.decided(Decision{Name: "c", Verb: Cancel}, judge("good", "bob", "continue", 1)); got["c"] != "the run has ended" || got["good"] != "accepted" {
		t.Errorf("after the end: %q", got)
	}
}

// A judgment counts for nothing in the step that ends its stage.
func TestCancelOutranks(t *testing.T) {
	yes := Decision{Name: "yes", Verb: Judge, Stage: "j", Attempt: 1, By: "bob"}
	p := newPlay(t, stage("j judgment"), stage("z check ok", "j")).settle()
	got := p.decided(yes, Decision{Name: "c", Verb: Cancel, By: "eve"})
	p.want("Cancelled: j=Cancelled")
	if got["yes"] != "j ends: cancelled by eve" || got["c"] != "accepted" {
		t.Errorf("%q", got)
	}
	p = newPlay(t, stage("j judgment"), stage("z check ok", "j")).settle()
	p.in.Now = noon.Add(80 * time.Hour)
	if got := p.decided(yes); got["yes"] != "j ends: it took longer than 72h0m0s" {
		t.Errorf("%q", got)
	}
	p.want("Failed: j=Failed")
}

func TestRetry(t *testing.T) {
	retry := func(stage string, attempt int) Decision {
		return Decision{Name: fmt.Sprint(stage, attempt), Verb: Retry, Stage: stage, Attempt: attempt, By: "bob"}
	}
	for mode, want := range map[v1alpha1.FailureMode]string{
		v1alpha1.FailStop:     "accepted",
		v1alpha1.FailLater:    "accepted",
		v1alpha1.FailContinue: "b went on after a",
	} {
		a := stage("a check first")
		a.OnFailure = mode
		p := newPlay(t, a, stage("b check ok", "a"), stage("w wait 1h")).settle()
		if got := p.decided(retry("a", 1))["a1"]; got != want {
			t.Errorf("%s: %s", mode, got)
		}
		if got := p.decided(retry("w", 1))["w1"]; got != "w has not failed: Running" {
			t.Error(got)
		}
		p.after(time.Hour)
		if p.state.Phase != v1alpha1.RunSucceeded {
			t.Errorf("%s: %s", mode, p.phases())
		}
	}
}

func TestBegin(t *testing.T) {
	param := v1alpha1.Parameter{Name: "v", Required: true, Options: []string{"1", "2"}}
	for name, c := range map[string]struct {
		change func(*play)
		want   string
	}{
		"held":      {func(p *play) { p.in.Held = "not yet" }, ": not yet"},
		"replaced":  {func(p *play) { p.in.Held, p.in.Cancel = "not yet", "replaced" }, "Cancelled: replaced"},
		"locked":    {func(p *play) { p.spec.Locked = "audit" }, "Failed: pipeline ship is locked: audit"},
		"disabled":  {func(p *play) { p.spec.Disabled, p.in.Run.Trigger.Type = true, "cron" }, "Failed: pipeline ship is disabled: only a person starts it"},
		"by person": {func(p *play) { p.spec.Disabled = true }, "Succeeded: "},
		"by object": {func(p *play) { p.spec.Disabled, p.in.Run.Trigger.Type = true, "" }, "Succeeded: "},
		"no kind":   {func(p *play) { p.spec.Stages[0].Check = nil }, `Failed: pipeline ship cannot run, 1 problems: spec.stages[0]: a: stages of kind "" cannot run here: take it out, or another kind`},
		"required":  {func(p *play) { p.spec.Parameters = []v1alpha1.Parameter{param} }, "Failed: parameter v is required"},
		"option": {func(p *play) {
			p.spec.Parameters, p.in.Run.Parameters = []v1alpha1.Parameter{param}, map[string]string{"v": "3"}
		}, `Failed: parameter v: "3" is none of ["1" "2"]`},
		"unknown": {func(p *play) { p.in.Run.Parameters = map[string]string{"x": ""} }, "Failed: parameter x: the pipeline has none of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, stage("a check ok"))
			c.change(p)
			p.settle()
			if got := string(p.state.Phase) + ": " + p.last.Why; got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
			if p.last.Wake.IsZero() != Final(p.state.Phase) {
				t.Errorf("wakes at %s", p.last.Wake)
			}
		})
	}
	p := newPlay(t, stage("a check ok"))
	p.in.Held = "not yet"
	if got := p.decided(Decision{Name: "c", Verb: Cancel, By: "bob"}); got["c"] != "accepted" {
		t.Errorf("%q", got)
	}
	p.want("Cancelled: ")
}

func TestActions(t *testing.T) {
	p := newPlay(t, stage("a webhook"))
	first := p.next()
	if len(first.Actions) != 1 || first.Actions[0].ID != "u/a/1/1" || first.Actions[0].Stage != "a" {
		t.Fatalf("%+v", first.Actions)
	}
	p.settle()
	p.in.Results = []Result{{ID: "u/a/0/1"}, {ID: "u/b/1/1"}, {ID: "u/a/1/2"}}
	p.settle().want("Running: a=Running")
	p.in.Lost = []string{"u/a/1/1"}
	if s := p.next(); s.Actions != nil {
		t.Fatalf("done twice: %+v", s.Actions)
	}
	p.settle().want("Asking: a=Asking")
	known := *p
	known.in.Results = []Result{{ID: "u/a/1/1", OK: true}}
	known.settle().want("Succeeded: a=Succeeded")
	if got := p.decided(Decision{Name: "r", Verb: Retry, Stage: "a", Attempt: 1}); got["r"] != "accepted" {
		t.Fatal(got)
	}
	p.want("Running: a=Running")
	p.in.Results = []Result{{ID: "u/a/1/1", OK: true}, {ID: "u/a/2/1", Text: "500"}, {ID: "u/a/2/1", OK: true}}
	p.settle().want("Failed: a=Failed")
	if p.state.Why != "a: 500" {
		t.Error(p.state.Why)
	}
}

// After a crash a safe action is done again under its id, unless the stage wants another one by now.
func TestLost(t *testing.T) {
	p := newPlay(t, stage("a release v2"))
	p.next()
	p.in.Lost, p.in.Now = []string{"u/a/1/1"}, noon.Add(time.Second)
	s := p.next()
	if len(s.Events) != 0 || len(s.Actions) != 1 || s.Actions[0].ID != "u/a/1/1" || s.Actions[0].Data == nil || !s.Actions[0].At.Equal(noon) {
		t.Fatalf("%+v", s)
	}
	over := *p
	over.in.Now = noon.Add(72 * time.Hour)
	over.next()
	if got := over.decided(Decision{Name: "r", Verb: Retry, Stage: "a", Attempt: 1})["r"]; got != "a ends: it took longer than 72h0m0s" {
		t.Error(got)
	}
	p.in.Cancel = "deleted"
	s = p.next()
	if len(s.Actions) != 0 || !p.state.Stages["a"].Open.Unknown {
		t.Fatalf("%+v", s)
	}
	p.in.Lost = nil
	if s = p.next(); len(s.Actions) != 1 || s.Actions[0].ID != "u/a/1/2" || s.Actions[0].Kind != AbortRelease {
		t.Fatalf("%+v", s)
	}
}

// An attempt sees what its own looks found.
func TestLooks(t *testing.T) {
	a := stage("a release v2")
	a.OnFailure = v1alpha1.FailLater
	p := newPlay(t, a, stage("w wait 1h")).settle()
	p.in.Results = []Result{{ID: "u/a/1/1", OK: true}}
	p.settle()
	if l := p.last.Looks; len(l) != 1 || l[0].Key != "a/1/child" || l[0].Every != time.Minute || !p.last.Wake.Equal(noon) {
		t.Fatalf("%+v, %s", l, p.last.Wake)
	}
	p.in.Facts = map[string]Fact{"a/1/child": {At: noon, Data: data(ReleaseSeen{Phase: v1alpha1.ReleaseFailed})}}
	p.settle().want("Running: a=Failed w=Running")
	p.decided(Decision{Name: "r", Verb: Retry, Stage: "a", Attempt: 1})
	p.in.Results = []Result{{ID: "u/a/2/1", OK: true}}
	p.settle().want("Running: a=Running w=Running")
	if l := p.last.Looks; len(l) != 1 || l[0].Key != "a/2/child" {
		t.Fatalf("%+v", l)
	}
	p.in.Facts["a/2/child"] = Fact{At: noon, Data: data(ReleaseSeen{Phase: v1alpha1.ReleaseSucceeded})}
	p.settle().want("Running: a=Succeeded w=Running")
}

// What is too much for the record is left out, and said.
func TestAnswersAreBounded(t *testing.T) {
	long, many := json.RawMessage(`"`+strings.Repeat("x", MaxData-2)+`"`), []v1alpha1.Stage{}
	for i := range 40 {
		many = append(many, stage(fmt.Sprintf("s%d release v2", i)))
	}
	p := newPlay(t, many...)
	for _, a := range p.settle().last.Actions {
		t.Errorf("given again: %+v", a)
	}
	for i := range many {
		p.in.Results = append(p.in.Results, Result{ID: fmt.Sprintf("u/s%d/1/1", i), OK: true, Data: long})
	}
	p.settle()
	if n := size(p.state); n > MaxState+8<<10 {
		t.Errorf("%d bytes", n)
	}
	if r := p.state.Stages["s0"].Open.Result; len(r.Data) != MaxData || r.Text != "" {
		t.Errorf("%+v", r)
	}
	if r := p.state.Stages["s39"].Open.Result; r.Data != nil || !strings.HasPrefix(r.Text, "its answer is left out: with it the run's state has") {
		t.Errorf("%+v", r)
	}
	p.spec.Stages = append(p.spec.Stages, stage("last check ok"))
	p.settle()
	if why := p.state.Stages["last"].Why; !strings.HasPrefix(why, "with it the run's state has") {
		t.Error(why)
	}
	for _, bad := range []string{"no", string(long) + " "} {
		p = newPlay(t, stage("a release v2")).settle()
		p.in.Results = []Result{{ID: "u/a/1/1", OK: true, Text: "ok", Data: json.RawMessage(bad)}}
		p.settle()
		if r := p.state.Stages["a"].Open.Result; r.Data != nil || !strings.HasSuffix(r.Text, "; ok") {
			t.Errorf("%+v", r)
		}
	}
}

// The outputs of a run fit into its record; the stage that brings too many fails.
func TestOutputsAreBounded(t *testing.T) {
	var many []v1alpha1.Stage
	for i := range 13 {
		many = append(many, stage(fmt.Sprintf("s%d check full", i)))
	}
	p := newPlay(t, many...).settle()
	if want := "s12: with its outputs those of the run have"; p.state.Phase != v1alpha1.RunFailed || !strings.HasPrefix(p.state.Why, want) {
		t.Errorf("%s: %s", p.state.Phase, p.state.Why)
	}
}

func TestBadOutcomes(t *testing.T) {
	for what, want := range map[string]string{
		"check big":    "at most 4096 of each",
		"check list":   "is no JSON object",
		"wait ${gone}": "for: nothing of this name",
	} {
		p := newPlay(t, stage("a "+what)).settle().want("Failed: a=Failed")
		if !strings.Contains(p.state.Why, want) {
			t.Errorf("%s: %s", what, p.state.Why)
		}
	}
}
