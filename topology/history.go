// Package topology remembers who called whom: a picture of each minute, for some hours.
//
// Input: the edges of metrics, once a minute. Output: those of a minute of the past, without versions.
// It must not know who looks at them. Time arrives as a value.
package topology

import (
	"slices"
	"sync"
	"time"

	"weft.dev/metrics"
)

const (
	// Pace is how often a picture is taken, and which calls are in it: those since the one before.
	Pace = time.Minute
	// Kept is how long it stays.
	Kept = 3 * time.Hour
	// mostWays bounds memory, of all pictures together: 24 bytes each, and names that pictures share.
	mostWays = 1_000_000
)

// Moment is a picture in short.
type Moment struct {
	Time    time.Time `json:"time"`
	Rate    float64   `json:"rate"`    // requests a second
	Failing float64   `json:"failing"` // share of them whose callers saw a failure
}

// ends are those of a way, without versions.
type ends struct {
	from, to metrics.End
	port     uint32
}

type way struct {
	*ends                       // shared by all pictures that have it
	requests, errors, fallbacks uint32
	p99                         float32 // of its slowest version
}

type picture struct {
	at   time.Time
	ways []way
}

// History is the pictures, the oldest first. Safe for concurrent use.
type History struct {
	mu       sync.Mutex
	pictures []picture
	names    map[ends]*ends // of the newest
	ways     int
}

// Record takes a picture of the calls of the last Pace.
func (h *History) Record(edges []metrics.Edge, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := picture{at: now}
	names, at := map[ends]*ends{}, map[ends]int{}
	for _, e := range edges {
		key := endsOf(e)
		i, ok := at[key]
		if !ok {
			i, at[key] = len(taken.ways), len(taken.ways)
			names[key] = h.names[key]
			if names[key] == nil {
				names[key] = &key
			}
			taken.ways = append(taken.ways, way{ends: names[key]})
		}
		taken.ways[i].add(e)
	}
	h.names = names
	h.pictures, h.ways = append(h.pictures, taken), h.ways+len(taken.ways)
	h.forget(now)
}

func endsOf(e metrics.Edge) ends {
	key := ends{from: e.Source, to: e.Destination, port: e.Port}
	key.from.Version, key.to.Version = "", ""
	return key
}

func (w *way) add(e metrics.Edge) {
	w.requests += uint32(e.Requests)
	w.errors += uint32(e.Errors)
	w.fallbacks += uint32(e.Fallbacks)
	w.p99 = max(w.p99, float32(e.P99))
}

// forget drops what is too old, and what there is no room for.
func (h *History) forget(now time.Time) {
	for len(h.pictures) > 0 && (now.Sub(h.pictures[0].at) > Kept || h.ways > mostWays) {
		h.ways -= len(h.pictures[0].ways)
		h.pictures = slices.Delete(h.pictures, 0, 1)
	}
}

// Moments are all pictures in short, the oldest first.
func (h *History) Moments() []Moment {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Moment, 0, len(h.pictures))
	for _, p := range h.pictures {
		var requests, seen float64
		for _, w := range p.ways {
			requests += float64(w.requests)
			seen += float64(w.errors - min(w.errors, w.fallbacks))
		}
		all = append(all, Moment{Time: p.at, Rate: requests / Pace.Seconds(), Failing: seen / max(requests, 1)})
	}
	return all
}

// At is the last picture that was taken until then, or else the oldest; false: there is none.
func (h *History) At(t time.Time) (taken time.Time, edges []metrics.Edge, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pictures) == 0 {
		return taken, nil, false
	}
	i, found := slices.BinarySearchFunc(h.pictures, t, func(p picture, t time.Time) int { return p.at.Compare(t) })
	if !found {
		i = max(0, i-1)
	}
	for _, w := range h.pictures[i].ways {
		e := metrics.Edge{Source: w.from, Destination: w.to, Port: w.port, Rate: float64(w.requests) / Pace.Seconds(), P99: float64(w.p99)}
		e.Requests, e.Errors, e.Fallbacks = uint64(w.requests), uint64(w.errors), uint64(w.fallbacks)
		e.Success = 1 - float64(e.Errors)/float64(max(e.Requests, 1))
		edges = append(edges, e)
	}
	return h.pictures[i].at, edges, true
}
