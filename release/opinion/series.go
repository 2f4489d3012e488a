package opinion

import (
	"time"

	"weft.dev/api/v1alpha1"
)

// Range is a question for the points of several queries.
type Range struct {
	Namespace  string               `json:"namespace"`
	Prometheus *v1alpha1.Prometheus `json:"prometheus"`
	Queries    []RangeQuery         `json:"queries"`
}

// RangeQuery is one query in PromQL, over a time whose both ends have a point.
type RangeQuery struct {
	Query string        `json:"query"`
	From  time.Time     `json:"from"`
	To    time.Time     `json:"to"`
	Step  time.Duration `json:"step"`
}

// Series are the points of each query, oldest first, in the order of the queries: those of all its series one
// after the other; nil: it is no number.
type Series struct {
	Points [][]*float64 `json:"points"`
}
