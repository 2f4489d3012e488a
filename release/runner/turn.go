package runner

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

// turns knows what the runs of a pipeline have to know of each other.
type turns struct {
	mu    sync.Mutex
	views map[loop.Key]*view
}

// view is what others see of a run.
type view struct {
	uid      types.UID
	pipeline string
	created  time.Time
	ended    time.Time
	phase    v1alpha1.RunPhase
}

// far orders the phases of a run: what is heard late does not take one back.
func far(p v1alpha1.RunPhase) int {
	switch {
	case pipeline.Final(p):
		return 2
	case p == v1alpha1.RunRunning || p == v1alpha1.RunAsking:
		return 1
	}
	return 0
}

// see takes in a run as it was at some time, and reports whether it is a new one.
func (t *turns) see(o *v1alpha1.PipelineRun) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.views[keyOf(o)]
	isNew := v == nil || v.uid != o.UID
	if isNew {
		v = &view{uid: o.UID, pipeline: o.Spec.Pipeline, created: o.CreationTimestamp.Time}
		t.views[keyOf(o)] = v
	}
	if far(o.Status.Phase) >= far(v.phase) {
		v.phase = o.Status.Phase
	}
	if o.Status.Ended != nil {
		v.ended = o.Status.Ended.Time
	}
	return isNew
}

// forget drops a run that is gone; uid "" is whichever it was.
func (t *turns) forget(uid types.UID, k loop.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.views[k]; v != nil && (uid == "" || v.uid == uid) {
		delete(t.views, k)
	}
}

// admit says whether it is a run's turn. If it is, the others know at once, so that
// two that ask at the same time cannot both begin.
func (t *turns) admit(k loop.Key, c v1alpha1.Concurrency) (pipeline.Turn, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	self := t.views[k]
	var others []pipeline.RunView
	for other, v := range t.views {
		if other.Namespace == k.Namespace && v.pipeline == self.pipeline {
			others = append(others, pipeline.RunView{Name: other.Name, Created: v.created, Phase: v.phase})
		}
	}
	turn, why := pipeline.Admit(c, pipeline.RunView{Name: k.Name, Created: self.created}, others)
	self.phase = v1alpha1.RunWaiting
	if turn == pipeline.Begin {
		self.phase = v1alpha1.RunRunning
	}
	return turn, why
}

// waiting are the runs of the same pipeline that have not begun.
func (t *turns) waiting(o *v1alpha1.PipelineRun) (all []loop.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, v := range t.views {
		if k.Namespace == o.Namespace && v.pipeline == o.Spec.Pipeline && far(v.phase) == 0 {
			all = append(all, k)
		}
	}
	return all
}

// old are the runs that have ended before since, or after which each pipeline has
// kept newer ones.
func (t *turns) old(kept int, since time.Time) (all []loop.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended := map[loop.Key][]loop.Key{} // runs by pipeline
	for k, v := range t.views {
		if far(v.phase) == 2 {
			of := loop.Key{Namespace: k.Namespace, Name: v.pipeline}
			ended[of] = append(ended[of], k)
		}
	}
	for _, keys := range ended {
		slices.SortFunc(keys, func(a, b loop.Key) int {
			return cmp.Or(t.views[b].ended.Compare(t.views[a].ended), cmp.Compare(a.Name, b.Name))
		})
		for i, k := range keys {
			if i >= kept || t.views[k].ended.Before(since) {
				all = append(all, k)
			}
		}
	}
	return all
}
