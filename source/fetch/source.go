package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	firstRetry = time.Second
	maxRetry   = time.Minute
	atOnce     = 32        // attempts under way
	idle       = time.Hour // to the next look, if nothing is due before
)

// Options of a Source of things W, of which rows R tell.
type Options[W model.Thing, R flow.Row[R]] struct {
	What    string                // the things, for people: "the keys"
	Most    int                   // things that are asked for, shared by those who name some; of more there is nothing but the row that says so
	Refresh func(W) time.Duration // after which time one is asked for again that could be had
	MaxAge  time.Duration         // how long one stays that cannot be had anew; 0: for good
	Memory  Memory                // keeps the good ones for the next start; nil: nobody does

	// Ask has one try. Its error says what was wrong, the same each time.
	Ask func(context.Context, W) (string, error)
	// Row tells what there is of one; "": nothing. trouble: why it cannot be had anew; "": it can.
	Row func(w W, value, trouble string) R

	Now func() time.Time
	Log *slog.Logger
}

// Source has everything of a kind that some row names.
type Source[W model.Thing, R flow.Row[R]] struct {
	Options[W, R]
	wanted *flow.Collection[model.Named[W]]
	rows   *flow.Source[R]
	graph  *flow.Graph
	wake   chan struct{}

	mu     sync.Mutex
	states map[string]*state[W] // by key of what is wanted
}

// state is what is known of one thing.
type state[W any] struct {
	want     W
	value    string
	fetched  time.Time // when it came
	failures int       // since then
	due      time.Time
	asking   bool
}

// New fills rows with what there is of what is wanted, once Run runs. It is part of the wiring of the graph.
func New[W model.Thing, R flow.Row[R]](g *flow.Graph, wanted *flow.Collection[model.Named[W]], rows *flow.Source[R], o Options[W, R]) *Source[W, R] {
	s := newSource(g, wanted, rows, o)
	wanted.Observe(func(flow.Revision, []flow.Change[model.Named[W]]) { s.poke() })
	return s
}

func newSource[W model.Thing, R flow.Row[R]](g *flow.Graph, wanted *flow.Collection[model.Named[W]], rows *flow.Source[R], o Options[W, R]) *Source[W, R] {
	return &Source[W, R]{Options: o, wanted: wanted, rows: rows, graph: g, wake: make(chan struct{}, 1), states: map[string]*state[W]{}}
}

func (s *Source[W, R]) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (s *Source[W, R]) Run(ctx context.Context) error {
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

// Once asks for everything that is wanted now, one time.
func Once[W model.Thing, R flow.Row[R]](ctx context.Context, g *flow.Graph, wanted *flow.Collection[model.Named[W]], rows *flow.Source[R], o Options[W, R]) {
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

// adopt takes over what is wanted now. It returns what is to be asked for, and when the next one will be.
func (s *Source[W, R]) adopt() (due []W, next time.Duration) {
	wanted := s.wanted.All()
	asked := fairly(wanted, s.Most)
	now := s.Now()
	s.mu.Lock()
	var set []R
	var gone []string
	keep := map[string]bool{}
	for _, named := range wanted {
		w, key := named.Thing, named.Key()
		keep[key] = true
		if !asked[key] {
			delete(s.states, key)
			set = append(set, s.Row(w, "", fmt.Sprintf("weft asks at %d places for %s at most, shared by the namespaces that name some, and more are named; name fewer", s.Most, s.What)))
			continue
		}
		if s.states[key] != nil {
			continue
		}
		one := &state[W]{want: w, due: now}
		if value, fetched := s.remembered(key); value != "" && !s.tooOld(now.Sub(fetched)) {
			one.value, one.fetched, one.due = value, fetched, fetched.Add(s.Refresh(w))
			set = append(set, s.Row(w, value, ""))
		}
		s.states[key] = one
	}
	next = idle
	for key, one := range s.states {
		switch wait := one.due.Sub(now); {
		case !keep[key]:
			delete(s.states, key)
			gone = append(gone, key)
		case one.asking:
		case wait <= 0:
			one.asking = true
			due = append(due, one.want)
		default:
			next = min(next, wait)
		}
	}
	s.mu.Unlock()
	s.commit(set, gone)
	return due, next
}

func (s *Source[W, R]) tooOld(age time.Duration) bool { return s.MaxAge > 0 && age >= s.MaxAge }

func (s *Source[W, R]) remembered(key string) (string, time.Time) {
	if s.Memory == nil {
		return "", time.Time{}
	}
	return s.Memory.Recall(key)
}

func (s *Source[W, R]) attempt(ctx context.Context, w W) {
	value, err := s.Ask(ctx, w)
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
	row := s.after(one, value, err, now)
	s.mu.Unlock()
	if err != nil {
		s.Log.Warn(s.What+" cannot be had", "from", w.Key(), "why", err)
	} else if s.Memory != nil {
		s.Memory.Keep(w.Key(), value, now)
	}
	s.commit([]R{row}, nil)
}

// after is what an attempt makes of a thing.
func (s *Source[W, R]) after(one *state[W], value string, err error, now time.Time) R {
	if err == nil {
		one.value, one.fetched, one.failures, one.due = value, now, 0, now.Add(s.Refresh(one.want))
		return s.Row(one.want, value, "")
	}
	wait := min(firstRetry<<min(one.failures, 10), maxRetry, s.Refresh(one.want))
	if one.failures++; one.value != "" && s.tooOld(now.Sub(one.fetched)) {
		one.value = ""
	}
	one.due = now.Add(wait)
	return s.Row(one.want, one.value, s.What+" cannot be had: "+err.Error())
}

func (s *Source[W, R]) commit(set []R, gone []string) {
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
