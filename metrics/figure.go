package metrics

import (
	"fmt"
	"slices"

	"weft.dev/model"
)

// Kind of a family: what its values can be asked.
type Kind string

const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is what figures of one name have in common. It is never changed.
type Family struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string
}

// Figure is what one label set of a family stands at.
type Figure struct {
	Family  *Family
	Labels  []string // values, in the order of the family's labels; good until the next figure
	Value   float64
	Buckets []uint64 // of a histogram, by model.LatencyBounds
}

// Emit takes one figure.
type Emit func(Figure)

// edgeLabels say whose call it was and whom it was for, as an Edge does.
var edgeLabels = []string{"source_namespace", "source_app", "source_version", "destination_namespace", "destination_service", "destination_version", "destination_port"}

// Families of edges.
var (
	requests = &Family{"weft_requests_total", Counter,
		"Calls that ended, by the class of the status that the caller's proxy got.", append(slices.Clone(edgeLabels), "status")}
	retries   = &Family{"weft_retries_total", Counter, "Attempts that failed and were tried again.", edgeLabels}
	fallbacks = &Family{"weft_fallbacks_total", Counter, "Attempts that failed and that a fallback answered.", edgeLabels}
	durations = &Family{"weft_request_duration_seconds", Histogram, "How long an upstream took, in buckets that are at most a third wide above 2 ms; the sum is estimated from them.", edgeLabels}
	dropped   = &Family{"weft_edge_reports_dropped_total", Counter, "Reports of edges that found no room or no belief.", nil}
)

// EdgeFamilies are those of Edges.Figures.
var EdgeFamilies = []*Family{requests, retries, fallbacks, durations, dropped}

// classNames are by model.Classes.
var classNames = [len(model.Classes{})]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// Figures are the running totals of every edge. They begin at zero when the process does.
func (c *Edges) Figures(emit Emit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, data := range c.edges {
		to, port := destination(key.cluster)
		data.figures(emit, []string{
			key.source.Namespace, key.source.App, key.source.Version, to.Namespace, to.App, to.Version, fmt.Sprint(port),
		})
	}
	emit(Figure{Family: dropped, Value: float64(c.lost)})
}

// figures of one edge: of what did not happen there is none.
func (d *edgeData) figures(emit Emit, labels []string) {
	count := func(f *Family, n uint64, labels []string) {
		if n > 0 {
			emit(Figure{Family: f, Labels: labels, Value: float64(n)})
		}
	}
	for i, n := range d.classes {
		count(requests, n, append(labels, classNames[i]))
	}
	count(retries, d.total.Retries, labels)
	count(fallbacks, d.total.Fallbacks, labels)
	if d.total.Latency != nil {
		emit(Figure{Family: durations, Labels: labels, Buckets: d.total.Latency})
	}
}
