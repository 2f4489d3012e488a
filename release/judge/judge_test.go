package judge

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"weft.dev/release"
)

// The expected worth of every bet is at most what it was, for every pair of rates
// that its hypothesis allows: summed exactly over all outcomes of a window.
func TestBetsAreFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, n := rapid.Uint64Range(1, 12).Draw(t, "old"), rapid.Uint64Range(1, 12).Draw(t, "new")
		oldRate := rapid.Float64Range(0.001, 0.9).Draw(t, "oldRate")
		margin := rapid.Float64Range(0.001, 0.5).Draw(t, "margin")
		guess := rapid.Float64Range(0.0005, 0.5).Draw(t, "guess")
		odds := rapid.Float64Range(0.01, tolerated).Draw(t, "odds") * oldRate / (1 - oldRate)
		harm := expected(o, n, oldRate, odds/(1+odds), harmPrior, func(m *mixture, w window) { betHarm(m, w) })
		if harm > 1+1e-9 {
			t.Errorf("the bet on harm grows by %v although there is none", harm)
		}
		newRate := min(1, oldRate+margin+rapid.Float64Range(0, 0.3).Draw(t, "beyond"))
		safe := expected(o, n, oldRate, newRate, safePrior, func(m *mixture, w window) { betSafe(m, w, guess, margin) })
		if oldRate+margin < 1 && safe > 1+1e-6 {
			t.Errorf("the bet on safety grows by %v although new is worse by more than the margin", safe)
		}
	})
}

// expected is the mean worth after one window, over all its outcomes.
func expected(o, n uint64, oldRate, newRate float64, prior []float64, bet func(*mixture, window)) float64 {
	sum := 0.0
	for i := range o + 1 {
		for j := range n + 1 {
			w := window{release.Counts{Requests: o, Errors: i}, release.Counts{Requests: n, Errors: j}}
			m := newMixture(prior)
			bet(&m, w)
			sum += choose(o, i) * choose(n, j) * math.Exp(logBernoulli(w.old, oldRate)+logBernoulli(w.new, min(newRate, 1-1e-12))+m.Log)
		}
	}
	return sum
}

func choose(n, k uint64) float64 {
	c := 1.0
	for i := range k {
		c = c * float64(n-i) / float64(i+1)
	}
	return c
}

// feed looks once for each interval of errors out of each requests, and returns the last verdict but stops at a decision.
func feed(q release.Question, each uint64, oldErrors, newErrors []uint64) release.Verdict {
	var state json.RawMessage
	var old, new release.Counts
	look := func() release.Verdict {
		q.Traffic = traffic(old, new)
		var v release.Verdict
		state, v = ErrorRate{}.Look(state, q)
		return v
	}
	v := look()
	for i := range oldErrors {
		old = old.Add(release.Counts{Requests: each, Errors: oldErrors[i]})
		new = new.Add(release.Counts{Requests: each, Errors: newErrors[i]})
		if v = look(); v.Kind != release.Continue {
			break
		}
	}
	return v
}

func traffic(old, new release.Counts) map[string]map[string]release.Counts {
	return map[string]map[string]release.Counts{"v2": {"": old}, "v3": {"": new}}
}

func repeat(n int, x ...uint64) (out []uint64) {
	for range n {
		out = append(out, x...)
	}
	return out
}

// What the Mann-Whitney judges of other products pass in silence (spinnaker #6278,
// kayenta #426 and #780, as errors out of 1,000 or 100 requests an interval).
func TestKnownBlindSpots(t *testing.T) {
	for _, c := range []struct {
		name     string
		each     uint64
		old, new []uint64
		want     release.Kind
	}{
		{"most intervals are bad", 1000, repeat(10, 1), append(repeat(7, 100), repeat(3, 1)...), release.Fail},
		{"sparse errors against none", 100, repeat(6, 0), []uint64{0, 1, 2, 1, 0, 0}, release.Continue},
		{"sparse errors go on", 100, repeat(24, 0), repeat(4, 0, 1, 2, 1, 0, 0), release.Fail},
		{"every fifth interval is bad", 100, repeat(20, 0), repeat(4, 0, 0, 0, 0, 10), release.Fail},
		{"bad from the first request", 20, repeat(3, 0), repeat(3, 20), release.Fail},
		{"both fail everything", 1000, repeat(10, 1000), repeat(10, 1000), release.Continue},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := feed(ask, c.each, c.old, c.new); v.Kind != c.want {
				t.Errorf("%s: %s, want %s", v.Why, v.Kind, c.want)
			}
		})
	}
}

func TestSentences(t *testing.T) {
	early := ask
	early.Gate = release.NoHarmSeen
	for _, c := range []struct {
		q        release.Question
		each     uint64
		old, new []uint64
		want     string
	}{
		{ask, 1000, repeat(1, 1), repeat(1, 50), "v3 answered 50 of 1000 requests badly (5%), v2 1 of 1000 (0.1%): worse beyond chance (e="},
		{ask, 1000, repeat(10, 1), repeat(10, 1), "): at most 0.5 points worse, 99% sure (e="},
		{ask, 100, repeat(2, 0), repeat(2, 0), ": not shown yet that it is at most 0.5 points worse (e="},
		{ask, 100, repeat(2, 0), repeat(2, 1), ": +1 points, but it may be chance (e="},
		{early, 100, repeat(1, 0), repeat(1, 0), "; 100 of 150 requests at this share"},
		{early, 100, repeat(2, 0), repeat(2, 0), ": nothing speaks against it (e="},
		{ask, 0, repeat(2, 0), repeat(2, 0), "v3 answered no request; 0 of 150 requests at this share"},
	} {
		if v := feed(c.q, c.each, c.old, c.new); !strings.Contains(v.Why, c.want) {
			t.Errorf("got  %s\nwant %s", v.Why, c.want)
		}
	}
}

// Against what the old version did before, where it serves nothing now.
func TestReference(t *testing.T) {
	q := ask
	q.Reference = &release.Counts{Requests: 4000, Errors: 4}
	if v := feed(q, 100, repeat(30, 0), repeat(30, 0)); v.Kind != release.Pass {
		t.Errorf("a good version: %s %s", v.Kind, v.Why)
	}
	if v := feed(q, 100, repeat(30, 0), repeat(30, 5)); v.Kind != release.Fail || !strings.Contains(v.Why, "v2 4 of 4000 (0.1%) before it: worse") {
		t.Errorf("a bad version: %s %s", v.Kind, v.Why)
	}
}

// A version that turns bad after an hour of health is found about as fast as one that is bad at once.
func TestLateHarm(t *testing.T) {
	r, m := rand.New(rand.NewPCG(3, 3)), newMemory()
	for range 3600 {
		m.take(second(r, 200, 0.05, 0.001, 0.001), ask)
	}
	healthy := m.Seen.New.Requests
	for range 200 {
		m.take(second(r, 200, 0.05, 0.001, 0.05), ask)
		if m.Harm.worth() >= need(ask) {
			break
		}
	}
	if late := m.Seen.New.Requests - healthy; late > 300 {
		t.Errorf("found after %d requests", late)
	}
}

// Whatever the counters do (restart, vanish, lag), the judge neither panics nor
// passes without the requests that a Pass needs, and its state stays small JSON.
func TestCountersMisbehave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var state json.RawMessage
		counts := rapid.Custom(func(t *rapid.T) release.Counts {
			return release.Counts{Requests: rapid.Uint64Max(1e6).Draw(t, "requests"), Errors: rapid.Uint64Max(1e3).Draw(t, "errors")}
		})
		arms := rapid.MapOfN(rapid.StringMatching(`[a-z]{0,2}`), counts, 0, 100)
		for range rapid.IntRange(1, 12).Draw(t, "looks") {
			q := ask
			q.Traffic = map[string]map[string]release.Counts{"v2": arms.Draw(t, "old"), "v3": arms.Draw(t, "new")}
			q.Gate = release.Gate(rapid.IntRange(0, 1).Draw(t, "gate"))
			var v release.Verdict
			state, v = ErrorRate{}.Look(state, q)
			if v.Kind == release.Pass && v.New.Requests < MinRequests {
				t.Fatalf("passed with %d requests: %s", v.New.Requests, v.Why)
			}
			if len(state) > 20000 {
				t.Fatalf("state of %d bytes", len(state))
			}
		}
	})
}

func TestRestartedCounterIsNotEvidence(t *testing.T) {
	look := func(state json.RawMessage, old, new release.Counts) (json.RawMessage, release.Verdict) {
		q := ask
		q.Traffic = traffic(old, new)
		return ErrorRate{}.Look(state, q)
	}
	state, _ := look(nil, release.Counts{Requests: 1e6, Errors: 10}, release.Counts{Requests: 1e5, Errors: 900})
	state, v := look(state, release.Counts{Requests: 9e5, Errors: 9}, release.Counts{Requests: 9e4, Errors: 850}) // one proxy of ten restarted
	if v.New.Requests != 0 {
		t.Errorf("counted %+v over a restart", v.New)
	}
	state, v = look(state, release.Counts{Requests: 9e5, Errors: 9}, release.Counts{Requests: 9e4 + 10, Errors: 850})
	if v.New.Requests != 0 {
		t.Errorf("counted %+v while old answered nothing to compare with", v.New)
	}
	_, v = look(state, release.Counts{Requests: 9e5 + 100, Errors: 9}, release.Counts{Requests: 9e4 + 20, Errors: 850})
	if v.New.Requests != 20 || v.Old.Requests != 100 {
		t.Errorf("counted %+v and %+v, want 20 and 100: requests that waited are not lost", v.New, v.Old)
	}
}

// Callers with different habits are compared each with itself: one that only ever
// fails, and sends most of New's requests, is no evidence against New.
func TestStrata(t *testing.T) {
	var state json.RawMessage
	var v release.Verdict
	at := map[string]map[string]release.Counts{"v2": {"bad": {}, "good": {}}, "v3": {"bad": {}, "good": {}}}
	for range 30 {
		q := ask
		q.Traffic = at
		state, v = ErrorRate{}.Look(state, q)
		at["v2"]["good"] = at["v2"]["good"].Add(release.Counts{Requests: 1000})
		at["v3"]["good"] = at["v3"]["good"].Add(release.Counts{Requests: 10})
		at["v2"]["bad"] = at["v2"]["bad"].Add(release.Counts{Requests: 10, Errors: 5})
		at["v3"]["bad"] = at["v3"]["bad"].Add(release.Counts{Requests: 100, Errors: 50})
	}
	if v.Kind == release.Fail {
		t.Error(v.Why)
	}
}

func TestUnreadableStateStartsAnew(t *testing.T) {
	for _, s := range []string{`{`, `{}`, `[]`, `{"harm":{"stake":[1]}}`, `null`} {
		if _, v := (ErrorRate{}).Look(json.RawMessage(s), ask); v.Kind != release.Continue {
			t.Errorf("%s: %s", s, v.Kind)
		}
	}
	q := askBoth()
	q.Traffic = traffic(release.Counts{}, release.Counts{})
	state, _ := ErrorRate{}.Look(nil, ask)
	state = append(state[:len(state)-1], `,"latency":{}}`...)
	if _, v := (ErrorRate{}).Look(state, q); v.Kind != release.Continue {
		t.Errorf("%s: %s", state, v.Kind)
	}
}

// The state lies in a Release's status, where a person can write anything.
func FuzzState(f *testing.F) {
	state, _ := ErrorRate{}.Look(nil, release.Question{New: "v3", Old: "v2", Confidence: 0.99, Traffic: traffic(release.Counts{}, release.Counts{})})
	f.Add([]byte(state), uint64(100), uint64(5))
	f.Fuzz(func(t *testing.T, state []byte, requests, errors uint64) {
		q := ask
		for i := range uint64(3) {
			q.Traffic = traffic(release.Counts{Requests: requests % 1e6 * i}, release.Counts{Requests: requests % 1e5 * i, Errors: errors % 1e5 * i})
			var v release.Verdict
			if state, v = (ErrorRate{}).Look(state, q); v.Why == "" {
				t.Error("a verdict without a reason")
			}
		}
	})
}
