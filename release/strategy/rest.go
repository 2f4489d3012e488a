package strategy

import (
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

// held reports whether the release has to rest where it is. One whose version has everything only
// ends. A strategy that ends the one version before it starts the other cannot rest between them.
func (r *run) held() bool {
	return r.Hold != "" && !r.course.manner().yields && r.m.Stage < len(r.shares())-1
}

// rest keeps the share and the instances, as long as the release is held. That it was may
// not cost it the time for a verdict.
func (r *run) rest() release.Outcome {
	r.m.Rested = r.Now
	return r.stay(v1alpha1.ReleaseProgressing, look, "holds at "+r.share()+": "+r.Hold)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
