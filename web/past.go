package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"weft.dev/metrics"
	"weft.dev/topology"
)

// Past is what of the last hours can be looked at again.
type Past struct {
	Moments []topology.Moment `json:"moments"` // the oldest first
	Marks   []Mark            `json:"marks"`   // what happened meanwhile, the oldest first
}

// Mark is something that happened.
type Mark struct {
	Time  time.Time `json:"time"`
	State State     `json:"state"`
	Text  string    `json:"text"`
	Page  string    `json:"page"` // of the UI that says more
}

func past(mesh Mesh) Past {
	p := Past{Moments: orEmpty(mesh.Past.Moments()), Marks: []Mark{}}
	if len(p.Moments) == 0 {
		return p
	}
	p.Marks = orEmpty(releaseMarks(mesh.Releases(), p.Moments[0].Time.Add(-topology.Pace)))
	return p
}

// releaseMarks are when releases began and ended, the oldest first.
func releaseMarks(all []Release, since time.Time) (marks []Mark) {
	mark := func(at time.Time, r Release, state State, what string) {
		if at.After(since) {
			marks = append(marks, Mark{at, state, fmt.Sprintf("%s %s %s", r.Application, r.Version, what), "releases/" + r.Namespace + "/" + r.Name})
		}
	}
	for _, r := range all {
		mark(r.Started, r, Changing, "starts")
		if r.Ended != nil {
			mark(*r.Ended, r, r.State, "ends")
		}
	}
	slices.SortStableFunc(marks, func(a, b Mark) int { return cmp.Compare(a.Time.Unix(), b.Time.Unix()) })
	return marks
}

// topologyAt is the map of a minute of the past: who called whom then. Nothing but calls was kept.
func topologyAt(mesh Mesh, at time.Time) (any, error) {
	taken, edges, ok := mesh.Past.At(at)
	if !ok {
		return nil, fmt.Errorf("topology at %s: %w: the first minute is not over yet", at.UTC().Format(time.RFC3339), ErrNotFound)
	}
	mesh.Calls = func(time.Time) []metrics.Call { return nil }
	mesh.Plain = func([]string) map[string]bool { return nil } // it is not kept
	l, releases := survey(mesh, edges), underWay(mesh.Releases(), taken)
	calling := map[place]bool{}
	for _, e := range edges {
		calling[place{e.Source.Namespace, e.Source.App}] = true
	}
	var services []Service
	for _, row := range l.rows {
		called := l.called[destination(row.Host)]
		if called == nil && !calling[destination(row.Host)] {
			continue
		}
		if called == nil {
			called = &sums{}
		}
		calls := called.all.calls()
		s := Service{Namespace: row.Namespace, Name: row.Name, Host: row.Host, External: row.External, Calls: calls, State: calls.state()}
		if s.State == Bad {
			s.Why = percent(calls.seen()) + " of its requests failed"
		}
		if r, ok := releases[place{row.Namespace, row.Name}]; ok {
			s.Release = &r
		}
		services = append(services, s)
	}
	slices.SortStableFunc(services, func(a, b Service) int { return cmp.Compare(ranks[a.State], ranks[b.State]) })
	return l.topology(services, taken), nil
}

// underWay are the releases that were at a time, by application.
func underWay(all []Release, at time.Time) map[place]Release {
	found := map[place]Release{}
	for _, r := range all {
		if !r.Started.After(at) && (r.Ended == nil || r.Ended.After(at)) {
			found[place{r.Namespace, r.Application}] = r
		}
	}
	return found
}

// timeOf is the time that is asked for; zero: now.
func timeOf(r *http.Request) (time.Time, error) {
	text := r.URL.Query().Get("at")
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, Invalid("at %q: want a time, e.g. 2026-01-02T15:04:00Z", text)
	}
	return at, nil
}
