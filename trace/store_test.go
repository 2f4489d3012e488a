package trace

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"weft.dev/model"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// spanOf is the n-th trace's only span.
func spanOf(n int, change func(*Span)) *Span {
	s := &Span{Namespace: "shop", Service: "web", Name: "GET reviews", Kind: Client, Start: noon.Add(time.Duration(n) * time.Second), Duration: time.Millisecond}
	binary.BigEndian.PutUint64(s.Trace[8:], uint64(n+1))
	binary.BigEndian.PutUint64(s.ID[:], uint64(n+1))
	if change != nil {
		change(s)
	}
	return s
}

func TestSearch(t *testing.T) {
	s := NewStore(1<<20, time.Hour)
	s.Add([]*Span{
		spanOf(0, nil),
		spanOf(1, func(s *Span) {
			s.Duration, s.Version = time.Second, "v2"
			s.Attributes = []Attribute{{model.SpanCluster, "reviews.shop.svc.cluster.local:9080"}, {model.SpanRoute, "shop/reviews/slow"}}
		}),
		spanOf(2, func(s *Span) { s.Failed = true }),
		spanOf(3, func(s *Span) {
			s.Service, s.Namespace = "cart", "other"
			s.Attributes = []Attribute{{model.SpanCluster, "api.example.com:443"}}
		}),
	}, noon)
	for _, c := range []struct {
		name string
		q    Query
		want string // ids of traces
	}{
		{"all, failed first, then slow", Query{}, "3 2 4 1"},
		{"a few", Query{Limit: 2}, "3 2"},
		{"of a service", Query{Service: "cart"}, "4"},
		{"of a service with its namespace", Query{Service: "shop/web"}, "3 2 1"},
		{"of one that is elsewhere", Query{Service: "other/web"}, ""},
		{"of a version", Query{Service: "web", Version: "v2"}, "2"},
		{"failed", Query{Failed: true}, "3"},
		{"slow", Query{Slower: 500 * time.Millisecond}, "2"},
		{"both of different spans", Query{Slower: 500 * time.Millisecond, Failed: true}, ""},
		{"that call a service", Query{Calls: "shop/reviews"}, "2"},
		{"that call it by name", Query{Calls: "reviews"}, "2"},
		{"that call outside", Query{Calls: "api.example.com"}, "4"},
		{"by the end of a route's name", Query{Route: "slow"}, "2"},
		{"by a part of a word of it", Query{Route: "low"}, ""},
		{"with an attribute", Query{Attributes: []Attribute{{model.SpanCluster, "api.example.com:443"}}}, "4"},
		{"by time", Query{Since: noon.Add(time.Second), Until: noon.Add(3 * time.Second)}, "3 2"},
	} {
		var got []string
		for _, one := range s.Search(c.q) {
			got = append(got, fmt.Sprint(one.ID[15]))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: traces %q, want %q", c.name, text, c.want)
		}
	}
}

func TestTree(t *testing.T) {
	s := NewStore(1<<20, time.Hour)
	at := func(id, parent byte, start, took time.Duration, name string) *Span {
		return spanOf(0, func(s *Span) {
			s.ID, s.Parent, s.Start, s.Duration, s.Name = SpanID{id}, SpanID{parent}, noon.Add(start), took, name
		})
	}
	s.Add([]*Span{ // as they may come: the last one ends first
		at(4, 3, 30, 10, "fourth"), at(3, 2, 20, 30, "third"), at(9, 8, 25, 1, "lost"), at(2, 1, 10, 50, "second"), at(5, 1, 70, 10, "fifth"), at(1, 0, 0, 100, "first"),
		at(6, 7, 90, 1, "loop"), at(7, 6, 91, 1, "pool"),
	}, noon)
	got, ok := s.Get(ID{15: 1})
	if !ok {
		t.Fatal("no trace")
	}
	var lines []string
	for _, one := range got.Steps {
		line := strings.Repeat(" ", one.Depth) + one.Name
		if one.Orphan {
			line += " orphan"
		}
		lines = append(lines, line)
	}
	want := "first| second|  third|   fourth| fifth|lost orphan|loop| pool"
	if text := strings.Join(lines, "|"); text != want {
		t.Errorf("steps\n%s, want\n%s", text, want)
	}
	if got.Name != "first" || got.Duration != 100 || got.Steps[1].Offset != 10 {
		t.Errorf("%q took %d, its second step began at %d; want first, 100, 10", got.Name, got.Duration, got.Steps[1].Offset)
	}
	if _, ok := s.Get(ID{1}); ok {
		t.Error("there is a trace that nobody told of")
	}
}

// What failed or was slow outlives what was neither.
func TestTail(t *testing.T) {
	s := NewStore(100_000, time.Hour)
	for n := range 2000 {
		s.Add([]*Span{spanOf(n, func(s *Span) {
			s.Failed = n == 700
			if n == 900 {
				s.Duration = time.Second
			}
		})}, noon)
	}
	for n, want := range map[int]bool{700: true, 701: false, 900: true, 901: false, 1999: true} {
		if _, ok := s.Get(spanOf(n, nil).Trace); ok != want {
			t.Errorf("trace %d is there: %t, want %t", n, ok, want)
		}
	}
	for n := range 2000 { // all of them failed: then they go as all do
		s.Add([]*Span{spanOf(2000+n, func(s *Span) { s.Failed = true })}, noon)
	}
	if _, ok := s.Get(spanOf(700, nil).Trace); ok {
		t.Error("an old failure is there after thousands of newer ones")
	}
	s.Trim(noon.Add(2 * time.Hour))
	if c := s.Counts(); c.Traces != 0 || c.Bytes != 0 || c.TooOld != c.Spans {
		t.Errorf("after its age the store has %+v", c)
	}
}

// A flood takes no more memory than the store may, as Go's heap has it, and one trace not all.
func TestFlood(t *testing.T) {
	const limit = 8 << 20
	s := NewStore(limit, time.Hour)
	before := heap()
	for n := range 200_000 {
		s.Add([]*Span{spanOf(n, func(s *Span) {
			s.Name = strings.Clone("GET a service with a name")
			for i := range n % 12 {
				s.Attributes = append(s.Attributes, Attribute{fmt.Sprintf("attribute %d", i), strings.Repeat("x", n%40)})
			}
		})}, noon)
	}
	if c := s.Counts(); c.Bytes > limit || c.Bytes < limit*9/10 || c.Spans != 200_000 || int(c.TooOld) != 200_000-c.Traces {
		t.Errorf("%+v: want a store that is full, and the rest counted", c)
	}
	if took := heap() - before; took > limit*5/4 {
		t.Errorf("the heap grew by %d bytes for a store of %d", took, limit)
	}
	for n := range 100_000 {
		s.Add([]*Span{spanOf(0, func(s *Span) { s.ID = SpanID{byte(n), byte(n >> 8), byte(n >> 16), 1} })}, noon)
	}
	if c := s.Counts(); c.TooMany == 0 || c.Traces < 1000 {
		t.Errorf("%+v: one trace pushed the others out", c)
	}
	runtime.KeepAlive(s)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
