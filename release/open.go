package release

import (
	"sync"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
)

// open are the releases that have not ended, as the engine was told last: so that a step, of which there
// are many, reads no release but its own.
type open struct {
	mu  sync.Mutex
	all map[loop.Key]*v1alpha1.Release // never changed
}

// see takes in a release, and reports whether it is open.
func (s *open) see(rel *v1alpha1.Release, deleted bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := loop.Key{Namespace: rel.Namespace, Name: rel.Name}
	if deleted || Final(rel.Status.Phase) && !begun(rel) {
		delete(s.all, k)
		return false
	}
	s.all[k] = rel
	return true
}

// beside are those of the application of rel.
func (s *open) beside(rel *v1alpha1.Release) (all []*v1alpha1.Release) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.all {
		if k.Namespace == rel.Namespace && o.Spec.Application == rel.Spec.Application {
			all = append(all, o)
		}
	}
	return all
}
