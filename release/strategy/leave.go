package strategy

import (
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

const (
	defaultFloor   = 100
	defaultKeepFor = 10 * time.Minute
)

// leave ends a release whose new version has everything: the old one is kept for a
// while, where the strategy says so and no other release waits, and ends after its requests have.
func (r *run) leave(why string) release.Outcome {
	if !r.crewed() {
		return r.end(v1alpha1.ReleaseSucceeded, why)
	}
	if r.m.Kept.IsZero() {
		r.m.Kept, r.m.Result = r.Now, why
		r.note(why)
	}
	from, since, keep := r.m.From, r.Now.Sub(r.m.Kept), r.keepFor()
	switch {
	case from != "" && r.Behind == from && !r.m.Leaving:
		return r.end(v1alpha1.ReleaseSucceeded, fmt.Sprintf("%s; %s is left as it is, for the next release goes back to it", r.m.Result, from))
	case since >= keep+r.limits.Deadline, r.m.Leaving && r.refused():
		return r.end(v1alpha1.ReleaseSucceeded, fmt.Sprintf("%s; %s was not ended%s", r.m.Result, from, r.trouble(from)))
	case r.Facts.Instances == nil:
		return r.linger("instances cannot be seen" + r.trouble(from))
	case from != "" && !r.drained():
		return r.linger(fmt.Sprintf("requests to %s have %s to end", from, drain))
	case since < keep && r.Behind == "":
		r.keep(from)
		return r.linger(fmt.Sprintf("%s is kept until %s, an abort goes back to it", from, r.m.Kept.Add(keep).UTC().Format("15:04:05Z")))
	}
	r.m.Leaving = true
	if !r.settle(r.Config.Version) || !r.ended(from) {
		return r.linger(fmt.Sprintf("%s ends%s", from, r.trouble(from)))
	}
	return r.end(v1alpha1.ReleaseSucceeded, r.m.Result)
}

// ended has the old version end, and reports whether it has.
func (r *run) ended(from string) bool {
	if r.course.manner().deletes {
		return r.remove(from)
	}
	return r.shrink(from, 0)
}

// keep holds the old version at its floor, whatever an autoscaler thinks of it.
func (r *run) keep(from string) {
	floor := defaultFloor
	if f := r.Config.Strategy.Floor; f != nil {
		floor = int(*f)
	}
	n := (r.m.Capacity*floor + 99) / 100
	if r.grow(from, n) {
		r.shrink(from, n)
	}
}

// keepFor is how long the old version stays.
func (r *run) keepFor() time.Duration {
	switch s := r.Config.Strategy; {
	case !r.course.manner().keeps || r.m.From == "":
		return 0
	case s.KeepFor != nil:
		return s.KeepFor.Duration
	}
	return defaultKeepFor
}

func (r *run) linger(what string) release.Outcome {
	return r.stay(v1alpha1.ReleaseProgressing, look, fmt.Sprintf("%s; %s", r.m.Result, what))
}
