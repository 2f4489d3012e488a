package trace

import "weft.dev/metrics"

var (
	takenSpans   = &metrics.Family{Name: "weft_spans_total", Kind: metrics.Counter, Help: "Spans that proxies and applications sent and that were kept."}
	droppedSpans = &metrics.Family{Name: "weft_spans_dropped_total", Kind: metrics.Counter,
		Help: "Spans that were not kept, or not for long: too many a second or of one trace, no room for old ones, invalid ones, and those that could not be sent on.", Labels: []string{"reason"}}
	cutAttributes  = &metrics.Family{Name: "weft_span_attributes_cut_total", Kind: metrics.Counter, Help: "Attributes and events of spans that were too long or too many."}
	unwrittenSpans = &metrics.Family{Name: "weft_spans_unwritten_total", Kind: metrics.Counter, Help: "Spans that could not be written to disk: a restart loses them."}
	lostBytes      = &metrics.Family{Name: "weft_span_bytes_lost_total", Kind: metrics.Counter, Help: "Bytes of spans that agents had no room for."}
	keptTraces     = &metrics.Family{Name: "weft_traces_kept", Kind: metrics.Gauge, Help: "Traces in the store."}
	keptBytes      = &metrics.Family{Name: "weft_traces_bytes", Kind: metrics.Gauge, Help: "What they take; never more than the store may."}
)

// Families are those of Figures.
var Families = []*metrics.Family{takenSpans, droppedSpans, cutAttributes, unwrittenSpans, lostBytes, keptTraces, keptBytes}

// Figures are the counts.
func (s *Store) Figures(emit metrics.Emit) {
	c := s.Counts()
	for _, one := range []struct {
		family *metrics.Family
		value  float64
		labels []string
	}{
		{takenSpans, float64(c.Spans), nil},
		{droppedSpans, float64(c.TooMany), []string{"too_many"}},
		{droppedSpans, float64(c.TooOld), []string{"too_old"}},
		{droppedSpans, float64(c.Invalid), []string{"invalid"}},
		{droppedSpans, float64(c.Unsent), []string{"unsent"}},
		{unwrittenSpans, float64(c.Unwritten), nil},
		{cutAttributes, float64(c.Cut), nil},
		{lostBytes, float64(c.Lost), nil},
		{keptTraces, float64(c.Traces), nil},
		{keptBytes, float64(c.Bytes), nil},
	} {
		emit(metrics.Figure{Family: one.family, Labels: one.labels, Value: one.value})
	}
}
