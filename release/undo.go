package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
)

// Undo is the strategy of a release that undoes. No Application has it.
const Undo v1alpha1.StrategyType = "undo"

// Versions are the records of what served.
type Versions interface {
	// Record notes that a version serves, unless there is a record of it.
	Record(ctx context.Context, namespace string, spec v1alpha1.VersionSpec) error
	// Find is the record of a version; nil: there is none.
	Find(ctx context.Context, namespace, application, version string) (*v1alpha1.Version, error)
	// Manifests are those that a record has; nil: none.
	Manifests(ctx context.Context, v *v1alpha1.Version) ([]byte, error)
	// Pin notes what stands beside a version that serves, in place of what did before.
	Pin(ctx context.Context, namespace, application, version string) error
}

// ErrNoEarlier says that an application has no version to go back to.
var ErrNoEarlier = errors.New("nothing served before")

// Earlier is the version that an undo without one goes back to: that which served before
// the release that is on its way, or else before the last one that completed. The releases have to be
// read before the Application: what has ended by then is noted there.
func Earlier(app *v1alpha1.Application, all []*v1alpha1.Release) (string, error) {
	for _, rel := range all {
		// One that has just succeeded is not noted on the Application yet.
		going := !Final(rel.Status.Phase) || rel.Status.Phase == v1alpha1.ReleaseSucceeded && rel.Status.From == app.Status.Version
		from := cmp.Or(rel.Status.From, app.Status.Version) // until it has said from where it starts
		if rel.Spec.Application == app.Name && begun(rel) && going && from != "" {
			return from, nil
		}
	}
	if app.Status.Previous == "" {
		return "", fmt.Errorf("application %s: %w %q: name the version to go back to", app.Name, ErrNoEarlier, app.Status.Version)
	}
	return app.Status.Previous, nil
}

// outrank aborts the release that an undo finds on its way, unless that is an undo asked for
// no earlier: who said so last has the word, and a time of creation has whole seconds.
func (r *run) outrank(ctx context.Context, undo *v1alpha1.Release, ahead string) error {
	rel, err := r.Releases.Get(ctx, undo.Namespace, ahead)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return r.wrap("read "+ahead, err)
	}
	if !begun(rel) || rel.Spec.Abort || Final(rel.Status.Phase) {
		return nil
	}
	if rel.Spec.Undo && !rel.CreationTimestamp.Before(&undo.CreationTimestamp) {
		return nil
	}
	rel.Spec.Abort = true
	if _, err = r.Releases.Update(ctx, rel); err != nil {
		return r.wrap("abort "+ahead, err)
	}
	return nil
}

// undoing is a release's config where it undoes: no step and no judge of the
// application's own strategy counts, but its patience does.
func (r *run) undoing(ctx context.Context, c Config) (Config, error) {
	c.Strategy = v1alpha1.Strategy{Type: Undo, Analysis: v1alpha1.Analysis{Deadline: c.Strategy.Analysis.Deadline}}
	if r.Versions == nil {
		return c, nil
	}
	v, err := r.Versions.Find(ctx, c.Namespace, c.Application, c.Version)
	if err != nil {
		return c, r.wrap("read the record of "+c.Version, err)
	}
	if v != nil {
		c.Pinned = &Pinned{Image: v.Spec.Image}
	}
	return c, nil
}

// equip gives a version that is started again the manifests of its record.
func (r *run) equip(ctx context.Context, c Config, w *instances.Action) error {
	if w.Verb != instances.Deploy {
		return nil
	}
	v, err := r.Versions.Find(ctx, c.Namespace, c.Application, w.Version)
	if err != nil {
		return err
	}
	if v == nil {
		return fmt.Errorf("%w: the record of %s %s was deleted: deploy it", instances.ErrRefused, c.Application, w.Version)
	}
	w.Manifests, err = r.Versions.Manifests(ctx, v)
	return err
}

// pin records a version that serves, and what stands beside it.
func (e *Engine) pin(ctx context.Context, app *v1alpha1.Application, version string) {
	e.note(ctx, app, version)
	if e.Versions == nil || version == "" {
		return
	}
	if err := e.Versions.Pin(ctx, app.Namespace, app.Name, version); err != nil && ctx.Err() == nil {
		e.Log.Warn("what stands beside a version is not recorded: weft undo cannot put it back", "application", app.Name, "version", version, "error", err)
	}
}

// note records a version that serves, unless there is a record of it. What cannot be
// recorded can still serve.
func (e *Engine) note(ctx context.Context, app *v1alpha1.Application, version string) {
	if e.Versions == nil || version == "" {
		return
	}
	v, err := e.Versions.Find(ctx, app.Namespace, app.Name, version)
	if v != nil {
		return
	}
	image := ""
	if err == nil {
		image, err = e.imageOf(ctx, app, version)
	}
	if err == nil {
		err = e.Versions.Record(ctx, app.Namespace, v1alpha1.VersionSpec{Application: app.Name, Version: version, Image: image})
	}
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("a version that serves is not recorded: undo goes back to it as long as it runs", "application", app.Name, "version", version, "error", err)
	}
}

// imageOf is what a version's provider says; empty: it does not, or nobody starts it.
func (e *Engine) imageOf(ctx context.Context, app *v1alpha1.Application, version string) (string, error) {
	if e.Instances == nil || app.Spec.Runs == nil {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	seen, err := e.Instances.Observe(ctx, instances.Target{Namespace: app.Namespace, Application: app.Name, Runs: app.Spec.Runs})
	return seen[version].Image, err
}
