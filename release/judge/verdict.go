package judge

import (
	"fmt"
	"math"
	"strconv"

	"weft.dev/release"
)

// finding is what the numbers amount to.
type finding int

const (
	worse      finding = iota // beyond chance and beyond what is allowed
	fewAnswers                // at this step
	suspicious                // more errors than allowed, but it may be chance
	unshown                   // that it is not worse
	harmless                  // nothing speaks against it
	notWorse                  // shown
)

// find needs certainty and size to fail a version: a difference beyond chance
// that is smaller than the allowed one is no harm. And no bet passes one against the plain estimate.
func (m *memory) find(q release.Question) finding {
	allowed := m.increase() <= q.MaxIncrease
	switch {
	case m.Harm.worth() >= need(q) && !allowed:
		return worse
	case m.Answered < MinRequests:
		return fewAnswers
	case !allowed:
		return suspicious
	case q.Gate == release.NoHarmSeen:
		return harmless
	case m.Safe.worth() >= need(q):
		return notWorse
	}
	return unshown
}

// need is the worth at which a bet has refuted its hypothesis.
func need(q release.Question) float64 { return 1 / (1 - q.Confidence) }

func (m *memory) verdict(q release.Question) release.Verdict {
	v := release.Verdict{Kind: release.Continue, New: m.Seen.New, Old: m.Seen.Old}
	found := m.find(q)
	switch found {
	case worse:
		v.Kind = release.Fail
	case harmless, notWorse:
		v.Kind = release.Pass
	}
	v.Why = m.facts(q) + m.words(found, q)
	return v
}

// words is a finding as people say it.
func (m *memory) words(f finding, q release.Question) string {
	harm, safe, need := number(m.Harm.worth()), number(m.Safe.worth()), number(need(q))
	margin := number(100*q.MaxIncrease) + " points"
	switch f {
	case worse:
		return fmt.Sprintf(": worse beyond chance (e=%s >= %s); allowed is +%s", harm, need, margin)
	case fewAnswers:
		return fmt.Sprintf("; %d of %d requests at this share", m.Answered, MinRequests)
	case suspicious:
		return fmt.Sprintf(": %s, but it may be chance (e=%s of %s); allowed is +%s", points(m.increase()), harm, need, margin)
	case harmless:
		return fmt.Sprintf(": nothing speaks against it (e=%s of %s)", harm, need)
	case notWorse:
		sure := strconv.FormatFloat(100*q.Confidence, 'g', 6, 64)
		return fmt.Sprintf(": at most %s worse, %s%% sure (e=%s >= %s)", margin, sure, safe, need)
	}
	return fmt.Sprintf(": not shown yet that it is at most %s worse (e=%s of %s)", margin, safe, need)
}

// facts is the counts as people say them.
func (m *memory) facts(q release.Question) string {
	if m.Seen.New.Requests == 0 {
		return q.New + " answered no request"
	}
	old, when := m.Seen.Old, ""
	if q.Reference != nil {
		old, when = *q.Reference, " before it"
	}
	return fmt.Sprintf("%s answered %d of %d requests badly (%s%%), %s %d of %d (%s%%)%s",
		q.New, m.Seen.New.Errors, m.Seen.New.Requests, number(100*errorRate(m.Seen.New)),
		q.Old, old.Errors, old.Requests, number(100*errorRate(old)), when)
}

// points is a difference of rates in percentage points.
func points(rate float64) string {
	s := number(100 * rate)
	if rate >= 0 {
		s = "+" + s
	}
	return s + " points"
}

// number has two digits that count, more where it is whole.
func number(x float64) string {
	switch a := math.Abs(x); {
	case a >= 1e6:
		return strconv.FormatFloat(x, 'e', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 0.1:
		return strconv.FormatFloat(math.Round(x*10)/10, 'g', -1, 64)
	case a < 1e-4:
		return "0"
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}
