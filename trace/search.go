package trace

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"weft.dev/model"
)

// MaxFound is how many traces an answer has at most.
const MaxFound = 1000

// Query is what to look for: traces with a span of which all of this holds. The zero
// value holds of every span.
type Query struct {
	Service    string        // namespace/name or name
	Version    string        // of the service
	Calls      string        // the service that the span calls: host, namespace/name or name
	Route      string        // the name of a route, or the end of one
	Slower     time.Duration // it took as long as this
	Failed     bool
	Attributes []Attribute // that it has
	Since      time.Time   // it began then or later
	Until      time.Time   // it began before; zero: no matter
	Limit      int         // of traces; 0: MaxFound
}

// Summary is a trace in one line.
type Summary struct {
	ID        ID            `json:"id"`
	Namespace string        `json:"namespace,omitempty"` // of the service that began it
	Service   string        `json:"service"`
	Name      string        `json:"name"` // of the span that began it
	Start     time.Time     `json:"start"`
	Duration  time.Duration `json:"duration"` // until its last span ended, nanoseconds
	Spans     int           `json:"spans"`
	Services  []string      `json:"services"`
	Failed    bool          `json:"failed,omitempty"`
	Found     time.Duration `json:"found"` // duration of the longest span that was looked for
}

// Search gives traces that failed first, then those whose span took longest.
func (s *Store) Search(q Query) []Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Summary{}
	for _, h := range s.traces {
		if longest, ok := q.longest(h.spans); ok {
			t := summarize(h)
			t.Found = longest
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b Summary) int {
		return cmp.Or(model.CompareBool(b.Failed, a.Failed), cmp.Compare(b.Found, a.Found), b.Start.Compare(a.Start), slices.Compare(a.ID[:], b.ID[:]))
	})
	limit := MaxFound
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	return slices.Clip(found[:min(len(found), limit)])
}

func (q Query) longest(spans []*Span) (longest time.Duration, any bool) {
	for i := range spans {
		if q.holds(spans[i]) {
			longest, any = max(longest, spans[i].Duration), true
		}
	}
	return longest, any
}

func (q Query) holds(s *Span) bool {
	return (q.Service == "" || s.is(q.Service)) &&
		(q.Version == "" || s.Version == q.Version) &&
		(q.Calls == "" || s.calls(q.Calls)) &&
		(q.Route == "" || q.leads(s.Attribute(model.SpanRoute))) &&
		s.Duration >= q.Slower &&
		(!q.Failed || s.Failed) &&
		!s.Start.Before(q.Since) && (q.Until.IsZero() || s.Start.Before(q.Until)) &&
		!slices.ContainsFunc(q.Attributes, func(a Attribute) bool { return s.Attribute(a.Name) != a.Value })
}

func (q Query) leads(route string) bool {
	return route == q.Route || strings.HasSuffix(route, "/"+q.Route)
}

// calls says whether the span is a call of a service.
func (s *Span) calls(service string) bool {
	if s.Kind != Client {
		return false
	}
	host, _, _, ok := model.ParseClusterName(s.Attribute(model.SpanCluster))
	if !ok {
		return false
	}
	if host == service {
		return true
	}
	name, namespace, ok := model.SplitHost(host)
	return ok && (service == name || service == namespace+"/"+name)
}

// summarize reads a trace's spans; there is one at least.
func summarize(h *held) Summary {
	first := h.spans[root(h.spans)]
	t := Summary{ID: h.id, Namespace: first.Namespace, Service: first.Service, Name: first.Name, Start: first.Start, Spans: len(h.spans)}
	end := first.end()
	for _, one := range h.spans {
		t.Failed = t.Failed || one.Failed
		if one.Start.Before(t.Start) {
			t.Start = one.Start
		}
		if one.end().After(end) {
			end = one.end()
		}
		if of := one.Of(); !slices.Contains(t.Services, of) {
			t.Services = append(t.Services, of)
		}
	}
	slices.Sort(t.Services)
	t.Duration = end.Sub(t.Start)
	return t
}

// root is the span that began the trace, or the earliest of those that are here.
func root(spans []*Span) (first int) {
	for i := range spans {
		one, best := spans[i], spans[first]
		began, bestBegan := one.Parent == SpanID{}, best.Parent == SpanID{}
		if began && !bestBegan || began == bestBegan && one.Start.Before(best.Start) {
			first = i
		}
	}
	return first
}
