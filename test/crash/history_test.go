package crash

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/provider/mesh"
)

// moment is one state of a split, as a watcher saw it.
type moment struct {
	generation int64
	action     string // id of the action that wrote it
	shares     string
	weight     int32 // of the new version
}

func momentOf(split *v1alpha1.TrafficSplit) moment {
	m := moment{split.Generation, split.Annotations[mesh.ActionAnnotation], release.FormatVersions(split.Spec.Versions), 0}
	for _, v := range split.Spec.Versions {
		if v.Version == newVersion {
			m.weight = v.Weight
		}
	}
	return m
}

// history is what was seen of every split, in order. A watcher misses what was
// written and not yet told when the server died; generations count those too.
type history struct {
	mu  sync.Mutex
	all map[string][]moment
}

func (w *world) watch() *history {
	h := &history{all: map[string][]moment{}}
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	w.t.Cleanup(func() { cancel(); <-done })
	go func() {
		done <- w.splits.Watch(ctx, "", func(split *v1alpha1.TrafficSplit, deleted bool) {
			h.mu.Lock()
			defer h.mu.Unlock()
			key := split.Namespace + "/" + split.Name
			now := momentOf(split)
			if seen := h.all[key]; deleted || len(seen) == 0 || seen[len(seen)-1] != now {
				h.all[key] = append(seen, now)
			}
		})
	}()
	return h
}

func (h *history) of(s subject) []moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[s.String()]
}

// seq is the number of a release's action; 0: it is another's.
func seq(uid, action string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(action, uid+"/"))
	return n
}

// checkHistory fails unless the actions on a split went only forward: each id
// once and with one effect, and after a fall of the weight no rise.
func checkHistory(t *testing.T, s subject, uid string, seen []moment) {
	t.Helper()
	fell := false
	for i := 1; i < len(seen); i++ {
		was, now := seen[i-1], seen[i]
		switch {
		case seq(uid, now.action) <= seq(uid, was.action):
			t.Errorf("%s: action %q (%s) came after %q (%s)", s, now.action, now.shares, was.action, was.shares)
		case now.weight > was.weight && fell:
			t.Errorf("%s: traffic went up again, %s to %s, after it had gone back", s, was.shares, now.shares)
		}
		fell = fell || now.weight < was.weight
	}
	if fell && !s.bad { // the other way round it may have been missed
		t.Errorf("%s: traffic went back from a good version: %v", s, seen)
	}
}

// checkEnd fails unless a release ended as it must, with nothing lost and nothing done twice.
func checkEnd(t *testing.T, s subject, rel *v1alpha1.Release, app *v1alpha1.Application, end moment) {
	t.Helper()
	phase, weight, serving := v1alpha1.ReleaseSucceeded, int32(100), newVersion
	if s.bad {
		phase, weight, serving = v1alpha1.ReleaseRolledBack, 0, oldVersion
	}
	if rel.Status.Phase != phase || end.weight != weight || app.Status.Version != serving {
		t.Errorf("%s (%s): release %s, split %s, application serves %s; want %s, %d%%, %s: %s",
			s, s.strategy, rel.Status.Phase, end.shares, app.Status.Version, phase, weight, serving, rel.Status.Why)
	}
	if len(rel.Finalizers) != 0 {
		t.Errorf("%s: ended with finalizers %v", s, rel.Finalizers)
	}
	last := 0
	for _, event := range rel.Status.Events {
		if event.Action == "" {
			continue
		}
		if n := seq(string(rel.UID), event.Action); n != last+1 {
			t.Errorf("%s: action %s recorded after number %d", s, event.Action, last)
		}
		last++
	}
	// Each action changes the shares, and the server counts changes: one more than there are actions is one done twice.
	const adopted = 1
	if want := fmt.Sprintf("%s/%d", rel.UID, last); end.action != want || end.generation != int64(adopted+last) {
		t.Errorf("%s: split is of action %s in generation %d; want %s in %d", s, end.action, end.generation, want, adopted+last)
	}
}
