package trigger_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/expr"
	"weft.dev/release/trigger"
	"weft.dev/test/shelf"
)

// world is the stores, and what is outside.
type world struct {
	t         *testing.T
	stores    sync.Mutex
	pipelines *shelf.Shelf[v1alpha1.Pipeline]
	runs      *shelf.Shelf[v1alpha1.PipelineRun]
	secrets   *shelf.Shelf[corev1.Secret]
	eval      *expr.Evaluator

	mu       sync.Mutex
	tags     []string
	heads    map[string]string
	away     bool
	asked    int
	logins   []artifact.Login
	noDigest string // a tag whose digest cannot be had
}

// inWorld runs a test in virtual time, which begins at midnight of 1 January 2000, UTC.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, eval: eval, heads: map[string]string{}}
		w.pipelines = shelf.New[v1alpha1.Pipeline](&w.stores)
		w.runs = shelf.New[v1alpha1.PipelineRun](&w.stores)
		w.secrets = shelf.New[corev1.Secret](&w.stores)
		test(w)
	})
}

func never() bool { return false }

// begin lets a server lead until stop is called or dies says that it is killed.
func (w *world) begin(dies func() bool) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	process := shelf.NewProcess(cancel, dies)
	e := trigger.New(trigger.Options{
		Pipelines: shelf.Objects[v1alpha1.Pipeline]{Shelf: w.pipelines, Process: process},
		Runs:      shelf.Objects[v1alpha1.PipelineRun]{Shelf: w.runs, Process: process},
		Secrets:   shelf.Objects[corev1.Secret]{Shelf: w.secrets, Process: process},
		Outside:   w, Eval: w.eval, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = e.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

// pass is virtual time.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) pipeline(name string, triggers ...v1alpha1.Trigger) {
	w.t.Helper()
	p := &v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	p.Spec.Triggers = triggers
	if _, err := w.pipelines.Create(p); err != nil {
		w.t.Fatal(err)
	}
}

// ended makes a run of a pipeline that has ended now.
func (w *world) ended(pipeline, run string, phase v1alpha1.RunPhase, parents ...string) {
	w.t.Helper()
	now := metav1.NowMicro()
	r := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: run}}
	r.Spec = v1alpha1.PipelineRunSpec{Pipeline: pipeline, Parents: parents, Trigger: v1alpha1.TriggerFact{By: "ann", Facts: map[string]v1alpha1.Value{"commit": "c1"}}}
	r.Status.Phase, r.Status.Ended = phase, &now
	if _, err := w.runs.Create(r); err != nil {
		w.t.Fatal(err)
	}
}

// started are the runs of a pipeline that triggers made, by what for: "ID PARAMETER=VALUE...".
func (w *world) started(pipeline string) (all []string) {
	for _, r := range w.runs.List("shop") {
		if r.Spec.Pipeline != pipeline || r.Spec.Trigger.ID == "" {
			continue
		}
		text := r.Spec.Trigger.ID
		for _, name := range slices.Sorted(maps.Keys(r.Spec.Parameters)) {
			text += " " + name + "=" + string(r.Spec.Parameters[name])
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func (w *world) expect(pipeline string, want ...string) {
	w.t.Helper()
	if got := w.started(pipeline); !slices.Equal(got, want) {
		w.t.Fatalf("runs of %s at %s:\n  %s\nwant:\n  %s", pipeline, time.Now().UTC(), strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (w *world) status(pipeline string) v1alpha1.TriggerStatus {
	w.t.Helper()
	p, err := w.pipelines.Get("shop", pipeline)
	if err != nil || len(p.Status.Triggers) == 0 {
		w.t.Fatalf("pipeline %s has no trigger's status: %v", pipeline, err)
	}
	return p.Status.Triggers[0]
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

var errAway = errors.New("it is away")

func (w *world) ask(login artifact.Login) error {
	w.asked++
	w.logins = append(w.logins, login)
	if w.away {
		return errAway
	}
	return nil
}

func (w *world) Tags(_ context.Context, r artifact.Repository) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.tags)), w.ask(r.Login)
}

func (w *world) Digest(_ context.Context, _ artifact.Repository, tag string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if tag == w.noDigest {
		return "", errAway
	}
	return "sha256:" + tag, nil
}

func (w *world) Branches(_ context.Context, _ string, login artifact.Login) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.heads), w.ask(login)
}
