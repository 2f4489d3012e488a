package jwks

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weft.dev/dial"
	"weft.dev/flow"
	"weft.dev/model"
)

// Defaults and limits of Options.
const (
	DefaultRefresh = 5 * time.Minute
	DefaultMaxAge  = 24 * time.Hour

	firstRetry = time.Second
	maxRetry   = time.Minute
	maxSources = 500 // that are asked; more have no keys
	atOnce     = 32  // attempts under way
)

// Options of a Source.
type Options struct {
	Refresh time.Duration // how often a source is asked that answers; 0: DefaultRefresh
	MaxAge  time.Duration // how long keys stay in effect that cannot be had anew; 0: DefaultMaxAge
	Guard   dial.Guard    // which addresses are asked
	Memory  Memory        // keeps good keys for the next start; nil: nobody does
	Now     func() time.Time
	Log     *slog.Logger
}

// Source has the keys of all sources that some row names.
type Source struct {
	Options
	wanted *flow.Collection[model.KeySource]
	rows   *flow.Source[model.KeySet]
	graph  *flow.Graph
	ask    asker
	wake   chan struct{}

	mu     sync.Mutex
	states map[string]*state // by key of the source
}

// state is what is known of one source.
type state struct {
	source   model.KeySource
	keys     string
	fetched  time.Time // when they came
	failures int       // since then
	due      time.Time
	asking   bool
}

// New fills rows with the keys of what is wanted, once Run runs. It is part of the wiring
// of the graph.
func New(g *flow.Graph, wanted *flow.Collection[model.KeySource], rows *flow.Source[model.KeySet], o Options) *Source {
	s := newSource(g, wanted, rows, o)
	wanted.Observe(func(flow.Revision, []flow.Change[model.KeySource]) { s.poke() })
	return s
}

func newSource(g *flow.Graph, wanted *flow.Collection[model.KeySource], rows *flow.Source[model.KeySet], o Options) *Source {
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.MaxAge == 0 {
		o.MaxAge = DefaultMaxAge
	}
	o.Guard.Flag = "--jwks-allow"
	return &Source{Options: o, wanted: wanted, rows: rows, graph: g, ask: newAsker(o.Guard), wake: make(chan struct{}, 1), states: map[string]*state{}}
}

func (s *Source) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (s *Source) Run(ctx context.Context) error {
	slots := make(chan struct{}, atOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, next := s.adopt()
		for _, one := range due {
			slots <- struct{}{} // at most as long as an attempt
			go func() {
				defer func() { <-slots; s.poke() }()
				s.attempt(ctx, one)
			}()
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// Once asks every source that is wanted now, one time.
func Once(ctx context.Context, g *flow.Graph, wanted *flow.Collection[model.KeySource], rows *flow.Source[model.KeySet], o Options) {
	s := newSource(g, wanted, rows, o)
	due, _ := s.adopt()
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, one := range due {
		slots <- struct{}{}
		all.Go(func() { defer func() { <-slots }(); s.attempt(ctx, one) })
	}
	all.Wait()
}

// adopt takes over what is wanted now. It returns the sources that are to be asked, and
// when the next one will be.
func (s *Source) adopt() (due []model.KeySource, next time.Duration) {
	wanted := s.wanted.All()
	slices.SortFunc(wanted, func(a, b model.KeySource) int { return compareKeys(a, b) })
	now := s.Now()
	s.mu.Lock()
	var set []model.KeySet
	var gone []string
	keep := map[string]bool{}
	for i, w := range wanted {
		keep[w.Key()] = true
		if s.states[w.Key()] != nil {
			continue
		}
		if i >= maxSources {
			set = append(set, model.KeySet{Source: w, Trouble: "weft asks for the keys of 500 issuers at most, and more are named"})
			continue
		}
		one := &state{source: w, due: now}
		if keys, fetched := s.remembered(w.Key()); keys != "" && now.Sub(fetched) < s.MaxAge {
			one.keys, one.fetched = keys, fetched
			set = append(set, model.KeySet{Source: w, Keys: keys})
		}
		s.states[w.Key()] = one
	}
	next = s.Refresh
	for key, one := range s.states {
		switch wait := one.due.Sub(now); {
		case !keep[key]:
			delete(s.states, key)
			gone = append(gone, key)
		case one.asking:
		case wait <= 0:
			one.asking = true
			due = append(due, one.source)
		default:
			next = min(next, wait)
		}
	}
	s.mu.Unlock()
	s.commit(set, gone)
	return due, next
}

func (s *Source) remembered(key string) (string, time.Time) {
	if s.Memory == nil {
		return "", time.Time{}
	}
	return s.Memory.Recall(key)
}

func (s *Source) attempt(ctx context.Context, w model.KeySource) {
	keys, err := s.ask.keys(ctx, w)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	one := s.states[w.Key()]
	if one == nil {
		s.mu.Unlock()
		return // nobody wants it any more
	}
	one.asking = false
	now := s.Now()
	row := one.after(keys, err, now, s.Options)
	s.mu.Unlock()
	if err != nil {
		s.Log.Warn("keys cannot be had", "from", w.URI, "why", err)
	} else if s.Memory != nil {
		s.Memory.Keep(w.Key(), keys, now)
	}
	s.commit([]model.KeySet{row}, nil)
}

// after is what an attempt makes of a source.
func (one *state) after(keys string, err error, now time.Time, o Options) model.KeySet {
	row := model.KeySet{Source: one.source}
	if err == nil {
		one.keys, one.fetched, one.failures, one.due = keys, now, 0, now.Add(o.Refresh)
		row.Keys = keys
		return row
	}
	wait := min(firstRetry<<min(one.failures, 10), maxRetry, o.Refresh)
	if one.failures++; one.keys != "" && now.Sub(one.fetched) >= o.MaxAge {
		one.keys = ""
	}
	one.due = now.Add(wait)
	row.Keys, row.Trouble = one.keys, "the keys cannot be had: "+err.Error()
	return row
}

func (s *Source) commit(set []model.KeySet, gone []string) {
	if len(set)+len(gone) == 0 {
		return
	}
	s.graph.Commit(func(tx *flow.Tx) {
		for _, row := range set {
			s.rows.Set(tx, row)
		}
		for _, key := range gone {
			s.rows.Delete(tx, key)
		}
	})
}
