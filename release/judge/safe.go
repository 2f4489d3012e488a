package judge

import (
	"math"

	"weft.dev/release"
)

// Alternatives of the bet on safety: both versions err at the rate seen lately,
// at a third of it; and the first bets nothing.
var (
	safeRates = []float64{0, 1, 1. / 3}
	safePrior = []float64{0.1, 0.6, 0.3}
)

// betSafe bets that new does not err by margin more than old. The alternative
// is that both err at rate; the hypothesis, {new - old >= margin}, is met at its
// point nearest to that (in Kullback-Leibler divergence, weighted by requests).
// The hypothesis is a convex set and the log of the expected ratio is concave over
// it, with no ascent at the nearest point: so the expected ratio is at most 1 on all
// of it, also where the true rates change from window to window. The rate may be
// anything that the past suggests.
func betSafe(m *mixture, w window, rate, margin float64) {
	var ratios [4]float64
	logRatio := ratios[:len(safeRates)]
	for i, f := range safeRates {
		if f == 0 {
			continue
		}
		a := rate * f
		old := nearest(w, a, margin)
		logRatio[i] = logBernoulli(w.old, a) - logBernoulli(w.old, old) +
			logBernoulli(w.new, a) - logBernoulli(w.new, old+margin)
	}
	m.bet(logRatio, safePrior)
}

// betSafeAgainst is betSafe where old serves nothing at the same time: new's
// errors against a fixed rate.
func betSafeAgainst(m *mixture, w window, rate, bound float64) {
	var ratios [4]float64
	logRatio := ratios[:len(safeRates)]
	for i, f := range safeRates {
		if a := rate * f; f > 0 && a < bound {
			logRatio[i] = logBernoulli(w.new, a) - logBernoulli(w.new, bound)
		}
	}
	m.bet(logRatio, safePrior)
}

// nearest is old's rate x at the point (x, x+margin) nearest to (a, a).
func nearest(w window, a, margin float64) float64 {
	o, n := float64(w.old.Requests), float64(w.new.Requests)
	slope := func(x float64) float64 { // of the divergence: rising in x
		y := x + margin
		return o*(x-a)/(x*(1-x)) + n*(y-a)/(y*(1-y))
	}
	lo, hi := math.Max(0, a-margin), math.Min(a, 1-margin-1e-9) // the hypothesis stays a probability
	for range 30 {
		if mid := (lo + hi) / 2; slope(mid) > 0 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return (lo + hi) / 2
}

// logBernoulli is the logarithm of the probability of these answers at an error rate.
func logBernoulli(c release.Counts, rate float64) float64 {
	e := float64(c.Errors)
	log := (float64(c.Requests) - e) * math.Log1p(-rate)
	if e > 0 {
		log += e * math.Log(rate)
	}
	return log
}
