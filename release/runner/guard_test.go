package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/release/runner"
)

// guarded is the rails of one run in the world.
type guarded struct {
	*world
	by string
}

func (w *world) rails(_ context.Context, o *v1alpha1.PipelineRun, _ *v1alpha1.PipelineSpec) (runner.Rails, error) {
	return guarded{w, o.Spec.Trigger.By}, nil
}

func (g guarded) Begin() string {
	if g.by == "mallory" {
		return "mallory may not"
	}
	return ""
}

func (g guarded) Gate(s *v1alpha1.Stage) pipeline.Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return pipeline.Gate{Open: !g.closed[s.Name], Why: "frozen"}
}

func (g guarded) Object(d pipeline.Decision) string {
	if d.By == "carol" {
		return g.bar
	}
	return ""
}

func (w *world) freeze(stages ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = map[string]bool{}
	for _, s := range stages {
		w.closed[s] = true
	}
}

// A frozen stage waits, is not started by a retry, and goes on soon after the freeze, though
// nothing tells the run; a run is cancelled in the freeze.
func TestRails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.freeze("ship")
		w.pipeline("p", v1alpha1.Concurrency{Max: 5}, waits("a", "1s"), ships("ship", "a"))
		w.run("one", "p")
		other := w.run("two", "p")
		held := func(o *v1alpha1.PipelineRun) bool { return strings.Contains(o.Status.Why, "ship: frozen") }
		w.until("one", held)
		w.until("two", held)
		time.Sleep(time.Hour)
		if got := w.released(); got != "" {
			t.Errorf("released in the freeze: %s", got)
		}
		w.decide(other, "cancel", "", "bob")
		w.until("two", settled)
		thawed := time.Now()
		w.freeze()
		w.until("one", settled)
		if took := time.Since(thawed); took > 15*time.Second || w.released() != "Succeeded " {
			t.Errorf("%s after %s", w.released(), took)
		}
	}, never)
}

// A decision that does not count changes nothing, and says why; so does a run that may not begin.
func TestBarred(t *testing.T) {
	inWorld(t, func(w *world) {
		w.bar = "carol is in none of the groups"
		w.pipeline("p", v1alpha1.Concurrency{}, waits("a", "1h"))
		o := w.until("one", func(o *v1alpha1.PipelineRun) bool {
			if o == nil {
				w.run("one", "p")
			}
			return o != nil && phase(o, "a") == "Running"
		})
		w.decide(o, "retry", "a", "carol")
		w.decide(o, "cancel", "", "carol")
		for name, got := range w.answers() {
			if got != "false "+w.bar {
				t.Errorf("the answer to %s is %q", name, got)
			}
		}
		bad := &v1alpha1.PipelineRun{Spec: v1alpha1.PipelineRunSpec{Pipeline: "q", Trigger: v1alpha1.TriggerFact{By: "mallory"}}}
		bad.Namespace, bad.Name = "shop", "bad"
		w.pipeline("q", v1alpha1.Concurrency{}, waits("a", "1s"))
		if _, err := w.runs.Create(bad); err != nil {
			t.Fatal(err)
		}
		if end := w.until("bad", settled); end.Status.Phase != v1alpha1.RunCancelled || end.Status.Why != "mallory may not" || len(end.Status.Stages) > 0 {
			t.Errorf("%s: %s: %v", end.Status.Phase, end.Status.Why, end.Status.Stages)
		}
	}, never)
}
