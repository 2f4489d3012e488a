package strategy

import (
	"fmt"
	"time"

	"weft.dev/release"
)

// BlueGreen gives the new version everything at once, when it has as many instances
// as the old one, and compares it with what the old one did just before.
func BlueGreen(j release.Judge) release.Strategy { return walker{blueGreen{}, j} }

type blueGreen struct{}

const (
	// historyRequests and historyTime end, whichever is first, the look at the old version before the switch.
	historyRequests = 3000
	historyTime     = 30 * time.Second
)

func (blueGreen) manner() manner { return manner{keeps: true} }

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
