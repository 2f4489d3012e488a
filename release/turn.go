package release

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

// begin starts a release whose turn it is: its record is stored, then its
// finalizer. It returns nil while it must wait, and the release as ended where it never begins.
func (r *run) begin(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, error) {
	if rel.DeletionTimestamp != nil {
		return nil, nil // somebody else's finalizer keeps it; nothing was done
	}
	if r.listen(ctx, rel).abort {
		return nil, r.end(ctx, rel, v1alpha1.ReleaseRolledBack, "aborted by a person before it began")
	}
	app, err := r.Applications.Get(ctx, rel.Namespace, rel.Spec.Application)
	if apierrors.IsNotFound(err) {
		return nil, r.pending(ctx, rel, fmt.Sprintf("waiting for the Application %s, which does not exist", rel.Spec.Application))
	}
	if err != nil {
		return nil, r.wrap("read application "+rel.Spec.Application, err)
	}
	if why := r.hold(ctx, rel, app); why != "" {
		return nil, r.pending(ctx, rel, why)
	}
	ahead, err := r.ahead(ctx, rel, app)
	if err != nil {
		return nil, err
	}
	if ahead != "" && rel.Spec.Undo {
		if err := r.outrank(ctx, rel, ahead); err != nil {
			return nil, err
		}
	}
	if ahead != "" {
		return nil, r.pending(ctx, rel, fmt.Sprintf("waiting for release %s of %s to end", ahead, rel.Spec.Application))
	}
	if !rel.Spec.Undo { // which has no time for it
		r.pin(ctx, app, app.Status.Version)
	}
	config, err := r.config(ctx, rel, app)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(record{Config: config})
	if err != nil {
		return nil, r.wrap("record", err)
	}
	rel.Status.Phase, rel.Status.State = v1alpha1.ReleasePending, &runtime.RawExtension{Raw: raw}
	if rel, err = r.Releases.UpdateStatus(ctx, rel); err != nil {
		return nil, r.wrap("store status", err)
	}
	rel.Finalizers = append(rel.Finalizers, Finalizer)
	if rel, err = r.Releases.Update(ctx, rel); err != nil {
		return nil, r.wrap("begin", err)
	}
	return rel, nil
}

// hold says why a release must not begin or go further; "": it may.
func (e *Engine) hold(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application) string {
	if e.Hold == nil {
		return ""
	}
	return e.Hold(ctx, rel, app)
}

// ahead is the release of the same application that goes first. Who waits finds it among what the engine was told;
// only who would begin reads all that is stored, which may be much.
func (r *run) ahead(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application) (string, error) {
	if first := r.first(ctx, r.open.beside(rel), rel, app); first != rel.Name {
		return first, nil
	}
	all, err := r.Releases.List(ctx, rel.Namespace)
	if err != nil {
		return "", r.wrap("list", err)
	}
	if first := r.first(ctx, all, rel, app); first != rel.Name {
		return first, nil
	}
	return r.claim(rel), nil
}

// first of rel and the others of its application is one that has begun, else one that undoes, else the oldest that nothing holds.
func (r *run) first(ctx context.Context, all []*v1alpha1.Release, rel *v1alpha1.Release, app *v1alpha1.Application) string {
	all = slices.DeleteFunc(all, func(o *v1alpha1.Release) bool {
		return o.Spec.Application != rel.Spec.Application || !begun(o) && (Final(o.Status.Phase) || o.Spec.Abort || o.DeletionTimestamp != nil || r.hold(ctx, o, app) != "")
	})
	return slices.MinFunc(append(all, rel), func(a, b *v1alpha1.Release) int {
		switch {
		case begun(a) && !begun(b):
			return -1
		case begun(b) && !begun(a):
			return 1
		case a.Spec.Undo && !b.Spec.Undo:
			return -1
		case b.Spec.Undo && !a.Spec.Undo:
			return 1
		}
		return byAge(a, b)
	}).Name
}

// behind is the version of the release that waits for this one, which has all traffic; empty: none does.
func (r *run) behind(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application, c Config) string {
	if c.Runs == nil || rel.Status.Weight < 100 {
		return "" // nothing is kept that somebody could wait for
	}
	all := slices.DeleteFunc(r.open.beside(rel), func(o *v1alpha1.Release) bool {
		return o.Name == rel.Name || Final(o.Status.Phase) || o.Spec.Abort || o.DeletionTimestamp != nil || !begun(o) && r.hold(ctx, o, app) != ""
	})
	if len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, byAge).Spec.Version
}

func byAge(a, b *v1alpha1.Release) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// begun reports whether traffic may have been moved for a release that is not finished.
func begun(rel *v1alpha1.Release) bool { return slices.Contains(rel.Finalizers, Finalizer) }

// claim takes the application's turn, so that two loops that listed at the same
// time cannot both begin; it returns who has it.
func (r *run) claim(rel *v1alpha1.Release) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	app := loop.Key{Namespace: rel.Namespace, Name: rel.Spec.Application}
	if holder, taken := r.turn[app]; taken && holder != r.key {
		return holder.Name
	}
	r.turn[app] = r.key
	return ""
}

// yield gives the turn back.
func (e *Engine) yield(k loop.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for app, holder := range e.turn {
		if holder == k {
			delete(e.turn, app)
		}
	}
}

// pending stores why a release waits, when that is news.
func (r *run) pending(ctx context.Context, rel *v1alpha1.Release, why string) error {
	if rel.Status.Phase == v1alpha1.ReleasePending && rel.Status.Why == why {
		return nil
	}
	rel.Status.Phase, rel.Status.Why = v1alpha1.ReleasePending, why
	if _, err := r.Releases.UpdateStatus(ctx, rel); err != nil {
		return r.wrap("store status", err)
	}
	return nil
}

// config fixes what the release was asked to do.
func (r *run) config(ctx context.Context, rel *v1alpha1.Release, app *v1alpha1.Application) (Config, error) {
	c := Config{
		ID: string(rel.UID), Namespace: rel.Namespace, Application: app.Name, Service: app.ServiceName(),
		Version: rel.Spec.Version, Serving: app.Status.Version, Strategy: app.Spec.Strategy,
	}
	if r.Instances != nil {
		c.Runs = app.Spec.Runs
	}
	if rel.Spec.Strategy != nil {
		c.Strategy = *rel.Spec.Strategy
	}
	c.Strategy.Type = cmp.Or(c.Strategy.Type, v1alpha1.Canary)
	if rel.Spec.Undo {
		return r.undoing(ctx, c)
	}
	return c, nil
}

// finish leaves the result on the application and then removes the finalizer:
// a crash in between repeats it, and no other release of the application begins before.
func (r *run) finish(ctx context.Context, rel *v1alpha1.Release) error {
	defer r.yield(r.key)
	at := slices.Index(rel.Finalizers, Finalizer)
	if at < 0 {
		return nil
	}
	app, err := r.Applications.Get(ctx, rel.Namespace, rel.Spec.Application)
	if err != nil && !apierrors.IsNotFound(err) {
		return r.wrap("read application "+rel.Spec.Application, err)
	}
	if err == nil && rel.Status.Phase == v1alpha1.ReleaseSucceeded {
		if rel.Spec.Undo { // what stood beside the version stays recorded, for who wants that back, too
			r.note(ctx, app, rel.Spec.Version)
		} else {
			r.pin(ctx, app, rel.Spec.Version)
		}
		if app.Status.Version != rel.Spec.Version {
			app.Status.Previous = app.Status.Version
		}
		app.Status.Version, app.Status.Release = rel.Spec.Version, rel.Name
		if _, err = r.Applications.UpdateStatus(ctx, app); err != nil && !apierrors.IsNotFound(err) {
			return r.wrap("store application "+app.Name, err)
		}
	}
	rel.Finalizers = slices.Delete(rel.Finalizers, at, at+1)
	if _, err = r.Releases.Update(ctx, rel); err != nil && !apierrors.IsNotFound(err) {
		return r.wrap("end", err)
	}
	return nil
}
