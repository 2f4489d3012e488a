package metrics_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

const reviewsV2 = "reviews.shop.svc.cluster.local:9080/v2"

func latency(ms float64, n uint64) []uint64 {
	buckets := make([]uint64, len(model.LatencyBounds)+1)
	for i, bound := range model.LatencyBounds {
		if ms <= bound {
			buckets[i] = n
			return buckets
		}
	}
	buckets[len(model.LatencyBounds)] = n
	return buckets
}

func report(cluster string, requests, errors uint64) model.TrafficReport {
	return model.TrafficReport{Period: time.Second, Edges: []model.EdgeCounters{
		{Cluster: cluster, Requests: requests, Errors: errors, Latency: latency(7, requests)},
	}}
}

func none(string) []uint32 { return nil }

func TestFallbacksAreErrorsThatCallersDoNotSee(t *testing.T) {
	edges, now := metrics.NewEdges(func(string) []uint32 { return []uint32{502, 503} }), time.Unix(1000, 0)
	edges.Record(metrics.End{App: "a"}, model.TrafficReport{Edges: []model.EdgeCounters{{
		Cluster: reviewsV2, Requests: 10, Errors: 9, Statuses: map[uint32]uint64{500: 4, 503: 5},
	}}}, now)
	if got := edges.Recent(time.Second, now)[0]; got.Errors != 9 || got.Fallbacks != 5 {
		t.Errorf("%d errors, %d of them fallbacks; want 9 and 5", got.Errors, got.Fallbacks)
	}
}

// Routes add up over callers; what one edge says beyond 64 of them is one.
func TestRoutes(t *testing.T) {
	edges, now := metrics.NewEdges(none), time.Unix(1000, 0)
	say := func(app string, routes map[string]model.RouteCounts) {
		edges.Record(metrics.End{App: app}, model.TrafficReport{Edges: []model.EdgeCounters{{Cluster: reviewsV2, Routes: routes}}}, now)
	}
	say("a", map[string]model.RouteCounts{"/": {Requests: 5, Errors: 1}})
	say("a", map[string]model.RouteCounts{"/": {Requests: 2}})
	say("b", map[string]model.RouteCounts{"/": {Requests: 3}, "/rare": {Requests: 1, Errors: 1}})
	say("b", map[string]model.RouteCounts{"/": {Requests: 1 << 60}}) // no proxy counts so fast
	const host = "reviews.shop.svc.cluster.local"
	got := edges.Routes(host)["v2"]
	if want := map[string]model.RouteCounts{"/": {Requests: 10, Errors: 1}, "/rare": {Requests: 1, Errors: 1}}; !maps.Equal(got, want) {
		t.Errorf("routes %v, want %v", got, want)
	}
	for i := range 1000 {
		say("a", map[string]model.RouteCounts{strconv.Itoa(i): {Requests: 1}})
	}
	if got = edges.Routes(host)["v2"]; len(got) > 70 || got[model.OtherRoutes].Requests < 900 {
		t.Errorf("%d routes, %v of others", len(got), got[model.OtherRoutes])
	}
	if len(edges.Routes("details.shop.svc.cluster.local")) > 0 {
		t.Error("routes of a host that nobody called")
	}
}

func TestRecentLooksBackOneWindow(t *testing.T) {
	edges, start := metrics.NewEdges(none), time.Unix(1000, 0)
	frontend := metrics.End{Namespace: "shop", App: "frontend", Version: "v1"}
	edges.Record(frontend, report(reviewsV2, 1000, 1000), start)
	for i := range 10 {
		edges.Record(frontend, report(reviewsV2, 20, 1), start.Add(time.Duration(60+i)*time.Second))
	}
	got := edges.Recent(10*time.Second, start.Add(69*time.Second))
	if len(got) != 1 {
		t.Fatalf("%d edges, want 1: %+v", len(got), got)
	}
	edge := got[0]
	want := metrics.End{Namespace: "shop", App: "reviews", Version: "v2"}
	if edge.Source != frontend || edge.Destination != want || edge.Port != 9080 {
		t.Errorf("ends %+v -> %+v:%d", edge.Source, edge.Destination, edge.Port)
	}
	if edge.Rate != 20 || math.Abs(edge.Success-0.95) > 1e-9 {
		t.Errorf("rate %v success %v, want 20 and 0.95", edge.Rate, edge.Success)
	}
	if edge.P50 < 6 || edge.P50 > 8 || edge.P99 < 6 || edge.P99 > 8 {
		t.Errorf("p50 %v p99 %v, want within the bucket of 7 ms", edge.P50, edge.P99)
	}
	if late := edges.Recent(time.Minute, start.Add(time.Hour)); len(late) != 0 {
		t.Errorf("an hour later: %+v, want none", late)
	}
}

// A connection that was opened long ago is a call as long as bytes pass.
func TestBytesAreCalls(t *testing.T) {
	edges, start := metrics.NewEdges(none), time.Unix(1000, 0)
	edges.Record(metrics.End{App: "a"}, report(reviewsV2, 1, 0), start)
	late := start.Add(metrics.Forget / 2)
	for _, sent := range []uint64{1, 1 << 60} { // no proxy sends so fast
		edges.Record(metrics.End{App: "a"}, model.TrafficReport{Edges: []model.EdgeCounters{{Cluster: reviewsV2, Sent: sent, Received: 7}}}, late)
	}
	if got := edges.Recent(time.Minute, late); len(got) != 1 || got[0].Bytes != (metrics.Bytes{Sent: 1, Received: 7}) || got[0].Success != 1 {
		t.Errorf("edges %+v", got)
	}
	if got := edges.Calls(late); len(got) != 1 {
		t.Errorf("calls %v", got)
	}
	edges.Record(metrics.End{App: "b"}, report(reviewsV2, 1, 0), start.Add(metrics.Forget+time.Minute))
	if got := edges.Versions("reviews.shop.svc.cluster.local")["v2"][metrics.End{App: "a"}]; got.Requests != 1 {
		t.Errorf("what passed half an hour ago is forgotten: %+v", got)
	}
}

func TestVersionsAddUpByCaller(t *testing.T) {
	edges, now := metrics.NewEdges(none), time.Unix(1000, 0)
	edges.Record(metrics.End{App: "a", Version: "v1"}, report(reviewsV2, 10, 1), now)
	edges.Record(metrics.End{App: "a", Version: "v2"}, report(reviewsV2, 3, 0), now)
	edges.Record(metrics.End{App: "b"}, report("reviews.shop.svc.cluster.local:9080/"+model.VersionPrefix+"v2", 5, 2), now)
	edges.Record(metrics.End{App: "b"}, report("ratings.shop.svc.cluster.local:9080", 7, 0), now)
	got := edges.Versions("reviews.shop.svc.cluster.local")
	a, b := got["v2"][metrics.End{App: "a"}], got["v2"][metrics.End{App: "b"}]
	if len(got) != 1 || a.Requests != 13 || a.Errors != 1 || b.Requests != 5 || b.Errors != 2 {
		t.Errorf("totals %+v, want v2 with 13 and 5 requests, 1 and 2 errors", got)
	}
}

func TestQuantile(t *testing.T) {
	if q := metrics.Quantile(nil, 0.99); q != 0 {
		t.Errorf("empty: %v", q)
	}
	if q := metrics.Quantile(latency(1e6, 3), 0.5); q != 10000 {
		t.Errorf("above all bounds: %v, want the last bound", q)
	}
}

func TestSlower(t *testing.T) {
	buckets := make([]uint64, len(model.LatencyBounds)+1)
	for i := range buckets {
		buckets[i] = 1
	}
	for limit, want := range map[time.Duration]uint64{
		10 * time.Second:       1, // above all bounds
		8 * time.Second:        2, // and up to 10 s
		7 * time.Second:        2, // as 8 s
		500 * time.Microsecond: uint64(len(buckets)) - 1,
	} {
		if all, slower := metrics.Slower(buckets, limit); all != uint64(len(buckets)) || slower != want {
			t.Errorf("%s: %d of %d, want %d", limit, slower, all, want)
		}
	}
	if all, slower := metrics.Slower(nil, time.Second); all+slower != 0 {
		t.Errorf("nothing was timed: %d of %d", slower, all)
	}
}

// What counts is that there was a call, and when its report came; not how many
// versions or ports it went to.
func TestCalls(t *testing.T) {
	edges, now := metrics.NewEdges(none), time.Unix(1000, 0)
	web, batch := metrics.End{Namespace: "shop", App: "web", Version: "v1"}, metrics.End{Namespace: "shop", App: "batch"}
	edges.Record(batch, report("old.example.com:443", 1, 0), now.Add(-time.Minute))
	edges.Record(batch, report("old.example.com:443", 0, 0), now)
	edges.Record(web, report(reviewsV2, 3, 0), now)
	edges.Record(metrics.End{Namespace: "shop", App: "web", Version: "v2"}, report("reviews.shop.svc.cluster.local:9080", 3, 3), now)
	edges.Record(batch, report("api.example.com:443", 1, 1), now)
	want := []metrics.Call{{"shop", "batch", "api.example.com"}, {"shop", "web", "reviews.shop.svc.cluster.local"}}
	if got := edges.Calls(now); !slices.Equal(got, want) {
		t.Errorf("called since now: %v, want %v", got, want)
	}
	if got := edges.Calls(now.Add(-time.Minute)); len(got) != 3 {
		t.Errorf("called since a minute: %v", got)
	}
}

// What nobody calls any more makes room; what is called stays, with its totals.
func TestIdleEdgesAreForgotten(t *testing.T) {
	edges, start := metrics.NewEdges(none), time.Unix(100_000, 0)
	old, busy := metrics.End{Namespace: "shop", App: "old"}, metrics.End{Namespace: "shop", App: "busy"}
	edges.Record(old, report(reviewsV2, 7, 0), start)
	for at := time.Duration(0); at <= metrics.Forget; at += 10 * time.Minute {
		edges.Record(busy, report(reviewsV2, 1, 0), start.Add(at))
		edges.Record(old, report(reviewsV2, 0, 0), start.Add(at)) // its proxy is there still
	}
	totals := func() map[metrics.End]metrics.Counts { return edges.Versions("reviews.shop.svc.cluster.local")["v2"] }
	if got := totals(); got[old].Requests != 7 || got[busy].Requests != 7 {
		t.Errorf("after %s: %+v, want 7 requests of both", metrics.Forget, got)
	}
	if got := edges.Calls(start); len(got) != 2 {
		t.Errorf("calls %v, want those of both", got)
	}
	edges.Record(busy, report(reviewsV2, 1, 0), start.Add(metrics.Forget+time.Minute))
	if got := totals(); len(got) != 1 || got[busy].Requests != 8 {
		t.Errorf("a minute later: %+v, want those of busy alone", got)
	}
}
