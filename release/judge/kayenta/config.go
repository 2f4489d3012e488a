package kayenta

import "fmt"

// Config says what is compared, and what the score must be.
type Config struct {
	Metrics []Metric
	// Weights of groups in the score, percent; those without one share what is left of 100.
	Weights map[string]float64
	// Pass and Marginal are scores, 0 to 100.
	Pass, Marginal float64
	// Seed of the noise that tells two constant metrics apart. Kayenta takes another one each time.
	Seed uint64
}

// Metric says how the points of one metric are compared.
type Metric struct {
	Name      string
	Groups    []string
	Direction Direction // in which a difference is bad
	// ReplaceNaN takes 0 for a point that is not a number; else such points are removed.
	ReplaceNaN bool
	// Outliers is how many interquartile ranges beyond the quartiles a point may be; 0: anywhere.
	Outliers float64
	// Critical: a difference makes the score 0.
	Critical bool
	// MustHaveData: without points the metric fails, if it is not Critical.
	MustHaveData bool
	// Muted: shown and not counted.
	Muted  bool
	Effect Effect
}

// Direction in which a difference is bad.
type Direction string

const (
	Increase Direction = "increase"
	Decrease Direction = "decrease"
	Either   Direction = "either"
)

// Effect is how large a difference must be to count; by default any size does.
type Effect struct {
	Measure Measure
	// Allowed bounds for a metric to be High or Low, Critical ones for a critical metric to make the score 0.
	AllowedIncrease, AllowedDecrease   float64
	CriticalIncrease, CriticalDecrease float64
}

// Measure of an effect.
type Measure string

const (
	// MeanRatio is the canary's mean over the baseline's; 1: no effect.
	MeanRatio Measure = "meanRatio"
	// CLES is the share of pairs of points of which the canary's is the higher one; 0.5: no effect.
	CLES Measure = "cles"
)

// none is the value of an effect that is none.
func (m Measure) none() float64 {
	if m == CLES {
		return 0.5
	}
	return 1
}

// NewEffect is one in which any size counts.
func NewEffect(m Measure) Effect {
	return Effect{m, m.none(), m.none(), m.none(), m.none()}
}

// NewMetric has the defaults of a configuration that says nothing but its name and groups.
func NewMetric(name string, groups ...string) Metric {
	return Metric{Name: name, Groups: groups, Direction: Either, Effect: NewEffect(MeanRatio)}
}

// metric is the configuration of a name.
func (c Config) metric(name string) (Metric, error) {
	for _, m := range c.Metrics {
		if m.Name == name {
			return m, nil
		}
	}
	return Metric{}, fmt.Errorf("metric %q: the configuration has none of this name; its metrics' names are those of the series", name)
}
