package strategy

import "weft.dev/release"

// Canary gives the new version small shares first. Early steps need enough requests
// that a bad version would have shown; the last one before 100% needs proof that it is not worse.
func Canary(j release.Judge) release.Strategy { return walker{canary{}, j} }

type canary struct{}

var defaultSteps = []int32{5, 25, 50, 100}

func (canary) manner() manner { return manner{stepped: true, keeps: true} }

func (canary) shares(c release.Config) []int32 { return rising(c, defaultSteps) }

func (canary) gate(r *run) release.Verdict {
	shares := r.shares()
	switch last := len(shares) - 1; r.m.Stage {
	case 0:
		return release.Verdict{Kind: release.Pass, Why: r.private()}
	case last:
		return release.Verdict{Kind: release.Pass, Why: r.everything()}
	case last - 1:
		return r.ask(release.NotWorse)
	}
	return r.ask(release.NoHarmSeen)
}
