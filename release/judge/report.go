package judge

import (
	"encoding/json"

	"weft.dev/release"
)

// Report is what a judge's state amounts to, for people who look at it. A worth grows with what speaks
// for the bet, and has refuted the contrary once it is what is needed.
type Report struct {
	Old, New release.Counts // all that was compared
	Answered uint64         // by the new version at this step, of MinRequests
	Increase float64        // of the share of bad answers, estimated
	Harm     float64        // worth of the bet that the new version is worse
	Safe     float64        // and of the one that it is not worse by more than is allowed
	NeedHarm float64        // of which so much decides
	NeedSafe float64
}

// Read is the report of a state that ErrorRate gave; false: there is none yet.
func Read(state json.RawMessage, limits release.Limits) (r Report, ok bool) {
	m := newMemory()
	if len(state) == 0 || json.Unmarshal(state, m) != nil || !m.sound() {
		return r, false
	}
	q := release.Question{Confidence: limits.Confidence, Latency: limits.Latency}
	return Report{
		Old: m.Seen.Old, New: m.Seen.New, Answered: m.Answered, Increase: m.increase(),
		Harm: m.Harm.worth(), Safe: m.Safe.worth(), NeedHarm: m.shared() * needToFail(q), NeedSafe: need(q),
	}, true
}
