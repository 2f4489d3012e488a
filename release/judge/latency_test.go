package judge

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"weft.dev/release"
)

// askBoth asks for latency, too.
func askBoth() release.Question {
	q := ask
	q.Latency = &release.LatencyLimit{SlowerThan: 500 * time.Millisecond, MaxIncrease: 0.01}
	return q
}

// watch looks n times at 1,000 answers of each version and more each time, of which so many are
// slow; it stops at a decision.
func watch(q release.Question, n int, each, oldSlow, newSlow uint64) (v release.Verdict) {
	var state json.RawMessage
	for i := range uint64(n) {
		q.Traffic = traffic(
			release.Counts{Requests: 1000 * i, Timed: each * i, Slow: oldSlow * i},
			release.Counts{Requests: 1000 * i, Timed: each * i, Slow: newSlow * i})
		if state, v = (ErrorRate{}).Look(state, q); v.Kind != release.Continue {
			break
		}
	}
	return v
}

func TestLatency(t *testing.T) {
	before := askBoth()
	before.Reference = &release.Counts{Requests: 4000, Timed: 4000, Slow: 40}
	for name, c := range map[string]struct {
		q             release.Question
		each          uint64
		old, new      uint64
		want          release.Kind
		sentence      string
		otherSentence string
	}{
		"slower":             {askBoth(), 1000, 10, 60, release.Fail, "v3 answered 60 of 1000 requests in over 500ms (6%), v2 10 of 1000 (1%): worse beyond chance (e=", "0 of 1000 requests badly"},
		"as fast":            {askBoth(), 1000, 10, 10, release.Pass, "requests in over 500ms (1%), v2 80 of 8000 (1%): at most 1 points worse, 99% sure (e=", "requests badly (0%), v2 0 of 8000 (0%): at most 0.5 points worse"},
		"a little slower":    {askBoth(), 1000, 10, 15, release.Continue, "in over 500ms (1.5%), v2", ""},
		"nothing is timed":   {askBoth(), 0, 0, 0, release.Continue, "no answer of v3 was timed; 0 of 150", "0.5 points worse, 99% sure"},
		"slower, not asked":  {ask, 1000, 10, 60, release.Pass, "badly", ""},
		"slower than before": {before, 1000, 0, 60, release.Fail, "v2 40 of 4000 (1%) before it: worse beyond chance", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := watch(c.q, 40, c.each, c.old, c.new)
			if v.Kind != c.want || !strings.Contains(v.Why, c.sentence) || !strings.Contains(v.Why, c.otherSentence) {
				t.Errorf("%s: %s; want %s: %s", v.Kind, v.Why, c.want, c.sentence)
			}
			if strings.Contains(name, "not asked") && strings.Contains(v.Why, "in over") {
				t.Errorf("latency is in the verdict: %s", v.Why)
			}
		})
	}
}

// Evidence that fails a version for errors alone does not where it might be failed for latency, too.
func TestTwoBetsNeedTwiceTheWorth(t *testing.T) {
	m := newMemory()
	m.Harm.Log, m.Excess, m.Weight = math.Log(150), 1, 10
	if f := m.find(ask); f != worse {
		t.Errorf("one bet of 150: %v", f)
	}
	if f := m.find(askBoth()); f == worse {
		t.Error("one of two bets of 150 fails")
	}
	m.Harm.Log = math.Log(201)
	if f := m.find(askBoth()); f != worse {
		t.Errorf("one of two bets of 201: %v", f)
	}
}

func TestRetriesAreNamed(t *testing.T) {
	var state json.RawMessage
	var v release.Verdict
	q := ask
	for i := range uint64(2) {
		q.Traffic = traffic(release.Counts{Requests: 1000 * i, Retries: 3 * i}, release.Counts{Requests: 100 * i, Retries: 7 * i, Errors: 5 * i})
		state, v = ErrorRate{}.Look(state, q)
	}
	if want := "v3 answered 5 of 100 requests badly (5%), v2 0 of 1000 (0%) (7 and 3 of these were retries)"; !strings.HasPrefix(v.Why, want) {
		t.Errorf("got %s\nwant %s", v.Why, want)
	}
}

// Outages in which answers are slow, and most of them bad as well, hit both versions
// alike: no more than 1% of harmless releases are aborted in them.
func TestFalseAbortsOfLatency(t *testing.T) {
	const runs = 200
	aborted, q := 0, askBoth()
	for seed := range uint64(runs) {
		r := rand.New(rand.NewPCG(seed, 21))
		m, z := newMemory(), r.NormFloat64()
		for range 600 {
			z = 0.8*z + 0.6*r.NormFloat64()
			slow := 1 / (1 + math.Exp(-(math.Log(0.01) + 1.5*z)))
			w := second(r, 200, 0.05, slow, slow)
			m.latency().take(w, late(q))
			w.old.Errors, w.new.Errors = binomial(r, w.old.Errors, 0.7), binomial(r, w.new.Errors, 0.7)
			m.take(w, q)
			if m.find(q) == worse {
				aborted++
				break
			}
		}
	}
	t.Logf("%d of %d aborted", aborted, runs)
	if aborted > runs/100 {
		t.Errorf("%d of %d harmless releases aborted, allowed are %d", aborted, runs, runs/100)
	}
}
