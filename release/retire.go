package release

import (
	"context"
	"errors"
	"slices"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

const (
	// keepReleases of each application that have ended, keepFor after their end, are kept at most; sweepEvery is when
	// the others go. What ended within stayFor stays: a run may still have to see how.
	keepReleases = 50
	keepFor      = 30 * 24 * time.Hour
	stayFor      = 24 * time.Hour
	sweepEvery   = time.Hour
)

// sweep deletes releases that are too old, from time to time.
func (e *Engine) sweep(ctx context.Context) {
	for {
		if err := e.retire(ctx); err != nil && ctx.Err() == nil {
			e.Log.Warn("old releases are not deleted", "error", err, "retry", sweepEvery)
		}
		timer := time.NewTimer(sweepEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (e *Engine) retire(ctx context.Context) error {
	all, err := e.Releases.List(ctx, "")
	if err != nil {
		return err
	}
	apps, err := e.Applications.List(ctx, "")
	if err != nil {
		return err
	}
	var faults []error
	for _, rel := range outlived(all, apps, e.Now()) {
		faults = append(faults, e.Delete(ctx, rel.Namespace, rel.Name))
	}
	return errors.Join(faults...)
}

// outlived are the releases that have ended and that nobody needs: neither the newest of their application, nor
// those that brought into service what serves, or what served before, to which undo goes back.
func outlived(all []*v1alpha1.Release, apps []*v1alpha1.Application, now time.Time) (old []*v1alpha1.Release) {
	ended := map[loop.Key][]*v1alpha1.Release{} // by application
	for _, rel := range all {
		if Final(rel.Status.Phase) && !begun(rel) {
			of := loop.Key{Namespace: rel.Namespace, Name: rel.Spec.Application}
			ended[of] = append(ended[of], rel)
		}
	}
	needed := map[loop.Key]*v1alpha1.Application{}
	for _, app := range apps {
		needed[loop.Key{Namespace: app.Namespace, Name: app.Name}] = app
	}
	for of, list := range ended {
		slices.SortFunc(list, func(a, b *v1alpha1.Release) int { return endOf(b).Compare(endOf(a)) })
		brought := map[string]bool{} // versions of which a newer release is kept
		for i, rel := range list {
			age := now.Sub(endOf(rel))
			if serves(needed[of], rel) && !brought[rel.Spec.Version] {
				brought[rel.Spec.Version] = true
				continue
			}
			if age > keepFor || i >= keepReleases && age > stayFor {
				old = append(old, rel)
			}
		}
	}
	return old
}

// serves reports whether a release brought into service what serves now, or served before.
func serves(app *v1alpha1.Application, rel *v1alpha1.Release) bool {
	return app != nil && rel.Status.Phase == v1alpha1.ReleaseSucceeded &&
		(rel.Spec.Version == app.Status.Version || rel.Spec.Version == app.Status.Previous)
}

// endOf is when a release ended: the last that happened.
func endOf(rel *v1alpha1.Release) time.Time {
	if n := len(rel.Status.Events); n > 0 {
		return rel.Status.Events[n-1].Time.Time
	}
	return rel.CreationTimestamp.Time
}
