// Package metrics holds what the proxies counted: the calls of every edge, by
// source, destination and version, as recent rates and as running totals.
//
// Input: the traffic reports of the agents. Output: edges for people, totals by
// version for release verdicts. It must not know where reports come from, nor
// what is decided by them. Time arrives as a value.
package metrics

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"weft.dev/model"
)

const (
	// Window is how far back rates can look.
	Window = 5 * time.Minute
	// maxEdges bounds memory: an edge costs about 100 KiB when busy all the window.
	maxEdges = 20_000
	slots    = int(Window / time.Second)
	// Forget is after how long without a call an edge is no more: its totals begin anew then.
	Forget    = time.Hour
	sweepPace = time.Minute
	// What no proxy can have counted between two reports is not believed: sums
	// stay sums, and one agent cannot fill the memory with names.
	maxCount   = 1 << 32
	maxBytes   = 1 << 44
	maxCluster = 512
	// maxRoutes of an edge are told apart; compile makes no more for a virtual host.
	maxRoutes = 64
	maxRoute  = 256 // bytes of a name
)

// End is one side of an edge.
type End struct {
	Namespace string `json:"namespace"`
	App       string `json:"app"` // the service's short name at the destination; a host for an outside service
	Version   string `json:"version,omitempty"`
}

// Edge is the calls of one source to one destination during a time.
type Edge struct {
	Source      End     `json:"source"`
	Destination End     `json:"destination"`
	Port        uint32  `json:"port"`
	Rate        float64 `json:"rate"`    // requests a second
	Success     float64 `json:"success"` // share of requests that did not fail, 0 to 1; 1 without requests
	P50         float64 `json:"p50"`     // milliseconds
	P99         float64 `json:"p99"`
	Connections float64 `json:"connections"`     // that were open, on average
	Plain       bool    `json:"plain,omitempty"` // in plain text, if only to some of the instances; for whoever shows the edge to say
	Counts
}

// called says whether there were calls, or bytes of a connection that was opened before.
func (c Counts) called() bool { return c.Requests > 0 || c.Bytes != Bytes{} }

// Counts are running totals; Requests holds every attempt, Errors those that
// failed, an attempt answered by a fallback among them.
type Counts struct {
	Requests  uint64 `json:"requests"`
	Errors    uint64 `json:"errors"`
	Retries   uint64 `json:"retries"`
	Fallbacks uint64 `json:"fallbacks"`
	model.Troubles
	Open    uint64   `json:"-"` // milliseconds of connections
	Bytes   Bytes    `json:"-"`
	Latency []uint64 `json:"-"` // by model.LatencyBounds
}

// Bytes of connections, as the caller sees them.
type Bytes struct{ Sent, Received uint64 }

func (b Bytes) add(o Bytes) Bytes { return Bytes{b.Sent + o.Sent, b.Received + o.Received} }

func (c *Counts) add(e model.EdgeCounters, hidden []uint32) {
	c.Requests += e.Requests
	c.Errors += min(e.Errors, e.Requests) // a proxy reads its counters one after the other
	c.Retries += e.Retries
	c.Troubles, c.Open, c.Bytes = c.Troubles.Add(e.Troubles), c.Open+e.Open, c.Bytes.add(Bytes{e.Sent, e.Received})
	for _, status := range hidden {
		c.Fallbacks += e.Statuses[status]
	}
	c.addLatency(e.Latency)
}

// Merge adds the counts of other calls.
func (c *Counts) Merge(o Counts) {
	c.Requests += o.Requests
	c.Errors += o.Errors
	c.Retries += o.Retries
	c.Fallbacks += o.Fallbacks
	c.Troubles, c.Open, c.Bytes = c.Troubles.Add(o.Troubles), c.Open+o.Open, c.Bytes.add(o.Bytes)
	c.addLatency(o.Latency)
}

func (c *Counts) addLatency(buckets []uint64) {
	if len(buckets) != len(model.LatencyBounds)+1 {
		return // an agent of another version: its latency says nothing here
	}
	if c.Latency == nil {
		c.Latency = make([]uint64, len(buckets))
	}
	for i, n := range buckets {
		c.Latency[i] += n
	}
}

type edgeKey struct {
	source  End
	cluster string
}

type edgeData struct {
	total   Counts
	classes model.Classes // running totals, too
	routes  map[string]model.RouteCounts
	ring    []second // one a second in which there were calls, oldest first
	used    int64    // Unix seconds of the last call; before the first, of the first report
}

type second struct {
	at int64 // Unix seconds
	Counts
}

// Edges collects the reports of all proxies. Safe for concurrent use.
type Edges struct {
	hidden func(host string) []uint32
	totals bool // and nothing recent
	mu     sync.Mutex
	edges  map[edgeKey]*edgeData
	swept  time.Time
	lost   uint64
}

// NewEdges returns an empty collection. hidden says which statuses of a host
// callers never see, because a fallback answers instead.
func NewEdges(hidden func(host string) []uint32) *Edges {
	return &Edges{hidden: hidden, edges: map[edgeKey]*edgeData{}}
}

// NewTotals is the same for who never asks for Recent: of the memory it takes a hundredth.
func NewTotals(hidden func(host string) []uint32) *Edges {
	c := NewEdges(hidden)
	c.totals = true
	return c
}

// Record adds what the proxy of source counted until now.
func (c *Edges) Record(source End, report model.TrafficReport, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	for _, counted := range report.Edges {
		if !credible(counted) {
			c.lost++
			continue
		}
		key := edgeKey{source, counted.Cluster}
		data := c.edges[key]
		if data == nil {
			if len(c.edges) >= maxEdges {
				c.lost++
				continue
			}
			data = &edgeData{used: now.Unix()}
			c.edges[key] = data
		}
		if counted.Requests > 0 || counted.Sent+counted.Received > 0 || counted.Classes != (model.Classes{}) {
			data.used = now.Unix()
		}
		host, _, _, _ := model.ParseClusterName(counted.Cluster)
		hidden := c.hidden(host)
		data.total.add(counted, hidden)
		for i, n := range counted.Classes {
			data.classes[i] += n
		}
		data.addRoutes(counted.Routes)
		if !c.totals {
			data.current(now.Unix()).add(counted, hidden)
		}
	}
}

// sweep forgets what is idle: callers and versions come and go, and there is room for so many.
func (c *Edges) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepPace {
		return
	}
	c.swept = now
	for key, data := range c.edges {
		switch idle := now.Sub(time.Unix(data.used, 0)); {
		case idle > Forget:
			delete(c.edges, key)
		case idle > Window:
			data.ring = nil
		}
	}
}

func credible(e model.EdgeCounters) bool {
	_, _, _, ok := model.ParseClusterName(e.Cluster)
	most := max(e.Requests, e.Errors, e.Retries, e.Timeouts, e.Exhausted, e.Overflows, e.Unconnected, e.Open, slices.Max(e.Classes[:]))
	for _, n := range e.Latency {
		most = max(most, n)
	}
	for _, n := range e.Statuses {
		most = max(most, n)
	}
	for _, n := range e.Routes {
		most = max(most, n.Requests, n.Errors)
	}
	return ok && len(e.Cluster) <= maxCluster && most <= maxCount && max(e.Sent, e.Received) <= maxBytes
}

func (d *edgeData) addRoutes(counted map[string]model.RouteCounts) {
	for route, n := range counted {
		if _, known := d.routes[route]; !known && len(d.routes) >= maxRoutes || len(route) > maxRoute {
			route = model.OtherRoutes
		}
		if d.routes == nil {
			d.routes = map[string]model.RouteCounts{}
		}
		d.routes[route] = d.routes[route].Add(n)
	}
}

// current is the counts of the second at.
func (d *edgeData) current(at int64) *Counts {
	if n := len(d.ring); n == 0 || d.ring[n-1].at != at {
		d.ring = append(d.ring, second{at: at})
	}
	if len(d.ring) > slots {
		d.ring = slices.Delete(d.ring, 0, len(d.ring)-slots)
	}
	return &d.ring[len(d.ring)-1].Counts
}

// Dropped is the number of edge reports that found no room or no belief.
func (c *Edges) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// Recent returns the edges with calls during the last window (at most Window),
// sorted by source, destination, version.
func (c *Edges) Recent(window time.Duration, now time.Time) []Edge {
	c.mu.Lock()
	defer c.mu.Unlock()
	window = min(max(window, time.Second), Window)
	since := now.Add(-window).Unix()
	var found []Edge
	for key, data := range c.edges {
		var sum Counts
		for _, s := range slices.Backward(data.ring) {
			if s.at <= since {
				break
			}
			sum.Merge(s.Counts)
		}
		if !sum.called() {
			continue
		}
		edge := Edge{Source: key.source, Counts: sum, Success: 1 - float64(sum.Errors)/float64(max(sum.Requests, 1))}
		edge.Destination, edge.Port = destination(key.cluster)
		edge.Rate = float64(sum.Requests) / window.Seconds()
		edge.Connections = float64(sum.Open) / float64(window.Milliseconds())
		edge.P50, edge.P99 = Quantile(sum.Latency, 0.50), Quantile(sum.Latency, 0.99)
		found = append(found, edge)
	}
	slices.SortFunc(found, compareEdges)
	return found
}

// Call is that an application called a host.
type Call struct{ Namespace, App, Host string }

// Calls are those since a time, at most Forget ago; each once, sorted.
func (c *Edges) Calls(since time.Time) []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Call
	for key, data := range c.edges {
		if host, _, _, ok := model.ParseClusterName(key.cluster); ok && data.total.called() && data.used >= since.Unix() {
			found = append(found, Call{key.source.Namespace, key.source.App, host})
		}
	}
	slices.SortFunc(found, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.App, b.App), cmp.Compare(a.Host, b.Host))
	})
	return slices.Compact(found)
}

// Used is when a source last called a cluster.
type Used struct {
	Source  End
	Cluster string
	Last    time.Time
}

// Used are those of the last hour, by source.
func (c *Edges) Used() []Used {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Used
	for key, data := range c.edges {
		if data.total.Requests > 0 || data.total.Open > 0 {
			found = append(found, Used{key.source, key.cluster, time.Unix(data.used, 0)})
		}
	}
	slices.SortFunc(found, func(a, b Used) int {
		return cmp.Or(compareEnds(a.Source, b.Source), cmp.Compare(a.Cluster, b.Cluster))
	})
	return found
}

func compareEdges(a, b Edge) int {
	return cmp.Or(compareEnds(a.Source, b.Source), compareEnds(a.Destination, b.Destination), cmp.Compare(a.Port, b.Port))
}

func compareEnds(a, b End) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.App, b.App), cmp.Compare(a.Version, b.Version))
}

// Versions returns the running totals of all calls to a host, by version
// and then by the app that called; calls that named no version are under "".
func (c *Edges) Versions(host string) map[string]map[End]Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	totals := map[string]map[End]Counts{}
	for key, data := range c.edges {
		to, ok := model.ParseDestination(key.cluster)
		if !ok || to.Host != host {
			continue
		}
		if totals[to.Version] == nil {
			totals[to.Version] = map[End]Counts{}
		}
		caller := End{Namespace: key.source.Namespace, App: key.source.App}
		sum := totals[to.Version][caller]
		sum.Merge(data.total)
		totals[to.Version][caller] = sum
	}
	return totals
}

// Routes returns the running totals of requests to a host, by version and then by route, where proxies count so.
func (c *Edges) Routes(host string) map[string]map[string]model.RouteCounts {
	c.mu.Lock()
	defer c.mu.Unlock()
	totals := map[string]map[string]model.RouteCounts{}
	for key, data := range c.edges {
		to, ok := model.ParseDestination(key.cluster)
		if !ok || to.Host != host || len(data.routes) == 0 {
			continue
		}
		if totals[to.Version] == nil {
			totals[to.Version] = map[string]model.RouteCounts{}
		}
		for route, n := range data.routes {
			totals[to.Version][route] = totals[to.Version][route].Add(n)
		}
	}
	return totals
}

func destination(cluster string) (End, uint32) {
	to, ok := model.ParseDestination(cluster)
	if !ok {
		return End{App: cluster}, 0
	}
	return End{Namespace: to.Namespace, App: to.Service, Version: to.Version}, to.Port
}

// Bucket is where in a histogram by model.LatencyBounds a time is counted.
func Bucket(d time.Duration) int {
	i, _ := slices.BinarySearch(model.LatencyBounds, float64(d)/float64(time.Millisecond))
	return i
}

// Slower counts a histogram by model.LatencyBounds, and what of it is in the buckets that lie beyond a
// limit: the limit is as if it were the next higher bound, above 2 ms at most a third more.
func Slower(buckets []uint64, limit time.Duration) (all, slower uint64) {
	first := Bucket(limit)
	for i, n := range buckets {
		all += n
		if i > first {
			slower += n
		}
	}
	return all, slower
}

// Quantile of a histogram by model.LatencyBounds, in milliseconds, linear
// within a bucket; 0 for an empty one.
func Quantile(buckets []uint64, q float64) float64 {
	var total uint64
	for _, n := range buckets {
		total += n
	}
	rank, seen := q*float64(total), 0.0
	for i, n := range buckets {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		if i == len(model.LatencyBounds) {
			break
		}
		low := 0.0
		if i > 0 {
			low = model.LatencyBounds[i-1]
		}
		return low + (model.LatencyBounds[i]-low)*(rank-seen)/float64(n)
	}
	if total == 0 {
		return 0
	}
	return model.LatencyBounds[len(model.LatencyBounds)-1]
}
