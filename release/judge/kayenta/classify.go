package kayenta

import (
	"fmt"
	"math"
	"slices"
)

// Class of a metric, or of a score.
type Class string

const (
	Pass             Class = "Pass"
	High             Class = "High"
	Low              Class = "Low"
	NoData           Class = "Nodata"
	NoDataFailMetric Class = "NodataFailMetric" // there are no points, and there must be
	Error            Class = "Error"            // it could not be compared
	Marginal         Class = "Marginal"         // of a score
	Fail             Class = "Fail"             // of a score
)

// MetricResult is what the points of one metric show.
type MetricResult struct {
	Name     string
	Groups   []string
	Class    Class
	Critical bool // it makes the score 0
	Muted    bool
	Test     *Test // nil: the classes that need none
	// Why the class is so, in one sentence with numbers.
	Why      string
	Warnings []string
}

// Test is the numbers behind a class.
type Test struct {
	// Low and High are where the canary's shift against the baseline lies with 98% confidence; Estimate is its middle.
	Low, High, Estimate float64
	// Ratio of the means, canary over baseline; NaN where one of them is 0.
	Ratio float64
	// Effect by the configured measure; NaN: unknown, and then not asked for.
	Effect float64
}

// bound is what the interval's ends are compared with. That Kayenta takes a quarter of
// the shift itself, and not of the baseline, is behind two of the warnings.
func (t Test) bound() float64 { return 0.25 * math.Abs(t.Estimate) }

// classify compares the points of one metric.
func (m Metric) classify(s Series, n *noise) MetricResult {
	canary, baseline := m.clean(s.Experiment), m.clean(s.Control)
	r := MetricResult{Name: m.Name, Groups: m.Groups, Muted: m.Muted, Class: Pass}
	switch {
	case len(canary) == 0 || len(baseline) == 0:
		m.missing(&r, len(canary), len(baseline))
	case sameValues(canary, baseline):
		r.Why = "canary and baseline have the same points"
	case constant(slices.Concat(canary, baseline)):
		r.Why = fmt.Sprintf("all points are %s", number(canary[0]))
	default:
		m.compare(&r, canary, baseline, n)
	}
	return r
}

// missing is the class where one side has no points.
func (m Metric) missing(r *MetricResult, canary, baseline int) {
	r.Why = fmt.Sprintf("%d points of the canary, %d of the baseline", canary, baseline)
	switch {
	case m.ReplaceNaN:
		r.warn("passes without data, because nanStrategy is replace%s", m.wanted())
	case m.MustHaveData && !m.Critical:
		r.Class = NoDataFailMetric
	default:
		r.Class, r.Critical = NoData, m.Critical
	}
}

// wanted says what a configuration asked for in vain.
func (m Metric) wanted() string {
	switch {
	case m.Critical && m.MustHaveData:
		return "; it is critical and must have data"
	case m.Critical:
		return "; it is critical"
	case m.MustHaveData:
		return "; it must have data"
	}
	return ""
}

// compare is the class of two sides that have points.
func (m Metric) compare(r *MetricResult, canary, baseline []float64, n *noise) {
	if constant(canary) && constant(baseline) {
		r.warn("canary is always %s, baseline always %s: noise was added, since equal points cannot be ranked", number(canary[0]), number(baseline[0]))
		canary, baseline = n.blur(canary), n.blur(baseline)
	}
	i, err := shift(canary, baseline)
	if err != nil {
		r.Class, r.Why = Error, fmt.Sprintf("cannot be compared: %v", err)
		r.warn("counts for nothing in its groups%s", m.wanted())
		return
	}
	t := Test{Low: i.low, High: i.high, Estimate: i.estimate, Ratio: ratio(canary, baseline)}
	if t.Effect = t.Ratio; m.Effect.Measure == CLES {
		t.Effect = cles(canary, baseline)
	}
	r.Test = &t
	m.decide(r)
	r.Why = t.sentence(canary, baseline)
	m.doubt(r, canary, baseline)
}

// decide is the class by a test. An effect that is unknown is not asked for.
func (m Metric) decide(r *MetricResult) {
	t, e := *r.Test, m.Effect
	unknown := math.IsNaN(t.Effect)
	high, low := m.beyond(t)
	switch {
	case high && (unknown || t.Effect >= e.AllowedIncrease):
		r.Class, r.Critical = High, m.Critical && (unknown || t.Effect >= e.CriticalIncrease)
	case low && (unknown || t.Effect <= e.AllowedDecrease):
		r.Class, r.Critical = Low, m.Critical && (unknown || t.Effect <= e.CriticalDecrease)
	}
}

// beyond reports whether the interval lies beyond a bound, in a direction that counts.
func (m Metric) beyond(t Test) (high, low bool) {
	return m.Direction != Decrease && t.Low > t.bound(), m.Direction != Increase && t.High < -t.bound()
}

// ratio of the means.
func ratio(canary, baseline []float64) float64 {
	c, b := mean(canary), mean(baseline)
	if c == 0 || b == 0 {
		return math.NaN()
	}
	return c / b
}

// cles is the share of pairs of which the canary's point is the higher one, ties by half.
func cles(canary, baseline []float64) float64 {
	sum, _ := rankSum(canary, baseline)
	n, m := float64(len(canary)), float64(len(baseline))
	return (2*sum - n*(n+1)) / (2 * n * m)
}

// sentence is a test in words.
func (t Test) sentence(canary, baseline []float64) string {
	return fmt.Sprintf("canary's mean is %s of %d points, baseline's %s of %d; the shift is %s, 98%% sure between %s and %s, and counts beyond ±%s",
		number(mean(canary)), len(canary), number(mean(baseline)), len(baseline), number(t.Estimate), number(t.Low), number(t.High), number(t.bound()))
}

func (r *MetricResult) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, r.Name+": "+fmt.Sprintf(format, args...))
}
