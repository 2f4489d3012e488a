package stage

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
	"weft.dev/release/pipeline"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// input is what a stage a of a run that alice started decides from.
func input(t *testing.T, config any) pipeline.StageInput {
	t.Helper()
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	env := pipeline.Env{"params": map[string]any{"version": "v2"}, "vars": map[string]any{"n": 1.0}, "stages": map[string]any{}}
	if config, err = eval.Expand(config, env); err != nil {
		t.Fatal(err)
	}
	return pipeline.StageInput{
		Now: noon, Started: noon.Add(-time.Minute), Name: "a", Attempt: 1, Config: config, Env: env, Eval: eval,
		Run: pipeline.Run{
			UID: "u", Namespace: "shop", Name: "ship-1", Pipeline: "ship", Application: "reviews",
			Trigger: v1alpha1.TriggerFact{Type: pipeline.Manual, By: "alice", Groups: []string{"dev"}, Facts: map[string]v1alpha1.Value{"commit": "c0ffee"}},
		},
	}
}

// shown is an outcome in one line: PHASE: WHY OUTPUTS [ACTION] {ANSWERS}.
func shown(out pipeline.StageOutcome) string {
	text := fmt.Sprintf("%s: %s", out.Phase, out.Why)
	if out.Outputs != nil {
		text += " " + string(out.Outputs)
	}
	if out.Act != nil {
		text += " [" + out.Act.Kind + "]"
	}
	for _, a := range out.Answers {
		text += fmt.Sprintf(" {%s %v %s}", a.Decision, a.Accepted, a.Why)
	}
	return text
}

func want(t *testing.T, out pipeline.StageOutcome, text string) {
	t.Helper()
	if got := shown(out); got != text {
		t.Errorf("\n     %s\nwant %s", got, text)
	}
}

// with is what is known about the last action of the stage.
func with(in pipeline.StageInput, kind string, r *pipeline.Result) pipeline.StageInput {
	in.Open = &pipeline.Open{ID: "u/a/1/1", Kind: kind, Result: r}
	return in
}

func saw(in pipeline.StageInput, key string, data any) pipeline.StageInput {
	in.Facts = map[string]pipeline.Fact{key: {At: noon, Data: encode(data)}}
	return in
}

func mustEnd(in pipeline.StageInput) pipeline.StageInput {
	in.Cancel = "cancelled by bob"
	return in
}

func dataOf[T any](t *testing.T, raw json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKinds: every kind of the API has code, and each ends where it has nothing to take back.
func TestKinds(t *testing.T) {
	all, kinds := All(), reflect.TypeFor[v1alpha1.Stage]()
	n := 0
	for i := range kinds.NumField() {
		f := kinds.Field(i)
		if f.Type.Kind() != reflect.Pointer || f.Name == "Timeout" {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		n++
		s, ok := all[name]
		if !ok {
			t.Errorf("%s has no code", name)
			continue
		}
		in := mustEnd(input(t, reflect.New(f.Type.Elem()).Interface()))
		out := s.Next(in)
		if out.Phase != pipeline.Cancelled || out.Why != "cancelled by bob" || out.Act != nil {
			t.Errorf("%s: %s", name, shown(out))
		}
	}
	if n != len(all) {
		t.Errorf("%d kinds of %d have a field", n, len(all))
	}
}

func TestWait(t *testing.T) {
	in := input(t, &v1alpha1.WaitStage{For: "${'5'}m"})
	out := wait{}.Next(in)
	want(t, out, "Running: waits until 2026-03-01T12:04:00Z")
	if !out.Wake.Equal(noon.Add(4 * time.Minute)) {
		t.Error(out.Wake)
	}
	in.Decisions = []pipeline.Decision{{Name: "d1", Verb: pipeline.Judge, By: "bob"}, {Name: "d2", Verb: pipeline.Skip, By: "bob"}}
	want(t, wait{}.Next(in), "Succeeded: skipped by bob {d2 true }")
	in.Now = noon.Add(4 * time.Minute)
	want(t, wait{}.Next(in), "Succeeded: ")
	want(t, wait{}.Next(input(t, &v1alpha1.WaitStage{For: "90"})), `Failed: for: "90" is no duration: write it as 90s, 10m or 1h30m`)
	want(t, wait{}.Next(input(t, &v1alpha1.WaitStage{For: "-1m"})), `Failed: for: "-1m" is no duration: write it as 90s, 10m or 1h30m`)
}

func TestCheckStage(t *testing.T) {
	for expression, text := range map[string]string{
		`params.version == "v2"`: "Succeeded: ",
		`params.version == "v1"`: `Failed: it is not true: params.version == "v1"`,
		`params.gone == "v1"`:    `Failed: expression "params.gone == \"v1\"": no such key: gone`,
		`vars.n`:                 `Failed: expression "vars.n" gives double: it has to be true or false`,
	} {
		want(t, check{}.Next(input(t, &v1alpha1.CheckStage{Expression: expression})), text)
	}
	want(t, check{}.Next(input(t, &v1alpha1.CheckStage{Expression: "false", Message: "not ${params.version}"})), "Failed: not v2")
	want(t, unsupported{}.Next(input(t, &v1alpha1.UnsupportedStage{Type: "bake"})), `Failed: stages of type "bake" cannot run here: replace it, or take it out`)
}

func TestVariables(t *testing.T) {
	set := func(pairs ...string) *v1alpha1.VariablesStage {
		s := &v1alpha1.VariablesStage{}
		for i := 0; i < len(pairs); i += 2 {
			s.Set = append(s.Set, v1alpha1.Variable{Name: pairs[i], Value: pairs[i+1]})
		}
		return s
	}
	in := input(t, set("image", "shop:${params.version}", "m", "${vars.n + 1}", "all", "${[vars.m, vars.image]}", "plain", "7", "none", "${null}"))
	want(t, variables{}.Next(in), `Succeeded:  {"all":[2,"shop:v2"],"image":"shop:v2","m":2,"none":null,"plain":"7"}`)
	if len(in.Env["vars"].(map[string]any)) != 1 {
		t.Error("it changed what others see")
	}
	want(t, variables{}.Next(input(t, set("a", "${1}", "b", "${vars.c}"))), `Failed: b: expression "vars.c": no such key: c`)
}

func TestJudgment(t *testing.T) {
	by := func(name, choice string, groups ...string) pipeline.Decision {
		return pipeline.Decision{Name: name, Verb: pipeline.Judge, Stage: "a", Attempt: 1, Choice: choice, By: name, Groups: groups}
	}
	options := &v1alpha1.JudgmentStage{Instructions: "which?", Options: []string{"eu", "us"}}
	roles := &v1alpha1.JudgmentStage{Roles: []string{"qa", "ops"}}
	cron := func(r *pipeline.Run) { r.Trigger = v1alpha1.TriggerFact{Type: "cron"} }
	push := func(r *pipeline.Run) {
		r.Trigger = v1alpha1.TriggerFact{Type: "git", By: "weft:git", Facts: map[string]v1alpha1.Value{"author": "carol"}}
	}
	nobody := func(r *pipeline.Run) { r.Trigger.By = "" }
	for name, c := range map[string]struct {
		config    *v1alpha1.JudgmentStage
		run       func(*pipeline.Run)
		decisions []pipeline.Decision
		want      string
	}{
		"none":        {options, nil, nil, "Asking: which? (eu, us)"},
		"yes":         {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{by("bob", "continue")}, `Succeeded: bob: continue {"by":"bob","choice":"continue","reason":""} {bob true }`},
		"no":          {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{{Name: "d", Verb: "judge", By: "bob", Choice: "stop", Reason: "red"}}, `Failed: stopped by bob: red {"by":"bob","choice":"stop","reason":"red"} {d true }`},
		"self":        {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{by("alice", "continue")}, "Asking: may the run go on? {alice false alice started the run: somebody else has to judge it}"},
		"self stops":  {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{by("alice", "stop")}, "Asking: may the run go on? {alice false alice started the run: somebody else has to judge it}"},
		"self may":    {&v1alpha1.JudgmentStage{AllowSelf: true}, nil, []pipeline.Decision{by("alice", "continue")}, `Succeeded: alice: continue {"by":"alice","choice":"continue","reason":""} {alice true }`},
		"anonymous":   {&v1alpha1.JudgmentStage{AllowSelf: true}, nil, []pipeline.Decision{by("", "continue")}, "Asking: may the run go on? { false nobody vouches for who you are}"},
		"whose run":   {&v1alpha1.JudgmentStage{}, nobody, []pipeline.Decision{by("bob", "continue")}, "Asking: may the run go on? {bob false a person started the run, and nobody knows who: it could be you}"},
		"a timer's":   {&v1alpha1.JudgmentStage{}, cron, []pipeline.Decision{by("bob", "continue")}, `Succeeded: bob: continue {"by":"bob","choice":"continue","reason":""} {bob true }`},
		"her push":    {&v1alpha1.JudgmentStage{}, push, []pipeline.Decision{by("carol", "continue")}, "Asking: may the run go on? {carol false carol pushed what the run is for: somebody else has to judge it}"},
		"a push":      {&v1alpha1.JudgmentStage{}, push, []pipeline.Decision{by("bob", "continue")}, `Succeeded: bob: continue {"by":"bob","choice":"continue","reason":""} {bob true }`},
		"no role":     {roles, nil, []pipeline.Decision{by("bob", "continue", "dev")}, "Asking: may the run go on? {bob false bob is in none of the groups that may judge: qa, ops}"},
		"one role":    {roles, nil, []pipeline.Decision{by("bob", "continue", "dev", "ops")}, `Succeeded: bob: continue {"by":"bob","choice":"continue","reason":""} {bob true }`},
		"role, self":  {roles, nil, []pipeline.Decision{by("alice", "continue", "ops")}, "Asking: may the run go on? {alice false alice started the run: somebody else has to judge it}"},
		"option":      {options, nil, []pipeline.Decision{by("bob", "us")}, `Succeeded: bob: us {"by":"bob","choice":"us","reason":""} {bob true }`},
		"no option":   {options, nil, []pipeline.Decision{by("bob", "continue")}, `Asking: which? (eu, us) {bob false "continue" is no choice: choose one of eu, us, stop}`},
		"no choice":   {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{by("bob", "")}, `Asking: may the run go on? {bob false "" is no choice: choose one of continue, stop}`},
		"first wins":  {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{by("alice", "stop"), by("bob", "continue"), by("carol", "stop")}, `Succeeded: bob: continue {"by":"bob","choice":"continue","reason":""} {alice false alice started the run: somebody else has to judge it} {bob true } {carol false bob has judged already}`},
		"other verbs": {&v1alpha1.JudgmentStage{}, nil, []pipeline.Decision{{Name: "d", Verb: "skip", By: "bob", Choice: "continue"}}, "Asking: may the run go on?"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, c.config)
			if c.run != nil {
				c.run(&in.Run)
			}
			in.Decisions = c.decisions
			want(t, judgment{}.Next(in), c.want)
		})
	}
}
