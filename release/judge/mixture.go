package judge

import "math"

// mixture is the worth of a bet spread over several alternatives. A part of
// every stake is moved between them at each bet ("fixed share"), so a version
// that turns bad after an hour of health is found as fast as one that is bad at
// once; a stake may be moved freely before the next outcome, so this costs no validity.
type mixture struct {
	Log   float64   `json:"log"`   // natural logarithm of the worth
	Stake []float64 `json:"stake"` // share of each alternative; sums to 1
}

// share of every stake that is spread over all alternatives after a bet.
const share = 1e-3

func newMixture(prior []float64) mixture {
	return mixture{Stake: append([]float64(nil), prior...)}
}

// bet multiplies in the likelihood ratios (as logarithms) of one window of
// traffic, one for each alternative.
func (m *mixture) bet(logRatio, prior []float64) {
	top := math.Inf(-1)
	for _, l := range logRatio {
		top = math.Max(top, l)
	}
	sum := 0.0
	for i, l := range logRatio {
		m.Stake[i] *= math.Exp(l - top)
		sum += m.Stake[i]
	}
	m.Log += top + math.Log(sum)
	for i := range m.Stake {
		m.Stake[i] = (1-share)*m.Stake[i]/sum + share*prior[i]
	}
}

// worth of the bet; beyond any need it is only large.
func (m *mixture) worth() float64 { return math.Min(math.Exp(m.Log), 1e9) }

// sound reports whether the stakes are shares of as many alternatives.
func (m *mixture) sound(alternatives int) bool {
	sum := 0.0
	for _, s := range m.Stake {
		if s <= 0 {
			return false
		}
		sum += s
	}
	return len(m.Stake) == alternatives && math.Abs(sum-1) < 1e-6
}
