package stage

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
	"weft.dev/release/pipeline"
)

// story is a run of real stages whose world is the test.
type story struct {
	t     *testing.T
	spec  *v1alpha1.PipelineSpec
	with  pipeline.With
	state pipeline.State
	in    pipeline.Input
	last  pipeline.Step
}

func newStory(t *testing.T, stages ...v1alpha1.Stage) *story {
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, spec: &v1alpha1.PipelineSpec{Application: "reviews", Stages: stages}, with: pipeline.With{Stages: All(), Eval: eval}}
	s.in = pipeline.Input{Now: noon, Facts: map[string]pipeline.Fact{}, Run: input(t, nil).Run}
	s.in.Run.Parameters = map[string]string{"version": "v2"}
	s.spec.Parameters = []v1alpha1.Parameter{{Name: "version", Required: true}}
	return s
}

// next goes on until nothing more happens, and forgets what was said.
func (s *story) next() *story {
	s.t.Helper()
	for range 20 {
		s.last = pipeline.Next(s.spec, s.state, s.in, s.with)
		for _, e := range s.last.Events {
			s.state = pipeline.Apply(s.state, e)
		}
		if len(s.in.Decisions)+len(s.last.Actions) > 0 || len(s.last.Events) == 0 {
			s.in.Decisions = nil
			return s
		}
	}
	s.t.Fatal("it never comes to rest")
	return nil
}

func (s *story) say(d pipeline.Decision) pipeline.Answer {
	s.t.Helper()
	s.in.Decisions = []pipeline.Decision{d}
	s.next()
	if len(s.last.Answers) != 1 {
		s.t.Fatalf("%+v", s.last.Answers)
	}
	a := s.last.Answers[0]
	s.next()
	return a
}

func (s *story) phases() string {
	text := string(s.state.Phase)
	for _, stage := range s.spec.Stages {
		text += " " + stage.Name + "=" + string(s.state.Stages[stage.Name].Phase)
	}
	return text
}

func (s *story) want(text string) {
	s.t.Helper()
	if got := s.phases(); got != text {
		s.t.Fatalf("%s (%s)\nwant %s", got, s.state.Why, text)
	}
}

// TestFourEyes: no starter, no decision of another attempt, and no second one gets through.
func TestFourEyes(t *testing.T) {
	s := newStory(t,
		v1alpha1.Stage{Name: "ask", Judgment: &v1alpha1.JudgmentStage{Roles: []string{"qa"}}},
		v1alpha1.Stage{Name: "go", After: []string{"ask"}, Check: &v1alpha1.CheckStage{Expression: `stages.ask.outputs.by == "bob"`}})
	s.next().want("Asking ask=Asking go=")
	d := pipeline.Decision{Name: "d1", Verb: pipeline.Judge, Stage: "ask", Attempt: 1, Choice: "continue", By: "alice", Groups: []string{"qa"}}
	if a := s.say(d); a.Accepted || !strings.Contains(a.Why, "alice started the run") {
		t.Errorf("%+v", a)
	}
	d.Name, d.By, d.Choice = "d2", "bob", "stop"
	if a := s.say(d); !a.Accepted {
		t.Errorf("%+v", a)
	}
	s.want("Failed ask=Failed go=")

	s = newStory(t, s.spec.Stages...)
	s.spec.Stages[0].OnFailure = v1alpha1.FailLater
	s.spec.Stages = append(s.spec.Stages, v1alpha1.Stage{Name: "long", Wait: &v1alpha1.WaitStage{For: "1h"}})
	s.next()
	s.say(d)
	retry := pipeline.Decision{Name: "d3", Verb: pipeline.Retry, Stage: "ask", Attempt: 1, By: "bob"}
	if a := s.say(retry); !a.Accepted {
		t.Fatalf("%+v", a)
	}
	s.want("Asking ask=Asking go= long=Running")
	d.Name, d.Choice = "d4", "continue"
	if a := s.say(d); a.Accepted || !strings.Contains(a.Why, "attempt 1") {
		t.Errorf("a decision on the attempt before was replayed: %+v", a)
	}
	d.Name, d.Attempt = "d5", 2
	if a := s.say(d); !a.Accepted {
		t.Errorf("%+v", a)
	}
	s.want("Running ask=Succeeded go=Succeeded long=Running")
	d.Name = "d6"
	if a := s.say(d); a.Accepted {
		t.Errorf("%+v", a)
	}
}

// TestTooLate: nobody's word counts after the time for it.
func TestTooLate(t *testing.T) {
	s := newStory(t, v1alpha1.Stage{Name: "ask", Judgment: &v1alpha1.JudgmentStage{}})
	s.next()
	s.in.Now = noon.Add(73 * time.Hour)
	d := pipeline.Decision{Name: "d1", Verb: pipeline.Judge, Stage: "ask", Attempt: 1, Choice: "continue", By: "bob"}
	if a := s.say(d); a.Accepted {
		t.Errorf("%+v", a)
	}
	s.want("Failed ask=Failed")
}

// TestShip: what a stage finds out is what a later one reads, and a child is made once.
func TestShip(t *testing.T) {
	s := newStory(t,
		v1alpha1.Stage{Name: "names", Variables: &v1alpha1.VariablesStage{Set: []v1alpha1.Variable{{Name: "tag", Value: "${params.version}"}, {Name: "n", Value: "${size(vars.tag)}"}}}},
		v1alpha1.Stage{Name: "tell", After: []string{"names"}, When: "vars.n == 2", Webhook: &v1alpha1.WebhookStage{URL: "https://ci/${vars.tag}"}},
		v1alpha1.Stage{Name: "shift", After: []string{"tell"}, Release: &v1alpha1.ReleaseStage{Version: "${stages.tell.outputs.body.version}"}},
		v1alpha1.Stage{Name: "old", After: []string{"shift"}, When: "vars.n > 2", Unsupported: &v1alpha1.UnsupportedStage{Type: "bake"}})
	s.next().want("Running names=Succeeded tell=Running shift= old=")
	if len(s.last.Actions) != 1 || !strings.Contains(string(s.last.Actions[0].Data), "https://ci/v2") {
		t.Fatalf("%+v", s.last.Actions)
	}
	s.in.Results = []pipeline.Result{*answers(200, `{"version":"v2"}`)}
	s.in.Results[0].ID = s.last.Actions[0].ID
	s.next().want("Running names=Succeeded tell=Succeeded shift=Running old=")
	if len(s.last.Actions) != 1 || s.last.Actions[0].Kind != pipeline.CreateRelease {
		t.Fatalf("%+v", s.last.Actions)
	}
	s.in.Results = []pipeline.Result{{ID: s.last.Actions[0].ID, OK: true}}
	s.next()
	if len(s.last.Looks) != 1 {
		t.Fatalf("%+v", s.last.Looks)
	}
	seen, _ := json.Marshal(pipeline.ReleaseSeen{Phase: v1alpha1.ReleaseSucceeded, Weight: 100})
	maps.Copy(s.in.Facts, map[string]pipeline.Fact{s.last.Looks[0].Key: {At: noon, Data: seen}})
	s.next().want("Succeeded names=Succeeded tell=Succeeded shift=Succeeded old=Skipped")
}

// TestNoCode: a pipeline with a stage that nobody can run does not begin, and its name is said.
func TestNoCode(t *testing.T) {
	s := newStory(t, v1alpha1.Stage{Name: "ok", Wait: &v1alpha1.WaitStage{For: "1s"}}, v1alpha1.Stage{Name: "compare", Analysis: &v1alpha1.AnalysisStage{New: "v2"}})
	delete(s.with.Stages, "analysis")
	s.next().want("Failed ok= compare=")
	if !strings.Contains(s.state.Why, `compare: stages of kind "analysis" cannot run here`) {
		t.Error(s.state.Why)
	}
}

// TestBadExpressions: what is wrong with an expression in any field is known before a run begins.
func TestBadExpressions(t *testing.T) {
	s := newStory(t,
		v1alpha1.Stage{Name: "a", Check: &v1alpha1.CheckStage{Expression: "params.version"}},
		v1alpha1.Stage{Name: "b", Webhook: &v1alpha1.WebhookStage{URL: "https://${host}", Poll: &v1alpha1.WebhookPoll{URL: "${", Succeeded: "body.ok &&"}}},
		v1alpha1.Stage{Name: "c", Variables: &v1alpha1.VariablesStage{Set: []v1alpha1.Variable{{Name: "x", Value: "${now()}"}}}})
	var got []string
	for _, p := range pipeline.Check(s.spec, s.with) {
		got = append(got, strings.TrimPrefix(p.Path, "spec.stages"))
	}
	if text := strings.Join(got, " "); text != "[0].check.expression [1].webhook.poll.succeeded [1].webhook.poll.url [1].webhook.url [2].variables.set[0].value" {
		t.Error(text)
	}
}
