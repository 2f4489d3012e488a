package metrics

import (
	"fmt"
	"maps"
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
	timeouts  = &Family{"weft_timeouts_total", Counter, "Requests and single tries that nobody answered in time.", edgeLabels}
	exhausted = &Family{"weft_retries_exhausted_total", Counter, "Requests whose last try failed, too.", edgeLabels}
	overflows = &Family{"weft_breaker_overflows_total", Counter, "Requests that were not sent, because more were under way than the circuit breaker lets.", edgeLabels}
	failed    = &Family{"weft_connect_failures_total", Counter, "Connections that could not be opened.", edgeLabels}
	open      = &Family{"weft_connection_seconds_total", Counter, "How long connections were open, all together: its rate is how many are.", edgeLabels}
	sent      = &Family{"weft_sent_bytes_total", Counter, "Bytes that callers sent, without what TLS adds.", edgeLabels}
	received  = &Family{"weft_received_bytes_total", Counter, "Bytes that callers received, without what TLS adds.", edgeLabels}
	plaintext = &Family{"weft_plaintext", Gauge, "1 for an edge that is called in plain text, if only at some of the instances; there is none of others.", edgeLabels}
	durations = &Family{"weft_request_duration_seconds", Histogram, "How long an upstream took, in buckets that are at most a third wide above 2 ms; the sum is estimated from them.", edgeLabels}
	dropped   = &Family{"weft_edge_reports_dropped_total", Counter, "Reports of edges that found no room or no belief.", nil}
)

// EdgeFamilies are those of Edges.Figures.
var EdgeFamilies = []*Family{requests, retries, fallbacks, timeouts, exhausted, overflows, failed, open, sent, received, plaintext, durations, dropped}

// classNames are by model.Classes.
var classNames = [len(model.Classes{})]string{"1xx", "2xx", "3xx", "4xx", "5xx"}

// Figures are the running totals of every edge. They begin at zero when the process does.
// plain says which of these clusters are called in plain text.
func (c *Edges) Figures(plain func(clusters []string) map[string]bool, emit Emit) {
	inPlain := plain(c.clusters())
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, data := range c.edges {
		to, port := destination(key.cluster)
		labels := []string{key.source.Namespace, key.source.App, key.source.Version, to.Namespace, to.App, to.Version, fmt.Sprint(port)}
		data.figures(emit, labels)
		if inPlain[key.cluster] {
			emit(Figure{Family: plaintext, Labels: labels, Value: 1})
		}
	}
	emit(Figure{Family: dropped, Value: float64(c.lost)})
}

// clusters are those that were called, each once.
func (c *Edges) clusters() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]bool{}
	for key := range c.edges {
		all[key.cluster] = true
	}
	return slices.Collect(maps.Keys(all))
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
	count(timeouts, d.total.Timeouts, labels)
	count(exhausted, d.total.Exhausted, labels)
	count(overflows, d.total.Overflows, labels)
	count(failed, d.total.Unconnected, labels)
	count(sent, d.total.Bytes.Sent, labels)
	count(received, d.total.Bytes.Received, labels)
	if d.total.Open > 0 {
		emit(Figure{Family: open, Labels: labels, Value: float64(d.total.Open) / 1000})
	}
	if d.total.Latency != nil {
		emit(Figure{Family: durations, Labels: labels, Buckets: d.total.Latency})
	}
}
