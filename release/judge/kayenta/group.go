package kayenta

import (
	"fmt"
	"maps"
	"slices"
)

// group makes groups of the metrics that count. One metric may be in several.
func (r *Result) group(c Config, counted []MetricResult) {
	passed, total := map[string]int{}, map[string]int{}
	for _, m := range counted {
		for _, name := range m.Groups {
			total[name] += 0
			switch m.Class {
			case Pass:
				passed[name]++
				total[name]++
			case High, Low, NoDataFailMetric:
				total[name]++
			}
		}
		if len(m.Groups) == 0 && !m.Critical {
			r.warn("%s is in no group: it counts for nothing", m.Name)
		}
	}
	weights := c.weights(slices.Collect(maps.Keys(total)))
	for _, name := range slices.Sorted(maps.Keys(total)) {
		g := Group{Name: name, Score: 100, Weight: weights[name], Counted: total[name]}
		if g.Counted > 0 {
			g.Score = float64(passed[name]) / float64(g.Counted) * 100
		} else {
			r.warn("group %s scores 100: none of its metrics has data that could be compared", name)
		}
		r.Groups = append(r.Groups, g)
	}
	r.warnOfWeights()
}

// weights of groups: those without one share the rest.
func (c Config) weights(groups []string) map[string]float64 {
	rest, open := 100.0, 0
	for _, name := range slices.Sorted(maps.Keys(c.Weights)) {
		rest -= c.Weights[name]
	}
	for _, name := range groups {
		if _, ok := c.Weights[name]; !ok {
			open++
		}
	}
	out := map[string]float64{}
	for _, name := range groups {
		weight, ok := c.Weights[name]
		if !ok {
			weight = rest / float64(open)
		}
		out[name] = weight
	}
	return out
}

// warnOfWeights says when the score cannot be what its thresholds are made for.
func (r *Result) warnOfWeights() {
	sum := 0.0
	for _, g := range r.Groups {
		sum += g.Weight
	}
	if len(r.Groups) > 0 && (sum < 99.99 || sum > 100.01) {
		r.warn("the weights of the groups that have metrics sum to %s%%: so much is the best score", number(sum))
	}
}

// warnOfLeftOut says which metrics nobody brought points of.
func (r *Result) warnOfLeftOut(c Config, series []Series) {
	for _, m := range c.Metrics {
		if !slices.ContainsFunc(series, func(s Series) bool { return s.Name == m.Name }) {
			r.warn("%s was not measured: it counts for nothing%s", m.Name, m.wanted())
		}
	}
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}
