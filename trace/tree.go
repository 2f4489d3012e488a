package trace

import (
	"cmp"
	"slices"
	"time"
)

// Waterfall is one request through the mesh.
type Waterfall struct {
	Summary
	Steps []Bar `json:"steps"` // a caller before what it called, by time
}

// Bar is a span where it stands in its trace.
type Bar struct {
	Span
	Depth  int           `json:"depth"`            // below what began the trace
	Offset time.Duration `json:"offset"`           // from the trace's start, nanoseconds
	Orphan bool          `json:"orphan,omitempty"` // its parent is not here
}

// Get is a trace by its id.
func (s *Store) Get(id ID) (Waterfall, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.traces[id]
	if h == nil {
		return Waterfall{}, false
	}
	t := Waterfall{Summary: summarize(h)}
	t.Steps = steps(h.spans, t.Start)
	return t, true
}

// steps puts spans below those that they name as their parent. A span that is its own
// ancestor stands at the top.
func steps(spans []*Span, start time.Time) []Bar {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b *Span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.Duration, a.Duration))
	})
	here, below := map[SpanID]bool{}, map[SpanID][]int{}
	for i := range spans {
		here[spans[i].ID] = true
	}
	var tops []int
	for i := range spans {
		if parent := spans[i].Parent; parent != spans[i].ID && here[parent] {
			below[parent] = append(below[parent], i)
		} else {
			tops = append(tops, i)
		}
	}
	all, placed := make([]Bar, 0, len(spans)), make([]bool, len(spans))
	var place func(i, depth int)
	place = func(i, depth int) {
		if placed[i] {
			return
		}
		placed[i] = true
		one := spans[i]
		all = append(all, Bar{Span: *one, Depth: depth, Offset: one.Start.Sub(start), Orphan: one.Parent != SpanID{} && !here[one.Parent]})
		for _, child := range below[one.ID] {
			place(child, depth+1)
		}
	}
	for _, i := range tops {
		place(i, 0)
	}
	for i := range spans { // what is left is its own ancestor
		place(i, 0)
	}
	return all
}
