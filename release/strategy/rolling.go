package strategy

import "weft.dev/release"

// Rolling moves instances and traffic together: the new version grows by a step, gets the traffic for
// it, and when that has shown no harm and the requests of before have ended, the old version shrinks by it.
func Rolling(j release.Judge) release.Strategy { return walker{rolling{}, j} }

type rolling struct{}

var rollingSteps = []int32{25, 50, 75, 100}

func (rolling) manner() manner { return manner{stepped: true, follows: true} }

func (rolling) shares(c release.Config) []int32 { return rising(c, rollingSteps) }

func (rolling) gate(r *run) release.Verdict {
	if r.m.Stage == 0 || r.m.Stage == len(r.shares())-1 {
		return atOnce(r)
	}
	return r.ask(release.NoHarmSeen)
}
