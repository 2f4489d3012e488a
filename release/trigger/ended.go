package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

// maxSeen is how many ended runs a trigger remembers one by one; before them it remembers the time.
const maxSeen = 200

// ended are the runs that have ended, and who listens for them.
type ended struct {
	mu        sync.Mutex
	runs      map[loop.Key]map[string]*v1alpha1.PipelineRun // by pipeline, by UID
	listeners map[loop.Key][]loop.Key                       // by pipeline
}

func newEnded() *ended {
	return &ended{runs: map[loop.Key]map[string]*v1alpha1.PipelineRun{}, listeners: map[loop.Key][]loop.Key{}}
}

// saw notes a run, and says which pipelines listen for its end.
func (e *ended) saw(o *v1alpha1.PipelineRun, deleted bool) []loop.Key {
	k, uid := loop.Key{Namespace: o.Namespace, Name: o.Spec.Pipeline}, string(o.UID)
	e.mu.Lock()
	defer e.mu.Unlock()
	if deleted || o.Status.Ended == nil {
		delete(e.runs[k], uid)
		return nil
	}
	if e.runs[k] == nil {
		e.runs[k] = map[string]*v1alpha1.PipelineRun{}
	}
	few := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: o.UID}, Spec: o.Spec}
	few.Status.Phase, few.Status.Ended = o.Status.Phase, o.Status.Ended // its record is long
	e.runs[k][uid] = few
	return slices.Clone(e.listeners[k])
}

// listens notes what a pipeline's triggers listen for.
func (e *ended) listens(k loop.Key, p *v1alpha1.Pipeline, deleted bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for of, all := range e.listeners {
		e.listeners[of] = slices.DeleteFunc(all, func(one loop.Key) bool { return one == k })
		if len(e.listeners[of]) == 0 {
			delete(e.listeners, of)
		}
	}
	for _, t := range p.Spec.Triggers {
		if t.Pipeline != nil && !deleted {
			of := loop.Key{Namespace: k.Namespace, Name: t.Pipeline.Name}
			e.listeners[of] = append(e.listeners[of], k)
		}
	}
}

// since are the runs of a pipeline that ended at a time or after it, in their order.
func (e *ended) since(k loop.Key, from time.Time) []*v1alpha1.PipelineRun {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := slices.Collect(maps.Values(e.runs[k]))
	all = slices.DeleteFunc(all, func(r *v1alpha1.PipelineRun) bool { return r.Status.Ended.Time.Before(from) })
	slices.SortFunc(all, func(a, b *v1alpha1.PipelineRun) int { return a.Status.Ended.Compare(b.Status.Ended.Time) })
	return all
}

// endings finds the runs of another pipeline that have ended.
func (w *watcher) endings(p *v1alpha1.Pipeline, t *v1alpha1.PipelineTrigger, l *look) {
	phases := t.Phases
	if len(phases) == 0 {
		phases = []v1alpha1.RunPhase{v1alpha1.RunSucceeded}
	}
	for _, r := range w.ended.since(loop.Key{Namespace: p.Namespace, Name: t.Name}, l.Since.Time) {
		entry := r.Status.Ended.UTC().Format(stamp) + " " + string(r.UID)
		if slices.Contains(l.Seen, entry) {
			continue
		}
		l.Seen = append(l.Seen, entry)
		if !slices.Contains(phases, r.Status.Phase) {
			continue
		}
		parents := append(slices.Clone(r.Spec.Parents), r.Spec.Pipeline+"/"+r.Name)
		if l.Why = pipeline.Circle(parents, p.Name); l.Why != "" {
			l.Why = short(fmt.Sprintf("%s started nothing: %s", r.Name, l.Why))
			continue
		}
		l.found = append(l.found, happening{id: string(r.UID), facts: factsOf(r), by: r.Spec.Trigger.By, parents: parents})
	}
	l.forget()
}

// stamp is a time whose order is that of its text.
const stamp = "2006-01-02T15:04:05.000000Z"

// forget drops the oldest of many, and remembers the time instead.
func (l *look) forget() {
	if len(l.Seen) <= maxSeen {
		return
	}
	slices.Sort(l.Seen)
	from, _, _ := strings.Cut(l.Seen[len(l.Seen)-maxSeen], " ")
	at, err := time.Parse(stamp, from)
	if err != nil {
		return // a person wrote it
	}
	since := metav1.NewMicroTime(at)
	l.Since = &since
	l.Seen = slices.DeleteFunc(l.Seen, func(entry string) bool { return entry < from })
}

// factsOf are those of a run that ended, and those of what started it.
func factsOf(r *v1alpha1.PipelineRun) map[string]v1alpha1.Value {
	facts := map[string]v1alpha1.Value{}
	maps.Copy(facts, r.Spec.Trigger.Facts)
	facts["pipeline"], facts["run"], facts["phase"] = v1alpha1.Value(r.Spec.Pipeline), v1alpha1.Value(r.Name), v1alpha1.Value(r.Status.Phase)
	return facts
}
