package strategy

import (
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

// between is the time between shifts of a way back that goes in parts.
const between = time.Second

// retreat takes the new version out of traffic as fast as instances of the old one are
// ready: that is told to have all of them again, and gets what it can take meanwhile.
func (r *run) retreat() release.Outcome {
	if r.course.manner().yields {
		return r.exchange()
	}
	least := r.leastWeight()
	switch {
	case least == 0:
		return r.goBack()
	case least < r.m.Weight && r.Now.Sub(r.m.Since) >= between:
		return r.write(least, "")
	case !r.landed():
		return r.act("")
	}
	r.grow(r.m.From, r.m.Capacity)
	return r.await()
}

// exchange is the way back where both versions must not run: the new one ends, the old one
// starts, and traffic comes last.
func (r *run) exchange() release.Outcome {
	from := r.m.From
	ended := r.Facts.Instances != nil && r.shrink(r.Config.Version, 0) && r.grow(from, r.m.Capacity)
	switch {
	case ended && r.have(from) >= r.m.Capacity, r.have(from) > 0 && r.overdue():
		return r.goBack()
	case !r.landed():
		return r.act("")
	}
	return r.await()
}

func (r *run) goBack() release.Outcome {
	r.m.Returned = true
	return r.write(0, "")
}

// overdue reports whether the way back has taken too long to be particular.
func (r *run) overdue() bool { return r.Now.Sub(r.m.BackAt) >= r.limits.Deadline }

// leastWeight is the least share of the new version that the old one's ready instances allow.
func (r *run) leastWeight() int32 {
	have, capacity := r.have(r.m.From), r.m.Capacity
	switch {
	case r.m.Weight == 0, have > 0 && have >= capacity:
		return 0
	case have == 0:
		return r.m.Weight
	case r.Facts.Healthy[r.Config.Version] == 0, r.overdue():
		return 0 // few are better than none
	}
	return min(r.m.Weight, 100-int32(have*100/capacity))
}

// await waits for the old version, and ends where there will be nothing to go back to.
func (r *run) await() release.Outcome {
	from := r.m.From
	missing := fmt.Sprintf("%s, but %s has %d of %d ready instances to go back to%s", r.m.Back, from, r.have(from), r.m.Capacity, r.trouble(from))
	refused := r.refused() && r.m.Order.Version == from
	if r.have(from) == 0 && (refused || r.Facts.Instances[from].Failed || r.overdue()) {
		return r.end(v1alpha1.ReleaseFailed, fmt.Sprintf("%s: traffic stays as it is, %s at %d%%", missing, r.Config.Version, r.m.Weight))
	}
	return r.stay(v1alpha1.ReleaseRollingBack, look, missing+": waiting for them")
}

// restored brings instances to what they were before the release, once the new version has
// no traffic, and reports whether they are.
func (r *run) restored() bool {
	if !r.crewed() {
		return true
	}
	had := r.m.Had
	if r.course.manner().yields {
		had = 0
	}
	return r.Facts.Instances != nil && r.grow(r.m.From, r.m.Capacity) && r.drained() && r.shrink(r.Config.Version, had) && r.settle(r.m.From)
}

// returned ends the way back when every proxy has applied it. One that has not
// within the deadline must not stop the next release.
func (r *run) returned() release.Outcome {
	late := r.Now.Sub(r.m.Since) >= r.limits.Deadline
	applied := r.Facts.Applied.Done()
	switch {
	case applied && r.restored():
		return r.end(v1alpha1.ReleaseRolledBack, r.m.Back)
	case applied && (late || r.refused()):
		return r.end(v1alpha1.ReleaseRolledBack, fmt.Sprintf("%s; instances are not as before%s", r.m.Back, r.trouble(r.Config.Version)))
	case late:
		return r.end(v1alpha1.ReleaseRolledBack, fmt.Sprintf("%s (after %s: %s)", r.m.Back, r.limits.Deadline, r.spread()))
	case applied:
		return r.stay(v1alpha1.ReleaseRollingBack, look, fmt.Sprintf("%s (instances become what they were%s)", r.m.Back, r.trouble(r.Config.Version)))
	}
	return r.stay(v1alpha1.ReleaseRollingBack, quick, fmt.Sprintf("%s (%s)", r.m.Back, r.spread()))
}
