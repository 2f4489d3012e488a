package strategy

import (
	"slices"
	"time"

	"weft.dev/release"
)

// mostSeen bounds what is kept of the past of the evidence: so many looks, the newest and the first
// among them, the others as far apart as the run is long.
const mostSeen = 60

// Seen is how versions had answered at a time, all that was compared until then.
type Seen struct {
	At     time.Time `json:"at"`
	Weight int32     `json:"weight"`
	Old    Answered  `json:"old"`
	New    Answered  `json:"new"`
}

// Answered are requests, and those of them that were answered badly.
type Answered [2]uint64

func answered(c release.Counts) Answered { return Answered{c.Requests, c.Errors} }

// see keeps what a verdict is of.
func (m *memory) see(now time.Time, v release.Verdict) {
	next := Seen{now.UTC().Truncate(time.Second), m.Weight, answered(v.Old), answered(v.New)}
	n := len(m.Trail)
	switch {
	case v.New.Requests == 0:
		return
	case n > 0 && m.Trail[n-1].Weight == m.Weight && m.Trail[n-1].New == next.New && m.Trail[n-1].Old == next.Old:
		return // nothing came
	case n > 1 && m.Trail[n-1].Weight == m.Weight && next.At.Sub(m.Trail[n-2].At) < next.At.Sub(m.Trail[0].At)/mostSeen:
		m.Trail[n-1] = next
	default:
		m.Trail = append(m.Trail, next)
	}
	if len(m.Trail) <= mostSeen {
		return
	}
	i := -1
	m.Trail = slices.DeleteFunc(m.Trail, func(Seen) bool {
		i++
		return i%2 == 1 && i < mostSeen
	})
}
