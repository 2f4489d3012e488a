package main

import (
	"math"
	"math/rand/v2"

	"weft.dev/release"
)

const (
	// horizon is how long anybody may watch a release, seconds.
	horizon = 3600
	// rps is the service's requests a second.
	rps = 200
	// share that the canary gets, and, for judges that need a fresh copy of the old version, as much again for that.
	share = 0.05
)

// second is what the three sides answered in it.
type second struct{ old, baseline, canary release.Counts }

// stream says how requests fail.
type stream struct {
	name string
	// old and canary are the usual rates of errors.
	old, canary float64
	// odd says that the canary is worse in one of so many minutes only; 0: always.
	odd int
	// shared and own are standard deviations of the log-odds of erring: of what hits all sides alike, and of what
	// each has for itself. Both remember: two values a minute apart correlate by 0.8.
	shared, own float64
}

// worse reports whether the canary ought to be stopped.
func (s stream) worse() bool { return s.canary > s.old }

// remembers is the correlation of two values that are a second apart.
var remembers = math.Pow(0.8, 1./60)

// drift is a normal number that changes slowly.
type drift float64

func newDrift(r *rand.Rand) drift { return drift(r.NormFloat64()) }

func (d *drift) next(r *rand.Rand) float64 {
	*d = drift(remembers*float64(*d) + math.Sqrt(1-remembers*remembers)*r.NormFloat64())
	return float64(*d)
}

// draw is one hour of a stream.
func (s stream) draw(r *rand.Rand) []second {
	out := make([]second, horizon)
	all, old, baseline, canary := newDrift(r), newDrift(r), newDrift(r), newDrift(r)
	first := r.IntN(max(1, s.odd)) // the first bad minute
	for i := range out {
		common := s.shared * all.next(r)
		rate := s.canary
		if s.odd > 0 && i/60%s.odd != first {
			rate = s.old
		}
		out[i] = second{
			old:      answered(r, rps*(1-2*share), s.old, common+s.own*old.next(r)),
			baseline: answered(r, rps*share, s.old, common+s.own*baseline.next(r)),
			canary:   answered(r, rps*share, rate, common+s.own*canary.next(r)),
		}
	}
	return out
}

// answered is what came of requests at a rate of errors whose log-odds are moved.
func answered(r *rand.Rand, requests, rate, by float64) release.Counts {
	odds := rate / (1 - rate) * math.Exp(by)
	c := release.Counts{Requests: uint64(requests)}
	for log, at := math.Log1p(-odds/(1+odds)), 0.0; ; c.Errors++ {
		at += math.Floor(math.Log(1-r.Float64())/log) + 1 // the request that fails next
		if at > requests {
			return c
		}
	}
}
