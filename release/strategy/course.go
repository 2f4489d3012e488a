package strategy

import (
	"fmt"
	"time"

	"weft.dev/release"
)

// course is what strategies differ in.
type course interface {
	// shares of the new version, in percent, one for each stage. The first is 0: its private address.
	shares(release.Config) []int32
	// gate says whether the run may leave its stage, whose share every proxy has applied.
	gate(*run) release.Verdict
}

// Canary gives the new version small shares first. Early steps need enough requests
// that a bad version would have shown; the last one before 100% needs proof that it is not worse.
func Canary(j release.Judge) release.Strategy { return walker{canary{}, j} }

// BlueGreen gives the new version everything at once, when it has as many instances
// as the old one, and compares it with what the old one did just before.
func BlueGreen(j release.Judge) release.Strategy { return walker{blueGreen{}, j} }

type canary struct{}

var defaultSteps = []int32{5, 25, 50, 100}

func (canary) shares(c release.Config) []int32 {
	steps := c.Strategy.Steps
	if len(steps) == 0 {
		steps = defaultSteps
	}
	out := append([]int32{0}, steps...)
	if out[len(out)-1] != 100 {
		out = append(out, 100)
	}
	return out
}

func (c canary) gate(r *run) release.Verdict {
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

type blueGreen struct{}

const (
	// historyRequests and historyTime end, whichever is first, the look at the old version before the switch.
	historyRequests = 3000
	historyTime     = 30 * time.Second
)

func (blueGreen) shares(release.Config) []int32 { return []int32{0, 100} }

func (blueGreen) gate(r *run) release.Verdict {
	if r.m.Stage == 1 {
		return r.ask(release.NotWorse)
	}
	now := total(r.Facts.Traffic[r.m.From])
	if r.m.Start == nil || now.Restarted(*r.m.Start) {
		r.m.Start = &now
	}
	before := now.Since(*r.m.Start)
	r.m.Reference = &before
	why := fmt.Sprintf("%s: %s answered %d of %d requests badly", r.private(), r.m.From, r.m.Reference.Errors, r.m.Reference.Requests)
	if r.m.Reference.Requests >= historyRequests || r.Now.Sub(r.m.Since) >= historyTime {
		return release.Verdict{Kind: release.Pass, Why: why}
	}
	return release.Verdict{Kind: release.Continue, Why: why + " so far"}
}

func total(strata map[string]release.Counts) (sum release.Counts) {
	for _, c := range strata {
		sum = sum.Add(c)
	}
	return sum
}
