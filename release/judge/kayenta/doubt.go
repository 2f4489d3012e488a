package kayenta

import (
	"math"
	"strconv"
)

const (
	// enough points for a comparison, as Kayenta's authors say.
	enough = 50
	// Ratios of means from which a difference is worth a word, and up to which one is hardly worth a failure.
	large, small = 1.25, 1.05
)

// doubt warns where the class is Kayenta's and a person would have said something else.
func (m Metric) doubt(r *MetricResult, canary, baseline []float64) {
	high, low := m.beyond(*r.Test)
	switch {
	case r.Class != Pass:
		m.doubtFailure(r)
	case !high && !low: // else effectSize lets it pass, as somebody wanted
		m.doubtPass(r, mean(canary), mean(baseline))
	}
	if n := min(len(canary), len(baseline)); n < enough {
		r.warn("%d points; %d are needed for a difference to be seen", n, enough)
	}
}

func (m Metric) doubtPass(r *MetricResult, canary, baseline float64) {
	t := r.Test
	switch worse := m.bad(canary - baseline); {
	case m.Direction != Decrease && t.Low > 0 || m.Direction != Increase && t.High < 0:
		r.warn("passes although it is 98%% sure that there is a shift, between %s and %s: the nearer end must be beyond a quarter of the shift", number(t.Low), number(t.High))
	case worse && math.IsNaN(t.Ratio):
		r.warn("passes with a mean of %s against %s: too few points differ, whatever their size", number(canary), number(baseline))
	case worse && distance(t.Ratio) >= large:
		r.warn("passes with %s times the baseline's mean: ranks are compared, not sizes", number(t.Ratio))
	}
}

func (m Metric) doubtFailure(r *MetricResult) {
	if distance(r.Test.Ratio) <= small && m.Effect == NewEffect(m.Effect.Measure) {
		r.warn("fails for %s times the baseline's mean: without effectSize any certain difference does", number(r.Test.Ratio))
	}
	if math.IsNaN(r.Test.Effect) {
		r.warn("effectSize was not asked for, because a mean is 0")
	}
}

// distance of a ratio from 1, as the factor upwards.
func distance(ratio float64) float64 { return max(ratio, 1/ratio) }

// bad reports whether a difference is in the direction that counts.
func (m Metric) bad(difference float64) bool {
	return difference > 0 && m.Direction != Decrease || difference < 0 && m.Direction != Increase
}

// number has four digits.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
