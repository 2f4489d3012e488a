package runner_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// TestTurns starts more runs than may go at the same time, and kills programs meanwhile.
func TestTurns(t *testing.T) {
	for seed := range uint64(12) {
		inWorld(t, func(w *world) {
			w.pipeline("busy", v1alpha1.Concurrency{Max: 2}, waits("a", "3s"), waits("b", "3s", "a"))
			most := w.mostAtOnce()
			for i := range 6 {
				w.run(fmt.Sprintf("busy-%d", i), "busy")
			}
			for i := range 6 {
				w.check(w.until(fmt.Sprintf("busy-%d", i), settled))
			}
			if most.Load() != 2 {
				t.Errorf("seed %d: %d runs at once, want 2", seed, most.Load())
			}
		}, chance(float64(seed%3)*0.03, seed))
	}
}

// mostAtOnce counts the runs that are under way at the same time, as they are stored.
func (w *world) mostAtOnce() *atomic.Int64 {
	var most atomic.Int64
	busy := map[string]bool{}
	w.runs.Watch(func(o *v1alpha1.PipelineRun, _ bool) {
		busy[o.Name] = o.Status.Phase == v1alpha1.RunRunning
		n := int64(0)
		for _, is := range busy {
			if is {
				n++
			}
		}
		most.Store(max(most.Load(), n))
	})
	return &most
}

// TestFullPipelines: what a run does while another one goes on is said by its pipeline.
func TestFullPipelines(t *testing.T) {
	for full, want := range map[string][3]string{
		"wait":    {"Succeeded", "Succeeded", "Succeeded"},
		"replace": {"Succeeded", "Cancelled replaced", "Succeeded"},
		"refuse":  {"Succeeded", "Cancelled refused", "Cancelled refused"},
	} {
		inWorld(t, func(w *world) {
			w.pipeline("p", v1alpha1.Concurrency{Full: full}, waits("a", "5s"))
			for i := range 3 {
				w.run(fmt.Sprintf("p-%d", i), "p")
				time.Sleep(time.Second) // virtual: ages are whole seconds
			}
			for i, end := range want {
				o := w.until(fmt.Sprintf("p-%d", i), settled)
				if got := fmt.Sprintf("%s %s", o.Status.Phase, o.Status.Why); !strings.HasPrefix(got, end) {
					t.Errorf("%s: run %d is %s, want %s", full, i, got, end)
				}
			}
		}, never)
	}
}

// TestDeleted deletes a run whose release is under way: that is taken back before
// the run goes, and nothing of the run is left.
func TestDeleted(t *testing.T) {
	atEachMoment(t, func(w *world) {
		w.takes = time.Hour
		w.pipeline("ship", v1alpha1.Concurrency{}, waits("prepare", "1s"), ships("ship", "prepare"))
		o := w.run("ship-1", "ship")
		w.until("ship-1", func(*v1alpha1.PipelineRun) bool { return w.released() == "Progressing " })
		w.decide(o, "judge", "ship", "bob")
		w.runs.Delete("shop", "ship-1")
		w.until("ship-1", func(o *v1alpha1.PipelineRun) bool { return o == nil })
		if got := w.released(); got != "RolledBack " {
			w.t.Errorf("the releases are %q", got)
		}
		if !w.quiet { // what a killed program leaves, the cluster's owner references clear away
			return
		}
		time.Sleep(time.Second)
		if blobs, decisions := w.blobs.List(""), w.decisions.List(""); len(blobs)+len(decisions) > 0 {
			w.t.Errorf("%d blobs and %d decisions are left", len(blobs), len(decisions))
		}
	})
}

// released are the phases of all releases.
func (w *world) released() (phases string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.releases {
		phases += string(r.phase) + " "
	}
	return phases
}

// TestRetention keeps the newest runs of each pipeline for a while, and nothing of the others.
func TestRetention(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pipeline("a", v1alpha1.Concurrency{}, waits("a", "1s"))
		w.pipeline("b", v1alpha1.Concurrency{}, waits("b", "1s"))
		w.run("b-0", "b")
		for i := range 55 {
			w.run(fmt.Sprintf("a-%d", i), "a")
			w.until(fmt.Sprintf("a-%d", i), settled)
		}
		w.decide(w.until("a-0", settled), "judge", "a", "bob")
		time.Sleep(2 * time.Hour) // virtual
		if runs, blobs := len(w.runs.List("")), len(w.blobs.List("")); runs != 51 || blobs != 51 || len(w.decisions.List("")) != 0 {
			t.Errorf("%d runs, %d blobs and %d decisions are left, want 51, 51 and 0", runs, blobs, len(w.decisions.List("")))
		}
		if o, _ := w.runs.Get("shop", "a-4"); o != nil {
			t.Error("an older run is kept instead of a newer one")
		}
		time.Sleep(31 * 24 * time.Hour)
		if runs, blobs := len(w.runs.List("")), len(w.blobs.List("")); runs+blobs > 0 {
			t.Errorf("%d runs and %d blobs are left after a month", runs, blobs)
		}
	}, never)
}

// TestUnfit: a run that cannot go on ends, and says why.
func TestUnfit(t *testing.T) {
	for name, broken := range map[string]struct {
		do  func(w *world)
		why string
	}{
		"no pipeline":      {func(w *world) { w.run("p-1", "nobody") }, "there is no Pipeline nobody in namespace shop"},
		"no definition":    {func(w *world) { w.resume(`{"phase":"Running","seq":7}`) }, "its definition, Blob b-1, is gone"},
		"unreadable state": {func(w *world) { w.resume(`[]`) }, "status.state cannot be read"},
		"bad definition": {func(w *world) {
			w.blobs.Create(&v1alpha1.Blob{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "b-1"}, Spec: v1alpha1.BlobSpec{Data: []byte("no gzip")}})
			w.resume(`{"phase":"Running"}`)
		}, "Blob b-1: "},
	} {
		inWorld(t, func(w *world) {
			broken.do(w)
			if o := w.until("p-1", settled); o.Status.Phase != v1alpha1.RunFailed || !strings.HasPrefix(o.Status.Why, broken.why) {
				t.Errorf("%s: %s: %s", name, o.Status.Phase, o.Status.Why)
			}
		}, never)
	}
}

// resume adds a run that another program began.
func (w *world) resume(state string) {
	o := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p-1", Finalizers: []string{"weft.dev/pipelinerun"}}}
	o.Spec.Pipeline = "p"
	o.Status.Phase, o.Status.Definition = v1alpha1.RunRunning, "b-1"
	o.Status.State = &runtime.RawExtension{Raw: []byte(state)}
	o.Status.Events = []v1alpha1.RunEvent{{Seq: 1, Kind: "RunStarted"}}
	w.runs.Create(o)
}

// TestPinned: a run goes on as it began, whatever becomes of its pipeline.
func TestPinned(t *testing.T) {
	atEachMoment(t, func(w *world) {
		w.pipeline("p", v1alpha1.Concurrency{}, waits("a", "2s"), waits("b", "2s", "a"))
		w.run("p-1", "p")
		w.until("p-1", func(o *v1alpha1.PipelineRun) bool { return phase(o, "a") != "" })
		w.pipelines.Delete("shop", "p")
		o := w.until("p-1", settled)
		w.check(o)
		if phase(o, "b") != string(pipeline.Succeeded) {
			w.t.Errorf("b is %q", phase(o, "b"))
		}
	})
}

// TestUnsureActions: what may be repeated is, until it is known to have happened;
// what may not is put before a person.
func TestUnsureActions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.faults = 4
		w.pipeline("p", v1alpha1.Concurrency{}, calls("note", "https://chat", true))
		w.run("p-1", "p")
		w.check(w.until("p-1", settled))
		w.faults = 1
		w.pipeline("q", v1alpha1.Concurrency{}, calls("call", "https://ci", false))
		o := w.run("q-1", "q")
		w.until("q-1", asks("call"))
		if w.asked[string(o.UID)+"/call/1/1"] != 1 {
			t.Errorf("%v", w.asked)
		}
	}, never)
}

// TestHanging: who never answers holds nobody up for longer than an action may take.
func TestHanging(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pipeline("p", v1alpha1.Concurrency{}, calls("call", "https://hangs", false), waits("beside", "2s"))
		o := w.run("p-1", "p")
		began := time.Now()
		w.until("p-1", func(o *v1alpha1.PipelineRun) bool { return phase(o, "beside") == string(pipeline.Succeeded) })
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the stage beside it took %v", took)
		}
		w.decide(o, "cancel", "", "bob")
		if o = w.until("p-1", settled); o.Status.Phase != v1alpha1.RunCancelled || time.Since(began) > 2*time.Minute {
			t.Errorf("%s after %v: %s", o.Status.Phase, time.Since(began), o.Status.Why)
		}
	}, never)
}

// TestStrayDecisions: nobody is left without an answer.
func TestStrayDecisions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.pipeline("p", v1alpha1.Concurrency{}, v1alpha1.Stage{Name: "ask", Judgment: &v1alpha1.JudgmentStage{}})
		nobody := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "nobody", UID: "x"}}
		w.decide(nobody, "judge", "ask", "bob")
		o := w.until(w.run("p-1", "p").Name, asks("ask"))
		o.UID = "another"
		w.decide(o, "judge", "ask", "bob")
		all := w.answers()
		if all["nobody-judge-ask-0-bob"] != "false there is no PipelineRun shop/nobody" || !strings.HasPrefix(all["p-1-judge-ask-1-bob"], "false it is about another run") {
			t.Errorf("%v", all)
		}
	}, never)
}
