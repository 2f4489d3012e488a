package trace

import (
	"container/list"
	"sync"
	"time"
)

const (
	traceShare  = 16 // of the store is the most that one trace may take: 1/16
	keptShare   = 2  // of the store is for traces that failed or were slow and would be dropped: 1/2
	slowFactor  = 3  // times as long as usual is slow
	usualWeight = 16 // a trace counts 1/16 in what is usual
	maxUsual    = 4096
	overhead    = 400 // bytes that a trace costs without its spans
)

// Store keeps traces within a number of bytes, for a time. When there is no room the oldest
// goes first; those that failed or were slow get a second place, and go when that is full.
type Store struct {
	limit int
	age   time.Duration

	mu     sync.Mutex
	traces map[ID]*held
	fresh  queue              // by the time of the first span
	kept   queue              // of fresh, for their second place
	usual  map[string]float64 // durations by what began the trace, nanoseconds
	counts Counts
}

// Counts are what became of spans since the start, and what there is now.
type Counts struct {
	Spans     uint64 `json:"spans"`     // taken
	TooMany   uint64 `json:"tooMany"`   // dropped: more of them than MaxRate, or of one trace
	TooOld    uint64 `json:"tooOld"`    // dropped: no room, or the age
	Invalid   uint64 `json:"invalid"`   // dropped: without ids or times that can be
	Cut       uint64 `json:"cut"`       // attributes that were too long or too many
	Lost      uint64 `json:"lost"`      // bytes of spans that agents had no room for
	Unsent    uint64 `json:"unsent"`    // dropped on the way to where they are sent on
	Unwritten uint64 `json:"unwritten"` // that are in memory alone
	Traces    int    `json:"traces"`
	Bytes     int    `json:"bytes"`
	Limit     int    `json:"limit"`
}

// held is a trace in the store.
type held struct {
	id    ID
	spans []*Span
	bytes int
	since time.Time
	in    *queue
	place *list.Element
}

// queue is some traces, the oldest first.
type queue struct {
	list.List
	bytes int
}

func (q *queue) push(h *held) {
	h.in, h.place = q, q.PushBack(h)
	q.bytes += h.bytes
}

func (q *queue) pop() *held {
	h := q.Remove(q.Front()).(*held)
	q.bytes -= h.bytes
	return h
}

func (q *queue) oldest() *held {
	if q.Len() == 0 {
		return nil
	}
	return q.Front().Value.(*held)
}

// NewStore makes a store of so many bytes.
func NewStore(limit int, age time.Duration) *Store {
	return &Store{limit: limit, age: age, traces: map[ID]*held{}, usual: map[string]float64{}}
}

// Add takes spans that have been read.
func (s *Store) Add(spans []*Span, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range spans {
		s.add(one, now)
	}
	s.trim(now)
}

func (s *Store) add(one *Span, now time.Time) {
	h := s.traces[one.Trace]
	size := one.size()
	if h == nil {
		size += overhead
	} else if h.bytes+size > s.limit/traceShare {
		s.counts.TooMany++
		return
	}
	s.counts.Spans++
	if h == nil {
		h = &held{id: one.Trace, since: now}
		s.traces[one.Trace] = h
		s.fresh.push(h)
	}
	h.spans = append(h.spans, one)
	h.bytes += size
	h.in.bytes += size
}

// Trim drops what has become too old.
func (s *Store) Trim(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim(now)
}

func (s *Store) trim(now time.Time) {
	for _, q := range []*queue{&s.fresh, &s.kept} {
		for h := q.oldest(); h != nil && now.Sub(h.since) > s.age; h = q.oldest() {
			s.drop(q.pop())
		}
	}
	for s.fresh.bytes+s.kept.bytes > s.limit && s.fresh.Len() > 0 {
		h := s.fresh.pop()
		if !s.notable(h) {
			s.drop(h)
			continue
		}
		s.kept.push(h)
	}
	for s.kept.bytes > s.limit/keptShare { // those of it may have got spans since
		s.drop(s.kept.pop())
	}
}

func (s *Store) drop(h *held) {
	delete(s.traces, h.id)
	s.counts.TooOld += uint64(len(h.spans))
}

// notable says whether somebody may look for the trace for long. It learns what is usual.
func (s *Store) notable(h *held) bool {
	t := summarize(h)
	key := t.Namespace + "/" + t.Service + " " + t.Name
	took, usual := float64(t.Duration), s.usual[key]
	switch {
	case usual == 0 && len(s.usual) >= maxUsual:
		clear(s.usual)
		fallthrough
	case usual == 0:
		s.usual[key] = took
	default:
		s.usual[key] += (took - usual) / usualWeight
	}
	return t.Failed || usual > 0 && took > slowFactor*usual
}

// Counts are those of now.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Traces, c.Bytes, c.Limit = len(s.traces), s.fresh.bytes+s.kept.bytes, s.limit
	return c
}

// count changes the counts of what is not taken.
func (s *Store) count(change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}
