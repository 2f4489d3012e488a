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
	Part     *Part // of the traffic that speaks most against the new version; nil: none speaks against it
}

// Part is what one caller or route amounts to.
type Part struct {
	Name           string
	Old, New       release.Counts
	Increase       float64
	Harm, NeedHarm float64 // worth that it alone fails the version, and at which it does
}

// Read is the report of a state that ErrorRate gave; false: there is none yet.
func Read(state json.RawMessage, limits release.Limits) (r Report, ok bool) {
	m := newMemory()
	if len(state) == 0 || json.Unmarshal(state, m) != nil || !m.sound() {
		return r, false
	}
	q := release.Question{Confidence: limits.Confidence, Latency: limits.Latency, MaxIncrease: limits.MaxIncrease}
	r = Report{
		Old: m.Seen.Old, New: m.Seen.New, Answered: m.Answered, Increase: m.increase(),
		Harm: m.Harm.worth(), Safe: m.Safe.worth(), NeedHarm: m.shared() * needToFail(q), NeedSafe: need(q),
	}
	if name := m.worst(q); name != "" {
		p := m.Parts[name]
		r.Part = &Part{name, p.Seen.Old, p.Seen.New, p.increase(), p.Harm.worth(), m.partNeed(name, q)}
	}
	return r, true
}
