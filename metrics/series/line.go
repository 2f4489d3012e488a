package series

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/prometheus/promql"

	"weft.dev/metrics"
)

// Interval is the time between two samples.
func (s *Store) Interval() time.Duration { return s.options.Interval }

// Lines answer a query of numbers, not of whole histograms, over a span.
func (s *Store) Lines(ctx context.Context, text string, over metrics.Span) (lines []metrics.Line, err error) {
	at := span{over.From, over.To, over.Step}
	if err := at.check(); err != nil {
		return nil, badData{err}
	}
	err = s.query(ctx, text, at, func(result *promql.Result) {
		matrix, _ := result.Matrix()
		for _, one := range matrix {
			if l := lineOf(one, over); len(l.At) > 0 {
				lines = append(lines, l)
			}
		}
	})
	return lines, err
}

// lineOf copies: the store has what was answered.
func lineOf(s promql.Series, over metrics.Span) metrics.Line {
	l := metrics.Line{Labels: map[string]string{}}
	for name, value := range s.Metric.Copy().Map() {
		l.Labels[name] = value
	}
	for _, p := range s.Floats {
		if math.IsNaN(p.F) || math.IsInf(p.F, 0) {
			continue
		}
		l.At = append(l.At, int(time.UnixMilli(p.T).Sub(over.From)/over.Step))
		l.Values = append(l.Values, p.F)
	}
	return l
}

// Values of a label, of the series that match a selector.
func (s *Store) Values(ctx context.Context, label, match string, over metrics.Span) ([]string, error) {
	sets, err := language.ParseMetricSelectors([]string{match})
	if err != nil {
		return nil, badData{err}
	}
	found, err := s.names(ctx, label, selection{span{start: over.From, end: over.To}, sets})
	return slices.Sorted(maps.Keys(found)), err
}
