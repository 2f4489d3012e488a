package series

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// What questions may take. A sample in a query is some 20 bytes.
const (
	maxQueries   = 4         // at once; others wait
	maxSamples   = 5_000_000 // in memory, of one query
	maxPoints    = 11_000    // of one series in an answer, as Prometheus has it
	maxSeries    = 50_000    // that a listing names
	queryTimeout = 30 * time.Second
	lookBack     = 5 * time.Minute // a figure stands for so long after its last sample
)

var language = parser.NewParser(parser.Options{})

func newEngine(log *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger: log, MaxSamples: maxSamples, Timeout: queryTimeout, LookbackDelta: lookBack, Parser: language,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
	})
}

// span is what a query evaluates: one time where step is 0.
type span struct {
	start, end time.Time
	step       time.Duration
}

func (s span) check() error {
	switch {
	case s.end.Before(s.start):
		return fmt.Errorf("end %s is before start %s", s.end.UTC().Format(time.RFC3339), s.start.UTC().Format(time.RFC3339))
	case s.step <= 0:
		return fmt.Errorf("step %s: want a positive one, e.g. 15s", s.step)
	case s.end.Sub(s.start)/s.step >= maxPoints:
		return fmt.Errorf("step %s makes more than %d points of %s: choose a longer one", s.step, maxPoints, s.end.Sub(s.start))
	}
	return nil
}

// ask runs do on the store, if it is open, as one of the questions that may run at once.
func (s *Store) ask(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	case <-ctx.Done():
		return unavailable{fmt.Errorf("%d queries run already: try again later", maxQueries)}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return unavailable{s.closed}
	}
	defer context.AfterFunc(s.ctx, cancel)()
	return do(ctx)
}

// query answers PromQL. The result is written while the store cannot close: it has strings of it.
func (s *Store) query(ctx context.Context, text string, at span, write func(*promql.Result)) error {
	return s.ask(ctx, func(ctx context.Context) error {
		options := promql.NewPrometheusQueryOpts(false, 0, nil)
		var query promql.Query
		var err error
		if at.step > 0 {
			query, err = s.engine.NewRangeQuery(ctx, s.db, options, text, at.start, at.end, at.step)
		} else {
			query, err = s.engine.NewInstantQuery(ctx, s.db, options, text, at.start)
		}
		if err != nil {
			return badData{err}
		}
		defer query.Close()
		result := query.Exec(ctx)
		if result.Err != nil {
			return result.Err
		}
		write(result)
		return nil
	})
}

// selection names series: those that fit one of several lists of matchers; all, without any.
type selection struct {
	at   span
	sets [][]*labels.Matcher
}

func (s *Store) querier(at span) (storage.Querier, error) {
	return s.db.Querier(at.start.UnixMilli(), at.end.UnixMilli())
}

// series lists the labels of the series that were there.
func (s *Store) series(ctx context.Context, which selection) (found []labels.Labels, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		querier, err := s.querier(which.at)
		if err != nil {
			return err
		}
		defer querier.Close()
		hints := &storage.SelectHints{Start: which.at.start.UnixMilli(), End: which.at.end.UnixMilli(), Func: "series", Limit: maxSeries}
		var sets []storage.SeriesSet
		for _, matchers := range which.sets {
			sets = append(sets, querier.Select(ctx, true, hints, matchers...))
		}
		all := storage.NewMergeSeriesSet(sets, maxSeries, storage.ChainedSeriesMerge)
		for all.Next() && len(found) < maxSeries {
			found = append(found, all.At().Labels().Copy())
		}
		return all.Err()
	})
	return found, err
}

// names lists the names of labels, or the values of one.
func (s *Store) names(ctx context.Context, label string, which selection) (map[string]bool, error) {
	found := map[string]bool{}
	sets := which.sets
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	return found, s.ask(ctx, func(ctx context.Context) error {
		querier, err := s.querier(which.at)
		if err != nil {
			return err
		}
		defer querier.Close()
		list := func(matchers []*labels.Matcher) ([]string, error) {
			hints := &storage.LabelHints{Limit: maxSeries}
			if label != "" {
				values, _, err := querier.LabelValues(ctx, label, hints, matchers...)
				return values, err
			}
			names, _, err := querier.LabelNames(ctx, hints, matchers...)
			return names, err
		}
		for _, matchers := range sets {
			names, err := list(matchers)
			if err != nil {
				return err
			}
			for _, name := range names {
				found[string(append([]byte(nil), name...))] = true // it is memory of the store
			}
		}
		return nil
	})
}
