package judge

import "math"

// tolerated is the odds ratio of erring, new to old, that is not harm: below it a
// difference is too small to matter (a canary on a colder cache), whatever its certainty.
const tolerated = 1.1

// Alternatives of the bet on harm: odds ratios over the tolerated one. The first
// bets nothing: it keeps the worth from vanishing over a long healthy time.
var (
	harmOdds  = []float64{1, 2, 6, 25, 100, 1000}
	harmPrior = []float64{0.1, 0.1, 0.1, 0.4, 0.25, 0.05}
)

// betHarm bets that new errs more than old, on which of a window's errors
// fell to new. Given the window's requests and its number of errors, that number
// is noncentral hypergeometric, whatever the common error rate: outages, bursts
// and changing shares cancel. The family is monotone in the odds ratio, so the
// ratio at the tolerated odds is the worst case of all smaller ones.
func betHarm(m *mixture, w window) {
	if w.old.Errors+w.new.Errors == 0 {
		return
	}
	var ratios [8]float64
	logRatio := ratios[:len(harmOdds)]
	fewest := math.Max(0, float64(w.old.Errors+w.new.Errors)-float64(w.old.Requests))
	base := logNorm(w, tolerated)
	for i, o := range harmOdds {
		logRatio[i] = (float64(w.new.Errors)-fewest)*math.Log(o) + base - logNorm(w, tolerated*o)
	}
	m.bet(logRatio, harmPrior)
}

// betHarmAgainst is betHarm where old serves nothing at the same time: new's
// errors against a fixed rate. An outage of something else counts against new here: there is nobody to compare with.
func betHarmAgainst(m *mixture, w window, rate float64) {
	var ratios [8]float64
	logRatio := ratios[:len(harmOdds)]
	for i, o := range harmOdds {
		worse := rate * o / (1 - rate + rate*o)
		logRatio[i] = logBernoulli(w.new, worse) - logBernoulli(w.new, rate)
	}
	m.bet(logRatio, harmPrior)
}

// logNorm is the logarithm of the sum, over every way to deal the window's
// errors to new and old, of its number of ways times odds^(errors of new), relative
// to the fewest errors that new can have.
func logNorm(w window, odds float64) float64 {
	n, o, e := float64(w.new.Requests), float64(w.old.Requests), float64(w.old.Errors+w.new.Errors)
	const scale = 1e250
	log, term, sum := 0.0, 1.0, 1.0
	for k := math.Max(0, e-o); k < math.Min(e, n); k++ {
		step := (n - k) * (e - k) / ((k + 1) * (o - e + k + 1)) * odds
		term *= step
		sum += term
		if sum > scale {
			term, sum, log = term/scale, sum/scale, log+math.Log(scale)
		}
		if step < 1 && term < sum*1e-17 {
			break
		}
	}
	return log + math.Log(sum)
}
