package judge

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"weft.dev/release"
)

var ask = release.Question{New: "v3", Old: "v2", Gate: release.NotWorse, MaxIncrease: 0.005, Confidence: 0.99}

// binomial draws by waiting times: cheap where n*p is small.
func binomial(r *rand.Rand, n uint64, p float64) uint64 {
	if p <= 0 || n == 0 {
		return 0
	}
	if p > 0.5 {
		return n - binomial(r, n, 1-p)
	}
	log, at, hits := math.Log1p(-p), 0.0, uint64(0)
	for {
		at += math.Floor(math.Log(1-r.Float64())/log) + 1
		if at > float64(n) {
			return hits
		}
		hits++
	}
}

// second is one second of traffic at rps requests with New's share.
func second(r *rand.Rand, rps uint64, share, oldRate, newRate float64) window {
	n := binomial(r, rps, share)
	return window{
		old: release.Counts{Requests: rps - n, Errors: binomial(r, rps-n, oldRate)},
		new: release.Counts{Requests: n, Errors: binomial(r, n, newRate)},
	}
}

// No more than 1% of harmless releases are aborted, although the judge looks at
// every second for 30 minutes and errors come in bursts that both versions share.
func TestFalseAborts(t *testing.T) {
	const runs = 1000
	for _, c := range []struct{ rho, shift float64 }{{0, 1}, {0.5, 1}, {0.8, 1}, {0.95, 1}, {0.5, 1.005}} { // 1.005: a harmless relative shift of 0.5%
		t.Run(fmt.Sprintf("rho=%v,shift=%v", c.rho, c.shift), func(t *testing.T) {
			t.Parallel()
			aborted := 0
			for seed := range uint64(runs) {
				if abortedInHalfAnHour(rand.New(rand.NewPCG(seed, math.Float64bits(c.rho))), c.rho, c.shift) {
					aborted++
				}
			}
			t.Logf("%d of %d aborted", aborted, runs)
			if aborted > runs/100 {
				t.Errorf("%d of %d harmless releases aborted, allowed are %d", aborted, runs, runs/100)
			}
		})
	}
}

// abortedInHalfAnHour runs 1,800 looks at 200 requests a second and a share of 5%. The
// error rate of both versions is a first-order autoregression in log-odds around 0.5%, with
// outages of 30% and more within half an hour.
func abortedInHalfAnHour(r *rand.Rand, rho, shift float64) bool {
	m, z := newMemory(), r.NormFloat64()
	for range 1800 {
		z = rho*z + math.Sqrt(1-rho*rho)*r.NormFloat64()
		rate := 1 / (1 + math.Exp(-(math.Log(0.005) + 1.5*z)))
		m.take(second(r, 200, 0.05, rate, min(1, rate*shift)), ask)
		if m.find(ask) == worse {
			return true
		}
	}
	return false
}

// requestsToFail is how many requests New answered until the judge failed it.
func requestsToFail(r *rand.Rand, share, oldRate, newRate float64) uint64 {
	m := newMemory()
	for range 3600 {
		m.take(second(r, 200, share, oldRate, newRate), ask)
		if m.find(ask) == worse {
			break
		}
	}
	return m.Seen.New.Requests
}

// A bad version is found within few requests, each of them a harmed person.
func TestDetection(t *testing.T) {
	for _, c := range []struct {
		share, oldRate, newRate float64
		median, p95             uint64
	}{
		{0.05, 0.001, 0.05, 80, 150},
		{0.50, 0.001, 0.05, 300, 500}, // more people, but less time: 100 requests a second
		{0.05, 0.001, 0.50, 15, 30},
		{0.05, 0, 0.05, 80, 150},
		{0.05, 0.01, 0.05, 300, 700},
		{0.05, 0.001, 0.01, 700, 2000},
	} {
		var all []uint64
		for seed := range uint64(1000) {
			all = append(all, requestsToFail(rand.New(rand.NewPCG(seed, 7)), c.share, c.oldRate, c.newRate))
		}
		slices.Sort(all)
		median, p95 := all[500], all[950]
		t.Logf("share %v, %v -> %v: %d requests, p95 %d", c.share, c.oldRate, c.newRate, median, p95)
		if median > c.median || p95 > c.p95 {
			t.Errorf("share %v, errors %v -> %v: found after %d requests, p95 %d; allowed %d and %d",
				c.share, c.oldRate, c.newRate, median, p95, c.median, c.p95)
		}
	}
}

// A good version passes soon, a bad one hardly ever, at the last step before everybody gets it.
func TestPromotion(t *testing.T) {
	for _, c := range []struct {
		oldRate, newRate float64
		p95              int // seconds at 200 requests a second, half of them New's
		passes           int // of 1000 within ten minutes, at most
	}{
		{0.001, 0.001, 60, 1000},
		{0, 0, 15, 1000},
		{0.01, 0.01, 400, 1000},
		{0.001, 0.0065, 0, 10}, // just beyond the margin
		{0.01, 0.016, 0, 10},
	} {
		var passed []int
		for seed := range uint64(1000) {
			r, m := rand.New(rand.NewPCG(seed, 11)), newMemory()
			for s := range 600 {
				m.take(second(r, 200, 0.5, c.oldRate, c.newRate), ask)
				if f := m.find(ask); f == notWorse {
					passed = append(passed, s+1)
					break
				} else if f == worse {
					break
				}
			}
		}
		slices.Sort(passed)
		median, p95 := 0, 0
		if len(passed) > 0 {
			median, p95 = passed[len(passed)/2], passed[len(passed)*95/100]
		}
		t.Logf("%v -> %v: %d of 1000 passed, median %d s, p95 %d s", c.oldRate, c.newRate, len(passed), median, p95)
		if len(passed) > c.passes {
			t.Errorf("errors %v -> %v: %d of 1000 passed, allowed are %d", c.oldRate, c.newRate, len(passed), c.passes)
		}
		if c.passes == 1000 && (len(passed) < 990 || p95 > c.p95) {
			t.Errorf("errors %v -> %v: %d of 1000 passed, p95 %d s; wanted 990 and %d s", c.oldRate, c.newRate, len(passed), p95, c.p95)
		}
	}
}
