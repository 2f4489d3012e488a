package runner_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func waits(name, d string, after ...string) v1alpha1.Stage {
	return v1alpha1.Stage{Name: name, After: after, Wait: &v1alpha1.WaitStage{For: d}}
}

func calls(name, url string, safe bool, after ...string) v1alpha1.Stage {
	return v1alpha1.Stage{Name: name, After: after, Webhook: &v1alpha1.WebhookStage{URL: url, Idempotent: safe}}
}

func ships(name string, after ...string) v1alpha1.Stage {
	return v1alpha1.Stage{Name: name, After: after, Release: &v1alpha1.ReleaseStage{}}
}

// ship is a pipeline with all that a crash can come between.
var ship = []v1alpha1.Stage{
	waits("prepare", "1s"),
	calls("call", "https://ci", false, "prepare"),
	calls("note", "https://chat", true, "prepare"),
	{Name: "ask", After: []string{"call", "note"}, Judgment: &v1alpha1.JudgmentStage{}},
	ships("ship", "ask"),
	waits("settle", "2s", "ship"),
}

// play runs ship; a person decides what is asked. A stage of which nobody knows whether it acted is begun again.
func (w *world) play() {
	w.pipeline("ship", v1alpha1.Concurrency{}, ship...)
	w.run("ship-1", "ship")
	o := w.until("ship-1", func(o *v1alpha1.PipelineRun) bool {
		if asks("call")(o) {
			w.decide(o, "retry", "call", "bob")
		}
		if asks("ask")(o) {
			w.decide(o, "judge", "ask", "alice") // she started it
			w.decide(o, "judge", "ask", "bob")
		}
		return settled(o)
	})
	w.check(o)
	answers := w.answers()
	if bob, alice := answers["ship-1-judge-ask-1-bob"], answers["ship-1-judge-ask-1-alice"]; bob != "true " || alice == "true " {
		w.t.Errorf("who did not start the run was told %q, who did %q", bob, alice)
	}
}

// check wants a run to have ended well, with a whole record and each action done as the record says.
func (w *world) check(o *v1alpha1.PipelineRun) {
	if o.Status.Phase != v1alpha1.RunSucceeded {
		w.t.Errorf("run %s ended as %s: %s", o.Name, o.Status.Phase, o.Status.Why)
	}
	intended, unknown := map[string]int{}, map[string]bool{}
	for _, e := range w.events(o) {
		switch pipeline.Kind(e.Kind) {
		case pipeline.ActionIntended:
			intended[e.Action]++
		case pipeline.ActionUnknown:
			unknown[e.Action] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range intended {
		if n != 1 || w.did[id] == 0 && !unknown[id] || w.quiet && (w.asked[id] != 1 || unknown[id]) {
			w.t.Errorf("%s was intended %d times and done %d times, unknown: %v", id, n, w.did[id], unknown[id])
		}
	}
}

// atEachMoment counts the moments between the operations of a quiet program, and then
// kills it once at each of them.
func atEachMoment(t *testing.T, story func(*world)) {
	var moments atomic.Int64
	inWorld(t, func(w *world) { w.quiet = true; story(w) }, func() func() bool {
		return func() bool { moments.Add(1); return false }
	})
	if t.Failed() || moments.Load() < 30 {
		t.Fatalf("a quiet program has %d moments", moments.Load())
	}
	for k := range moments.Load() {
		var now atomic.Int64
		inWorld(t, story, func() func() bool {
			return func() bool { return now.Add(1) == k+1 }
		})
		if t.Failed() {
			t.Fatalf("killed at moment %d of %d", k+1, moments.Load())
		}
	}
}

// TestKilledAtEachOperation: wherever a crash comes between, the run ends the same.
func TestKilledAtEachOperation(t *testing.T) { atEachMoment(t, (*world).play) }

// TestLastWord: who decides how a run ends learns that it was accepted.
func TestLastWord(t *testing.T) {
	atEachMoment(t, func(w *world) {
		w.pipeline("last", v1alpha1.Concurrency{}, v1alpha1.Stage{Name: "ask", Judgment: &v1alpha1.JudgmentStage{}})
		w.run("last-1", "last")
		w.decide(w.until("last-1", asks("ask")), "judge", "ask", "bob")
		o := w.until("last-1", settled)
		w.check(o)
		w.decide(o, "judge", "ask", "carol")
		if all := w.answers(); all["last-1-judge-ask-1-bob"] != "true " || all["last-1-judge-ask-1-carol"] != "false the run has ended" {
			w.t.Errorf("%v", all)
		}
	})
}

// TestTwoEngines has two programs that both believe to lead, and die now and then.
func TestTwoEngines(t *testing.T) {
	for seed := range uint64(200) {
		inWorld(t, func(w *world) { w.play() }, chance(0.02, seed), chance(0.02, seed+1000))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestChapters kills programs while the events of a run become more than its status holds.
func TestChapters(t *testing.T) {
	stages := []v1alpha1.Stage{waits("s0", "1s")}
	for i := range 59 {
		stages = append(stages, waits(fmt.Sprintf("s%d", i+1), "1s", fmt.Sprintf("s%d", i)))
	}
	for seed := range uint64(8) {
		inWorld(t, func(w *world) {
			w.pipeline("long", v1alpha1.Concurrency{}, stages...)
			w.run("long-1", "long")
			o := w.until("long-1", settled)
			w.check(o)
			if n := len(w.events(o)); n != 122 || o.Status.Sealed < 2 || len(o.Status.Events) >= 64 {
				t.Errorf("seed %d: %d events, %d chapters, %d events in the status", seed, n, o.Status.Sealed, len(o.Status.Events))
			}
		}, chance(float64(seed%4)*0.03, seed))
	}
}
