package guard

import (
	"reflect"
	"slices"

	"weft.dev/api/v1alpha1"
)

// Aborted says why a person's abort of a release does not count; "": it does. What goes back is never held: an abort
// counts that weft itself asked for, or of which nobody knows whose it is.
func (r Rails) Aborted(rel *v1alpha1.Release) string {
	who := rel.Spec.Aborter
	if who == nil || r.unvouched(rel.CreationTimestamp.Time) != "" {
		return ""
	}
	return Refuses(r.Application, MayUndo, Person{who.By, who.Groups})
}

// Promoted says why a promote of a release does not count; "": it does.
func (r Rails) Promoted(rel *v1alpha1.Release) string {
	var p Person
	if who := rel.Spec.Promoter; who != nil {
		p = r.person(who.By, who.Groups, rel.CreationTimestamp.Time)
	}
	if why := Refuses(r.Application, MayApprove, p); why != "" {
		return why
	}
	return Same(r.Application, p.Name, v1alpha1.TriggerFact{By: rel.Spec.By})
}

// Releases says why a person may not make a release, or make of an old one a new one; "": they may. Old nil:
// it is made. Who aborts and promotes stands in it.
func (r Rails) Releases(old, now *v1alpha1.Release, p Person) string {
	right := MayRelease
	if now.Spec.Undo {
		right = MayUndo
	}
	before := v1alpha1.ReleaseSpec{}
	switch {
	case old == nil:
		if why := Refuses(r.Application, right, p); why != "" {
			return why
		}
	case !slices.Contains(p.Groups, masters) && !onlyWords(old, now):
		return "of a release that is there people set abort and promote, and nothing else"
	default:
		before = old.Spec
	}
	if now.Spec.Abort && !before.Abort {
		if why := r.Aborted(now); why != "" {
			return why
		}
	}
	if now.Spec.Promote && !before.Promote {
		return r.Promoted(now)
	}
	return ""
}

// onlyWords reports whether nothing but abort and promote was set between two releases.
func onlyWords(old, now *v1alpha1.Release) bool {
	words := func(r *v1alpha1.Release) v1alpha1.Release {
		s := r.Spec
		s.Abort, s.Promote, s.Aborter, s.Promoter = false, false, nil, nil
		o := v1alpha1.Release{Spec: s}
		o.Labels, o.Annotations, o.Finalizers, o.OwnerReferences = r.Labels, r.Annotations, r.Finalizers, r.OwnerReferences
		return o
	}
	taken := old.Spec.Abort && !now.Spec.Abort || old.Spec.Promote && !now.Spec.Promote
	return !taken && reflect.DeepEqual(words(old), words(now))
}

// Freezes says why a person may not make a freeze, or take it away; "": they may. All are the
// applications that there are: each one that it covers has to let them.
func Freezes(f *v1alpha1.Freeze, all []*v1alpha1.Application, p Person) string {
	if slices.Contains(p.Groups, masters) {
		return ""
	}
	if len(f.Spec.Namespaces)+len(f.Spec.Applications) == 0 {
		return "what freezes all namespaces is an administrator's: name namespaces or applications"
	}
	covered := false
	for _, a := range all {
		if !covers(f.Spec.Namespaces, a.Namespace) || !covers(f.Spec.Applications, a.Name) || !covers(f.Spec.Environments, a.Spec.Environment) {
			continue
		}
		covered = true
		if why := Refuses(a, MayFreeze, p); why != "" {
			return why
		}
	}
	if !covered {
		return "there is no application that it is about, so that nobody but an administrator may: see its names"
	}
	return ""
}
