package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/audit"
)

// told tells of some objects, and after a while of the same ones again.
type told[T any] []*T

func (all told[T]) Watch(ctx context.Context, _ string, changed func(*T, bool)) error {
	for ctx.Err() == nil {
		for _, o := range all {
			changed(o, false)
		}
		select {
		case <-ctx.Done():
		case <-time.After(3 * writeEvery):
		}
	}
	return ctx.Err()
}

// shelf has chapters; failing, it takes none.
type shelf struct {
	all     []audit.Chapter
	failing bool
}

func (s *shelf) Read(context.Context) ([]audit.Chapter, error) { return slices.Clone(s.all), nil }

func (s *shelf) Write(_ context.Context, c audit.Chapter) error {
	if s.failing {
		return errors.New("nobody answers")
	}
	s.all = append(s.all, c)
	return nil
}

func (s *shelf) Delete(context.Context, int64) error { return nil }

// world is a cluster in which somebody did something of everything.
func world(s *shelf) Options {
	at := func(minutes int) metav1.Time {
		return metav1.NewTime(time.Date(2026, 11, 27, 12, minutes, 0, 0, time.UTC))
	}
	of := func(name string, minutes int) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "u", CreationTimestamp: at(minutes)}
	}
	started := metav1.NewMicroTime(at(1).Time)
	moved := metav1.NewMicroTime(at(3).Time)
	return Options{
		Freezes: told[v1alpha1.Freeze]{{ObjectMeta: of("f", 0), Spec: v1alpha1.FreezeSpec{Reason: "feast", By: "lea"}}},
		Runs: told[v1alpha1.PipelineRun]{
			{ObjectMeta: of("ship-1", 0), Spec: v1alpha1.PipelineRunSpec{Pipeline: "ship", Trigger: v1alpha1.TriggerFact{By: "dan"}}, Status: v1alpha1.PipelineRunStatus{Started: &started}},
			{ObjectMeta: of("waits", 0)},
		},
		Decisions: told[v1alpha1.Decision]{
			{ObjectMeta: of("yes", 2), Spec: v1alpha1.DecisionSpec{Run: "ship-1", Verb: "judge", Stage: "ask", Choice: "continue", By: "quinn"}, Status: v1alpha1.DecisionStatus{Accepted: new(true)}},
			{ObjectMeta: of("no", 2), Spec: v1alpha1.DecisionSpec{Verb: "judge", By: "eve"}, Status: v1alpha1.DecisionStatus{Accepted: new(false)}},
			{ObjectMeta: of("open", 2), Spec: v1alpha1.DecisionSpec{Verb: "judge", By: "eve"}},
		},
		Releases: told[v1alpha1.Release]{{
			ObjectMeta: of("r", 2), Spec: v1alpha1.ReleaseSpec{Version: "v2", By: "dan", Promote: true, Promoter: &v1alpha1.Signature{By: "olga"}},
			Status: v1alpha1.ReleaseStatus{Events: []v1alpha1.ReleaseEvent{{Time: moved, Action: "u/1", Text: "v2 gets 5%"}, {Time: moved, Text: "a word"}}},
		}},
		Chapters: s, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func lines(t *testing.T, s *shelf) (all []string) {
	t.Helper()
	entries, faults, err := audit.ReadBook(t.Context(), s)
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%s %s %s %s %s", e.By, e.Verb, e.Kind, e.Name, strings.Join(e.Changed, ",")))
	}
	return all
}

var want = []string{
	"lea freeze Freeze f reason: feast", "dan begin PipelineRun ship-1 pipeline: ship", "quinn judge Decision yes ship-1 ask continue",
	"dan act Release r u/1: v2 gets 5%", "olga promote Release r version: v2",
}

// What was accepted and done is in the book once, by the first leader or by the next one, also when nobody answered for a while.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{failing: true}
		lead := func(d time.Duration, during func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- New(world(s)).Run(ctx) }()
			time.Sleep(d)
			during()
			time.Sleep(d)
			cancel()
			<-done
		}
		lead(2*writeEvery, func() { s.failing = false })
		if got := lines(t, s); !slices.Equal(got, want) {
			t.Errorf("the first leader wrote %q", got)
		}
		lead(2*writeEvery, func() {})
		if got := lines(t, s); !slices.Equal(got, want) {
			t.Errorf("the next one wrote %q", got)
		}
	})
}

// What was in chapters that are gone is not written again.
func TestForgotten(t *testing.T) {
	l := New(world(&shelf{}))
	l.see([]audit.Entry{{Time: time.Unix(10, 0), Kind: "Release", UID: "old"}, {Time: time.Unix(30, 0), Kind: "Release", UID: "new"}})
	l.recall([]audit.Entry{{Seq: 7, Time: time.Unix(20, 0)}})
	if next := l.next(); len(next) != 1 || next[0].UID != "new" {
		t.Errorf("%+v", next)
	}
}

// A freeze that goes is told, and not by whom.
func TestUnfreeze(t *testing.T) {
	all := ofFreeze(&v1alpha1.Freeze{Spec: v1alpha1.FreezeSpec{By: "lea", Reason: "x"}}, true, time.Unix(9, 0))
	if len(all) != 2 || all[1].Verb != "unfreeze" || all[1].By != "" || all[1].Time.Unix() != 9 {
		t.Errorf("%+v", all)
	}
}
