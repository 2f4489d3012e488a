package runner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

// inbox knows the decisions about each run, so that no step has to list them.
type inbox struct {
	mu    sync.Mutex
	notes map[loop.Key]map[string]*note // by run, by the decision's name
}

// note is a decision.
type note struct {
	uid  types.UID          // of the run
	open *v1alpha1.Decision // nil: it has its answer
}

// put takes in a decision, and reports whether it lacks its answer.
func (b *inbox) put(d *v1alpha1.Decision) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := loop.Key{Namespace: d.Namespace, Name: d.Spec.Run}
	if b.notes[k] == nil {
		b.notes[k] = map[string]*note{}
	}
	n := &note{uid: types.UID(d.Spec.RunUID)}
	if d.Status.Accepted == nil {
		n.open = d
	}
	b.notes[k][d.Name] = n
	return n.open != nil
}

func (b *inbox) forget(k loop.Key, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.notes[k], name)
	if len(b.notes[k]) == 0 {
		delete(b.notes, k)
	}
}

// open are the decisions about a run of that name that lack their answer, oldest first.
func (b *inbox) open(k loop.Key) (all []*v1alpha1.Decision) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes[k] {
		if n.open != nil {
			all = append(all, n.open)
		}
	}
	slices.SortFunc(all, func(x, y *v1alpha1.Decision) int {
		return cmp.Or(x.CreationTimestamp.Compare(y.CreationTimestamp.Time), cmp.Compare(x.Name, y.Name))
	})
	return all
}

// of are the names of all decisions about a run.
func (b *inbox) of(k loop.Key, uid types.UID) (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, n := range b.notes[k] {
		if n.uid == uid {
			names = append(names, name)
		}
	}
	return names
}

// answered notes that a decision has its answer, unless it has changed since.
func (b *inbox) answered(k loop.Key, d *v1alpha1.Decision) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.notes[k][d.Name]; n != nil && n.open == d {
		n.open = nil
	}
}

// answer stores what becomes of a decision. One that changed meanwhile is heard of again.
func (e *Engine) answer(ctx context.Context, k loop.Key, d *v1alpha1.Decision, accepted bool, why string) error {
	told := d.DeepCopy()
	told.Status.Accepted, told.Status.Why = &accepted, why
	_, err := e.Decisions.UpdateStatus(ctx, told)
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return err
	}
	e.inbox.answered(k, d)
	return nil
}

// refuse answers decisions that no run looks at.
func (e *Engine) refuse(ctx context.Context, k loop.Key, all []*v1alpha1.Decision, why string) error {
	var faults []error
	for _, d := range all {
		faults = append(faults, e.answer(ctx, k, d, false, why))
	}
	return errors.Join(faults...)
}

// decided is a decision as a run sees it.
func decided(d *v1alpha1.Decision) pipeline.Decision {
	s := d.Spec
	return pipeline.Decision{
		Name: d.Name, Verb: s.Verb, Stage: s.Stage, Attempt: int(s.Attempt),
		Choice: s.Choice, Reason: s.Reason, By: s.By, Groups: s.Groups, Made: d.CreationTimestamp.Time,
	}
}
