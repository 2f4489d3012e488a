package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
	"weft.dev/release/runner"
	"weft.dev/test/shelf"
)

// world is the stores, and what runs do outside of them.
type world struct {
	t         *testing.T
	quiet     bool // nobody is killed
	stores    sync.Mutex
	runs      *shelf.Shelf[v1alpha1.PipelineRun]
	decisions *shelf.Shelf[v1alpha1.Decision]
	blobs     *shelf.Shelf[v1alpha1.Blob]
	pipelines *shelf.Shelf[v1alpha1.Pipeline]

	mu       sync.Mutex
	did      map[string]int       // how often each action took effect, by id
	asked    map[string]int       // how often each was asked for
	releases map[string]*released // by name
	faults   int                  // so many actions fail before they happen
	closed   map[string]bool      // stages whose gate is
	bar      string               // why no decision of carol counts
	takes    time.Duration        // a release
}

// released is a release that a stage made.
type released struct {
	at    time.Time
	phase v1alpha1.ReleasePhase
}

// callTime is how long an action takes.
const callTime = 300 * time.Millisecond

func newWorld(t *testing.T) *world {
	w := &world{t: t, did: map[string]int{}, asked: map[string]int{}, releases: map[string]*released{}, takes: 3 * time.Second}
	w.runs = shelf.New[v1alpha1.PipelineRun](&w.stores)
	w.decisions = shelf.New[v1alpha1.Decision](&w.stores)
	w.blobs = shelf.New[v1alpha1.Blob](&w.stores)
	w.pipelines = shelf.New[v1alpha1.Pipeline](&w.stores)
	return w
}

// hand is the world as one process reaches it.
type hand struct {
	*world
	process *shelf.Process
}

func (h hand) Observe(_ context.Context, _ string, l pipeline.Look) (pipeline.Fact, error) {
	return shelf.Op(h.process, func() (pipeline.Fact, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		r := h.releases[nameIn(l.Data)]
		if r == nil {
			return pipeline.Fact{Data: data(pipeline.ReleaseSeen{Missing: true})}, nil
		}
		if r.phase == v1alpha1.ReleaseProgressing && time.Since(r.at) > h.takes {
			r.phase = v1alpha1.ReleaseSucceeded
		}
		return pipeline.Fact{Data: data(pipeline.ReleaseSeen{Phase: r.phase})}, nil
	})
}

func nameIn(raw json.RawMessage) string {
	var c pipeline.Child
	json.Unmarshal(raw, &c)
	return c.Name
}

func (h hand) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	return shelf.Op(h.process, func() (pipeline.Result, error) {
		h.checkIntent(namespace, a)
		time.Sleep(callTime) // virtual
		if strings.Contains(string(a.Data), "hangs") {
			<-ctx.Done()
			return pipeline.Result{}, ctx.Err()
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked[a.ID]++
		if h.faults > 0 {
			h.faults--
			return pipeline.Result{}, errors.New("the connection was lost")
		}
		h.effect(a)
		return pipeline.Result{OK: true}, nil
	})
}

// effect is what an action does: a safe one nothing twice.
func (h hand) effect(a pipeline.Action) {
	switch {
	case a.Kind == pipeline.CreateRelease && h.releases[nameIn(a.Data)] == nil:
		h.releases[nameIn(a.Data)] = &released{time.Now(), v1alpha1.ReleaseProgressing}
	case a.Kind == pipeline.AbortRelease && h.releases[nameIn(a.Data)].phase == v1alpha1.ReleaseProgressing:
		h.releases[nameIn(a.Data)].phase = v1alpha1.ReleaseRolledBack
	case a.Safe && h.did[a.ID] > 0:
		return
	}
	h.did[a.ID]++
}

// checkIntent wants an action to be in the record of its run before it is done.
func (h hand) checkIntent(namespace string, a pipeline.Action) {
	uid, _, _ := strings.Cut(a.ID, "/")
	for _, o := range h.runs.List(namespace) {
		if string(o.UID) != uid {
			continue
		}
		if !slices.ContainsFunc(h.events(o), func(e v1alpha1.RunEvent) bool {
			return e.Kind == string(pipeline.ActionIntended) && e.Action == a.ID
		}) {
			h.t.Errorf("%s is done, and was never stored", a.ID)
		}
	}
}

// events are all of a run, whose numbers must have no gap.
func (w *world) events(o *v1alpha1.PipelineRun) (all []v1alpha1.RunEvent) {
	for n := range o.Status.Sealed {
		b, err := w.blobs.Get(o.Namespace, runner.ChapterName(o.UID, n+1))
		if err != nil {
			w.t.Errorf("chapter %d: %v", n+1, err)
			continue
		}
		events, err := runner.Chapter(b)
		if err != nil {
			w.t.Error(err)
		}
		all = append(all, events...)
	}
	all = append(all, o.Status.Events...)
	for i, e := range all {
		if e.Seq != int64(i+1) {
			w.t.Errorf("event %d of %s has the number %d", i+1, o.Name, e.Seq)
		}
	}
	return all
}

// weft runs engines in the world, one after the other: when one is killed, the next
// starts a second later. Dies gives the fate of each.
func (w *world) weft(ctx context.Context, dies func() func() bool) {
	for ctx.Err() == nil {
		alive, kill := context.WithCancel(ctx)
		w.engine(shelf.NewProcess(kill, dies())).Run(alive) // ends by the kill or the end of the test: its error says only that
		kill()
		time.Sleep(time.Second)
	}
}

func (w *world) engine(p *shelf.Process) *runner.Engine {
	pipelines := shelf.Objects[v1alpha1.Pipeline]{Shelf: w.pipelines, Process: p}
	return runner.New(runner.Options{
		Runs:      shelf.Objects[v1alpha1.PipelineRun]{Shelf: w.runs, Process: p},
		Decisions: shelf.Objects[v1alpha1.Decision]{Shelf: w.decisions, Process: p},
		Blobs:     shelf.Objects[v1alpha1.Blob]{Shelf: w.blobs, Process: p},
		Pipelines: pipelines.Get,
		With:      kinds,
		Worlds:    map[string]runner.World{"release": hand{w, p}, "http": hand{w, p}},
		Rails:     w.rails,
		Leading:   func() bool { return true },
		Now:       time.Now,
		Log:       slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

func never() func() bool { return func() bool { return false } }

func chance(share float64, seed uint64) func() func() bool {
	random := rand.New(rand.NewPCG(seed, 1))
	return func() func() bool { return shelf.Chance(share, random) }
}

// inWorld tells a story in virtual time, with as many programs at once as have a fate.
func inWorld(t *testing.T, story func(*world), fates ...func() func() bool) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := newWorld(t)
		var all sync.WaitGroup
		for _, dies := range fates {
			all.Go(func() { w.weft(ctx, dies) })
		}
		story(w)
		cancel()
		all.Wait()
		for id, n := range w.did {
			if n > 1 {
				t.Errorf("%s was done %d times", id, n)
			}
		}
	})
}

func (w *world) pipeline(name string, c v1alpha1.Concurrency, stages ...v1alpha1.Stage) {
	p := &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	p.Spec.Stages, p.Spec.Concurrency = stages, c
	if _, err := w.pipelines.Create(p); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(name, of string) *v1alpha1.PipelineRun {
	o := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	o.Spec.Pipeline = of
	o.Spec.Trigger = v1alpha1.TriggerFact{Type: pipeline.Manual, By: "alice"}
	o, err := w.runs.Create(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// until waits for a run to be as wanted; at the end it is what it was last, nil: gone.
func (w *world) until(name string, ok func(*v1alpha1.PipelineRun) bool) *v1alpha1.PipelineRun {
	w.t.Helper()
	var o *v1alpha1.PipelineRun
	for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(500 * time.Millisecond) {
		if o, _ = w.runs.Get("shop", name); ok(o) {
			return o
		}
	}
	status, _ := json.MarshalIndent(o, "", " ")
	w.t.Fatalf("run %s after an hour: %s", name, status)
	return nil
}

// settled reports whether nothing is left to do for a run.
func settled(o *v1alpha1.PipelineRun) bool {
	return o != nil && pipeline.Final(o.Status.Phase) && len(o.Finalizers) == 0 && o.Status.State == nil
}

func asks(stage string) func(o *v1alpha1.PipelineRun) bool {
	return func(o *v1alpha1.PipelineRun) bool { return o != nil && phase(o, stage) == string(pipeline.Asking) }
}

func phase(o *v1alpha1.PipelineRun, stage string) string {
	for _, s := range o.Status.Stages {
		if s.Name == stage {
			return s.Phase
		}
	}
	return ""
}

// decide makes a decision, once.
func (w *world) decide(o *v1alpha1.PipelineRun, verb, stage, by string) {
	d := &v1alpha1.Decision{Spec: v1alpha1.DecisionSpec{Run: o.Name, RunUID: string(o.UID), Verb: verb, Stage: stage, By: by, Choice: "continue"}}
	for _, s := range o.Status.Stages {
		if s.Name == stage {
			d.Spec.Attempt = s.Attempt
		}
	}
	d.Namespace, d.Name = "shop", strings.Trim(fmt.Sprintf("%s-%s-%s-%d-%s", o.Name, verb, stage, d.Spec.Attempt, by), "-")
	w.decisions.Create(d) // it may be there
}

// answered waits for what becomes of all decisions.
func (w *world) answers() map[string]string {
	out := map[string]string{}
	for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(500 * time.Millisecond) {
		open := false
		for _, d := range w.decisions.List("shop") {
			open = open || d.Status.Accepted == nil
			if d.Status.Accepted != nil {
				out[d.Name] = fmt.Sprintf("%v %s", *d.Status.Accepted, d.Status.Why)
			}
		}
		if !open {
			return out
		}
	}
	w.t.Error("decisions without an answer after an hour")
	return out
}
