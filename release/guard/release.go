package guard

import (
	"time"

	"weft.dev/api/v1alpha1"
)

// Hold says why a release must not begin or go further; "": it may. Who started it needs the
// role only until it has begun.
func (r Rails) Hold(rel *v1alpha1.Release, seed string, now time.Time) string {
	p := r.starter(rel)
	if rel.Status.Phase == "" || rel.Status.Phase == v1alpha1.ReleasePending {
		if why := Refuses(r.Application, MayRelease, p); why != "" {
			return why
		}
	}
	return r.Gate(Work{Namespace: rel.Namespace, Application: rel.Spec.Application, Groups: p.Groups, Seed: seed}, now).Why
}

// starter is who started a release.
func (r Rails) starter(rel *v1alpha1.Release) Person {
	return r.person(rel.Spec.By, rel.Spec.Groups, rel.CreationTimestamp.Time)
}
