package kayenta

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
)

// Series is the points of one metric, oldest first, of the canary (experiment) and of
// the baseline (control). NaN: there is no point.
type Series struct {
	Name                string
	Control, Experiment []float64
}

// Result is a judgement.
type Result struct {
	// Score, 0 to 100, with two digits; Class is Pass, Marginal or Fail.
	Score   float64
	Class   Class
	Why     string
	Metrics []MetricResult
	Groups  []Group // sorted by name
	// Warnings are about the whole; each metric has its own.
	Warnings []string
}

// Group is a part of the score.
type Group struct {
	Name   string
	Score  float64 // 0 to 100; 100 where nothing counts
	Weight float64 // percent
	// Counted metrics of it; those without data, and those that could not be compared, are not.
	Counted int
}

// Judge classifies each metric and sums up. It fails where Kayenta does: for a series that
// the configuration has no metric of.
func Judge(c Config, series []Series) (Result, error) {
	var r Result
	n := noise(c.Seed)
	for _, s := range series {
		m, err := c.metric(s.Name)
		if err != nil {
			return Result{}, err
		}
		r.Metrics = append(r.Metrics, m.classify(s, &n))
	}
	r.warnOfLeftOut(c, series)
	r.score(c)
	return r, nil
}

// score sums up what is not muted.
func (r *Result) score(c Config) {
	var counted []MetricResult
	for _, m := range r.Metrics {
		if !m.Muted {
			counted = append(counted, m)
		}
	}
	r.group(c, counted)
	noData := 0
	for _, m := range counted {
		if m.Class == NoData {
			noData++
		}
	}
	critical := slices.IndexFunc(counted, func(m MetricResult) bool { return m.Critical && m.Class != Pass })
	switch {
	case critical >= 0:
		r.Why = fmt.Sprintf("critical metric %s is %s: %s", counted[critical].Name, counted[critical].Class, counted[critical].Why)
	case noData > 0 && 2*noData >= len(counted):
		r.Why = fmt.Sprintf("%d of %d metrics have no data", noData, len(counted))
	default:
		r.Score = r.sum()
		r.Why = fmt.Sprintf("score %v: %v is a pass, below %v a failure", r.Score, c.Pass, c.Marginal)
	}
	r.Class = c.classify(r.Score)
}

func (c Config) classify(score float64) Class {
	switch {
	case score >= c.Pass:
		return Pass
	case score >= c.Marginal:
		return Marginal
	}
	return Fail
}

// Verdict is what Orca makes of the score of one of several judgements; Class is Pass or Fail, or
// Marginal for going on. A score of exactly Marginal fails there, whatever its documentation
// says, and only the last judgement decides whether the canary has passed.
func (c Config) Verdict(score float64, last bool) Class {
	switch {
	case score <= c.Marginal || last && score < c.Pass:
		return Fail
	case last:
		return Pass
	}
	return Marginal
}

// sum is the score, rounded as a decimal number.
func (r *Result) sum() float64 {
	sum := 0.0
	for _, g := range r.Groups {
		sum += g.Score * (g.Weight / 100)
	}
	exact, ok := new(big.Rat).SetString(strconv.FormatFloat(sum, 'g', -1, 64))
	if !ok {
		return sum
	}
	rounded, _ := strconv.ParseFloat(exact.FloatString(2), 64)
	return rounded
}
