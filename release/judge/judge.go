package judge

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"weft.dev/release"
)

const (
	// MinRequests that the new version must have answered at each step before a Pass: so many
	// that a version with 5% errors against 0.1% is found among them in 95 of 100 runs.
	MinRequests = 150
	// maxStrata is how many parts of the traffic are told apart; what is beyond counts as one.
	maxStrata = 64
	// lately is the number of requests over which the usual error rate is remembered.
	lately = 20000
)

// ErrorRate judges by the share of requests that were answered badly; where the question says
// so, also by the share that was answered late, in the same way.
type ErrorRate struct{}

var _ release.Judge = ErrorRate{}

// pair is the counts of both versions: cumulative, or of one window of traffic.
type pair struct {
	Old release.Counts `json:"old"`
	New release.Counts `json:"new"`
}

type window struct{ old, new release.Counts }

// memory is the judge's state: the evidence on errors, and that on latency where it is asked for.
type memory struct {
	evidence
	Latency *evidence `json:"latency,omitempty"`
}

// evidence is all that was seen of one kind of bad answers.
type evidence struct {
	// Last cumulative counts used, by stratum.
	Last map[string]pair `json:"last"`
	// All of the traffic.
	comparison
	// Parts of it, by stratum: harm in a rare one is hidden among all.
	Parts map[string]*part `json:"parts,omitempty"`
	// Step and the new version's requests in it.
	Step     int    `json:"step"`
	Answered uint64 `json:"answered"`
	// Safe is the bet that new is not worse, on all of the traffic.
	Safe mixture `json:"safe"`
	// Errors and Requests of late, both versions.
	Errors   float64 `json:"errors"`
	Requests float64 `json:"requests"`
}

// Look takes in what was answered since the last look, and judges. The first
// look only notes where the counters stand. A state that cannot be read starts
// anew: evidence is lost, never invented.
func (ErrorRate) Look(state json.RawMessage, q release.Question) (json.RawMessage, release.Verdict) {
	m := newMemory()
	if len(state) > 0 && json.Unmarshal(state, m) != nil || !m.sound() {
		m = newMemory()
	}
	m.look(q)
	out, err := json.Marshal(m)
	if err != nil { // a number has left its range, which only a state made by hand can bring about
		return nil, newMemory().verdict(q)
	}
	return out, m.verdict(q)
}

func newMemory() *memory { return &memory{evidence: newEvidence()} }

func newEvidence() evidence {
	return evidence{Last: map[string]pair{}, comparison: newComparison(), Safe: newMixture(safePrior)}
}

// sound reports whether a state fits this version of the bets.
func (m *memory) sound() bool { return m.evidence.sound() && (m.Latency == nil || m.Latency.sound()) }

func (e *evidence) sound() bool {
	return e.Last != nil && e.Harm.sound(len(harmPrior)) && e.Safe.sound(len(safePrior)) && soundParts(e.Parts)
}

func (m *memory) look(q release.Question) {
	m.evidence.look(q)
	if q.Latency != nil {
		m.latency().look(late(q))
	}
}

func (e *evidence) look(q release.Question) {
	if e.Step != q.Step {
		e.Step, e.Answered = q.Step, 0
	}
	now, routes := strata(q.Traffic, q), routes(q)
	e.enter(now, routes)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		w, usable := e.window(name, now[name], q)
		if !usable {
			continue
		}
		e.take(w, q)
		if q.Reference == nil { // what was known before is known of all traffic together
			e.Parts[name].take(w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(routes)) { // the same traffic once more: its parts alone
		if w, usable := e.window(name, routes[name], q); usable && q.Reference == nil {
			e.Parts[name].take(w)
		}
	}
}

// window is what a part answered since its last usable one.
func (e *evidence) window(name string, now pair, q release.Question) (window, bool) {
	last, known := e.Last[name]
	w, usable := since(last, now, q.Reference != nil)
	if known && !usable && !restarted(last, now) {
		return window{}, false
	}
	e.Last[name] = now
	return w, known && usable
}

// take adds one window of one stratum to the evidence.
func (e *evidence) take(w window, q release.Question) {
	rate := e.rate()
	if q.Reference != nil {
		if bound := atMost(*q.Reference) + q.MaxIncrease; bound < 1 {
			betHarmAgainst(&e.Harm, w, bound)
		}
		if bound := errorRate(*q.Reference) + q.MaxIncrease; bound < 1 {
			betSafeAgainst(&e.Safe, w, rate, bound)
		}
		e.Excess += float64(w.new.Errors) - float64(w.new.Requests)*errorRate(*q.Reference)
		e.Weight += float64(w.new.Requests)
		e.see(w)
	} else {
		e.comparison.take(w)
		betSafe(&e.Safe, w, rate, q.MaxIncrease)
	}
	e.Answered += w.new.Requests
	both := w.old.Add(w.new)
	fade := math.Exp(-float64(both.Requests) / lately)
	e.Errors = e.Errors*fade + float64(both.Errors)
	e.Requests = e.Requests*fade + float64(both.Requests)
}

// rate is the usual error rate of late; never 0, which would bet everything on no error ever.
func (e *evidence) rate() float64 { return min(0.5, (e.Errors+0.1)/(e.Requests+200)) }

// routes are the cumulative counts of both versions by route, where there are several: one alone is all.
func routes(q release.Question) map[string]pair {
	all := strata(q.Routes, q)
	if len(all) < 2 {
		return nil
	}
	named := make(map[string]pair, len(all))
	for name, p := range all {
		named["route "+name] = p
	}
	return named
}

// strata are the cumulative counts of both versions by stratum.
func strata(traffic map[string]map[string]release.Counts, q release.Question) map[string]pair {
	out := map[string]pair{}
	names := map[string]bool{}
	for _, version := range []string{q.Old, q.New} {
		for name := range traffic[version] {
			names[name] = true
		}
	}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		into := name
		if i >= maxStrata {
			into = "(others)"
		}
		p := out[into]
		p.Old = p.Old.Add(traffic[q.Old][name])
		p.New = p.New.Add(traffic[q.New][name])
		out[into] = p
	}
	return out
}

// since is what happened between two states of the counters. It is unusable
// while a counter restarted, while only one version was asked (it waits for the
// other: nothing to compare), and while an error is counted before its request.
func since(last, now pair, alone bool) (window, bool) {
	if restarted(last, now) {
		return window{}, false
	}
	w := window{now.Old.Since(last.Old), now.New.Since(last.New)}
	if alone {
		w.old = release.Counts{}
	}
	asked := w.new.Requests > 0 && (alone || w.old.Requests > 0)
	return w, asked && w.old.Errors <= w.old.Requests && w.new.Errors <= w.new.Requests
}

// restarted reports whether a counter is smaller than it was: that window is lost.
func restarted(last, now pair) bool {
	return now.Old.Restarted(last.Old) || now.New.Restarted(last.New)
}

// atMost is how high the rate behind these counts may be, 99% sure. Without any request it is 0:
// what errs then is not excused by what is not known.
func atMost(c release.Counts) float64 {
	if c.Requests == 0 {
		return 0
	}
	_, high := Between(c, 2.33)
	return high
}

// Between is what the rate of errors behind these counts may be, within z standard deviations: Wilson's
// interval, which is true of few requests, and of none that failed, too. Without any request it is 0 to 1.
func Between(c release.Counts, z float64) (low, high float64) {
	if c.Requests == 0 {
		return 0, 1
	}
	n, p := float64(c.Requests), errorRate(c)
	middle, half := p+z*z/(2*n), z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, (middle-half)/(1+z*z/n)), min(1, (middle+half)/(1+z*z/n))
}

func errorRate(c release.Counts) float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.Errors) / float64(c.Requests)
}
