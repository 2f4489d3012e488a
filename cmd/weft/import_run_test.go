package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
	"weft.dev/release/guard"
	"weft.dev/release/pipeline"
	"weft.dev/release/stage"
	"weft.dev/release/trigger"
)

// decided runs a pipeline of examples/spinnaker, in virtual time, until it ends or
// has something to do outside; a person who is asked chooses choice.
func decided(t *testing.T, spec *v1alpha1.PipelineSpec, parameters map[string]string, choice string) (pipeline.State, []pipeline.Action) {
	t.Helper()
	evaluator, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	with := pipeline.With{Stages: stage.All(), Eval: evaluator}
	state := pipeline.State{}
	in := pipeline.Input{Now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	in.Run = pipeline.Run{UID: "u", Namespace: "default", Name: "run", Pipeline: "p", Parameters: parameters, Trigger: v1alpha1.TriggerFact{Type: "manual", By: "ann"}}
	for range 100 {
		step := pipeline.Next(spec, state, in, with)
		for _, e := range step.Events {
			state = pipeline.Apply(state, e)
		}
		in.Decisions = nil
		for name, s := range state.Stages {
			if s.Phase == pipeline.Asking {
				in.Decisions = []pipeline.Decision{{Name: "d", Verb: pipeline.Judge, Stage: name, Attempt: s.Attempt, Choice: choice, By: "bob", Groups: []string{"qa"}}}
			}
		}
		if len(step.Actions) > 0 || step.Wake.IsZero() {
			return state, step.Actions
		}
		if step.Wake.After(in.Now) {
			in.Now = step.Wake
		}
	}
	t.Fatalf("it never comes to rest: %+v", state)
	return state, nil
}

// TestSpinnakerRuns: what an import makes runs as it did there.
func TestSpinnakerRuns(t *testing.T) {
	result, err := importFiles([]string{"../../examples/spinnaker/ship.json"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ship, tell := &result.Pipelines[0].Spec, &result.Pipelines[1].Spec
	state, actions := decided(t, ship, map[string]string{"version": "V2", "soak_seconds": "90"}, "go")
	if len(actions) != 1 || actions[0].Stage != "tell" {
		t.Fatalf("%s: it does %+v", state.Why, actions)
	}
	if work := runs(t, actions[0]); work.Pipeline != "shop-tell" || !maps.Equal(work.Parameters, map[string]v1alpha1.Value{"what": "V2"}) {
		t.Errorf("it runs %+v", work)
	}
	if image := string(state.Stages["names"].Outputs["image"]); image != `"example.com/shop:v2"` {
		t.Errorf("image %s", image)
	}
	if soaked := state.Stages["soak"].Ended.Sub(state.Stages["soak"].Started); soaked != 90*time.Second {
		t.Errorf("it soaked for %v", soaked)
	}
	state, _ = decided(t, ship, map[string]string{"version": "v2"}, "go slowly")
	if state.Phase != v1alpha1.RunFailed || !strings.Contains(state.Stages["went-well"].Why, "somebody wants to go slowly") {
		t.Errorf("it is %s: %+v", state.Phase, state.Stages["went-well"])
	}
	if state, _ = decided(t, tell, map[string]string{"what": "v2"}, ""); state.Phase != v1alpha1.RunSucceeded {
		t.Errorf("the child is %s: %s", state.Phase, state.Why)
	}
}

func runs(t *testing.T, a pipeline.Action) (work pipeline.RunWork) {
	t.Helper()
	if err := json.Unmarshal(a.Data, &work); err != nil {
		t.Fatal(err)
	}
	return work
}

// TestSpinnakerExample: the example asks a person, and then has a canary release made.
func TestSpinnakerExample(t *testing.T) {
	result, err := importFiles([]string{"../../examples/spinnaker/reviews.json"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c := result.Report.Coverage(); c.Kept > 0 || c.Stages != 6 {
		t.Errorf("%s: %+v", c, result.Report.Items)
	}
	spec := &result.Pipelines[0].Spec
	state, actions := decided(t, spec, map[string]string{"version": "v3", "deploy": "no"}, "continue")
	if len(actions) != 1 || actions[0].Stage != "canary" {
		t.Fatalf("%s: it does %+v", state.Why, actions)
	}
	var work pipeline.ReleaseWork
	if err := json.Unmarshal(actions[0].Data, &work); err != nil {
		t.Fatal(err)
	}
	if work.Application != "reviews" || work.Version != "v3" || work.Strategy.Type != v1alpha1.Canary || !slices.Equal(work.Strategy.Steps, []int32{5, 25, 50, 100}) {
		t.Errorf("it releases %+v", work)
	}
	if state.Stages["deploy"].Phase != pipeline.Skipped {
		t.Errorf("the deploy is %+v", state.Stages["deploy"])
	}
	_, actions = decided(t, spec, map[string]string{"version": "v3", "deploy": "yes"}, "continue")
	if len(actions) != 1 || actions[0].Kind != pipeline.ApplyObjects || !strings.Contains(string(actions[0].Data), `reviews-v3`) {
		t.Errorf("it does %+v", actions)
	}
}

// TestSpinnakerChecks: whatever is imported can run, but for what it says itself.
func TestSpinnakerChecks(t *testing.T) {
	evaluator, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	kinds := stage.All()
	kinds["analysis"] = kinds["wait"]
	result, err := importFiles([]string{"../../examples/spinnaker/reviews.json", "../../examples/spinnaker/ship.json", "../../release/spinnaker/testdata/shop.json", "testdata/every.json"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Pipelines {
		with := pipeline.With{Stages: kinds, Eval: evaluator}
		for _, problem := range slices.Concat(pipeline.Check(&p.Spec, with), trigger.Check(&p.Spec, evaluator), guard.Check(&p.Spec)) {
			t.Errorf("%s: %s: %s", p.Name, problem.Path, problem.Message)
		}
		for _, one := range p.Spec.Triggers {
			if !one.Disabled {
				t.Errorf("%s: trigger %s is on", p.Name, one.Name)
			}
		}
	}
	if c := result.Report.Coverage(); c.Kept != 1 {
		t.Errorf("%s", c)
	}
}
