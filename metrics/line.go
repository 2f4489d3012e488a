package metrics

import "time"

// Span is a time, and how often in it a value is asked for.
type Span struct {
	From, To time.Time
	Step     time.Duration
}

// Line is how one series was over a span: values, each at a number of steps from its beginning.
// There is at least one, and none that is no number.
type Line struct {
	Labels map[string]string
	At     []int
	Values []float64
}
