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

// find is the worst of what both kinds of evidence amount to. A version has two chances to be failed by
// accident where there are two, so each needs twice the worth; a pass needs both anyhow.
func (m *memory) find(q release.Question) finding {
	if q.Latency == nil {
		return m.evidence.find(q)
	}
	return min(m.evidence.find(q), m.latency().find(late(q)))
}

// find needs certainty and size to fail a version: a difference beyond chance
// that is smaller than the allowed one is no harm. And no bet passes one against the plain estimate.
func (e *evidence) find(q release.Question) finding {
	allowed, part := e.increase() <= q.MaxIncrease, e.worst(q)
	switch {
	case e.everywhere(q), e.fails(part, q):
		return worse
	case e.Answered < MinRequests:
		return fewAnswers
	case !allowed, part != "":
		return suspicious
	case q.Gate == release.NoHarmSeen:
		return harmless
	case e.Safe.worth() >= need(q):
		return notWorse
	}
	return unshown
}

// everywhere reports whether all of the traffic together fails the version.
func (e *evidence) everywhere(q release.Question) bool {
	return e.Harm.worth() >= e.shared()*needToFail(q) && e.increase() > q.MaxIncrease
}

// need is the worth at which a bet has refuted its hypothesis.
func need(q release.Question) float64 { return 1 / (1 - q.Confidence) }

// needToFail is the worth at which one bet on harm fails a version.
func needToFail(q release.Question) float64 {
	if q.Latency != nil {
		return 2 * need(q)
	}
	return need(q)
}

func (m *memory) verdict(q release.Question) release.Verdict {
	v := release.Verdict{Kind: release.Continue, New: m.Seen.New, Old: m.Seen.Old}
	found := m.find(q)
	switch found {
	case worse:
		v.Kind = release.Fail
	case harmless, notWorse:
		v.Kind = release.Pass
	}
	v.Why = m.facts(q, "badly", q.New+" answered no request") + m.retries() + m.words(m.evidence.find(q), q)
	if q.Latency != nil {
		e, asked := m.latency(), late(q)
		v.Why += "; " + e.facts(asked, "in over "+q.Latency.SlowerThan.String(), "no answer of "+q.New+" was timed") + e.words(e.find(asked), asked)
	}
	return v
}

// words is a finding as people say it.
func (e *evidence) words(f finding, q release.Question) string {
	harm, safe := number(e.Harm.worth()), number(e.Safe.worth())
	need, needToFail := number(need(q)), number(e.shared()*needToFail(q))
	margin := number(100*q.MaxIncrease) + " points"
	name := e.worst(q)
	if name != "" && (f == worse && !e.everywhere(q) || f == suspicious && e.increase() <= q.MaxIncrease) {
		return e.partWords(name, f, q)
	}
	switch f {
	case worse:
		return fmt.Sprintf(": worse beyond chance (e=%s >= %s); allowed is +%s", harm, needToFail, margin) + e.where(name, q)
	case fewAnswers:
		return fmt.Sprintf("; %d of %d requests at this share", e.Answered, MinRequests)
	case suspicious:
		return fmt.Sprintf(": %s, but it may be chance (e=%s of %s); allowed is +%s", points(e.increase()), harm, needToFail, margin)
	case harmless:
		return fmt.Sprintf(": nothing speaks against it (e=%s of %s)", harm, needToFail)
	case notWorse:
		sure := strconv.FormatFloat(100*q.Confidence, 'g', 6, 64)
		return fmt.Sprintf(": at most %s worse, %s%% sure (e=%s >= %s)", margin, sure, safe, need)
	}
	return fmt.Sprintf(": not shown yet that it is at most %s worse (e=%s of %s)", margin, safe, need)
}

// partWords is what one part alone amounts to, where all together do not.
func (e *evidence) partWords(name string, f finding, q release.Question) string {
	told := e.Parts[name].words(name)
	harm, need := number(e.Parts[name].Harm.worth()), number(e.partNeed(name, q))
	if f == worse {
		return fmt.Sprintf("%s, worse beyond chance (e=%s >= %s); allowed is +%s points", told, harm, need, number(100*q.MaxIncrease))
	}
	return fmt.Sprintf("%s, but it may be chance (e=%s of %s); allowed is +%s points", told, harm, need, number(100*q.MaxIncrease))
}

// where is the part that carries the harm, where the others together show none.
func (e *evidence) where(name string, q release.Question) string {
	if name == "" {
		return ""
	}
	p := e.Parts[name]
	others := comparison{Excess: e.Excess - p.Excess, Weight: e.Weight - p.Weight}
	if others.increase() > q.MaxIncrease {
		return ""
	}
	return p.words(name)
}

func (p *part) words(name string) string {
	return fmt.Sprintf("; of %s alone %d of %d against %d of %d", name,
		p.Seen.New.Errors, p.Seen.New.Requests, p.Seen.Old.Errors, p.Seen.Old.Requests)
}

// facts is the counts as people say them: none, where there are none.
func (e *evidence) facts(q release.Question, how, none string) string {
	if e.Seen.New.Requests == 0 {
		return none
	}
	old, when := e.Seen.Old, ""
	if q.Reference != nil {
		old, when = *q.Reference, " before it"
	}
	return fmt.Sprintf("%s answered %d of %d requests %s (%s%%), %s %d of %d (%s%%)%s",
		q.New, e.Seen.New.Errors, e.Seen.New.Requests, how, number(100*errorRate(e.Seen.New)),
		q.Old, old.Errors, old.Requests, number(100*errorRate(old)), when)
}

// retries says how many of the requests are no request of a person: where they are many, one bad answer was counted as several.
func (e *evidence) retries() string {
	if e.Seen.New.Retries+e.Seen.Old.Retries == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d and %d of these were retries)", e.Seen.New.Retries, e.Seen.Old.Retries)
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
