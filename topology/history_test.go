package topology

import (
	"fmt"
	"testing"
	"time"

	"weft.dev/metrics"
)

func edge(from, to, version string, requests, errors uint64) metrics.Edge {
	return metrics.Edge{
		Source: metrics.End{Namespace: "shop", App: from, Version: "v1"}, Destination: metrics.End{Namespace: "shop", App: to, Version: version},
		Port: 80, P99: float64(requests), Counts: metrics.Counts{Requests: requests, Errors: errors},
	}
}

// A minute of the past is as it was, all versions of a service together.
func TestAMinuteOfThePast(t *testing.T) {
	var h History
	if _, _, ok := h.At(time.Unix(0, 0)); ok || len(h.Moments()) != 0 {
		t.Error("there is something before anything was recorded")
	}
	start := time.Unix(10_000, 0)
	h.Record([]metrics.Edge{edge("web", "cart", "v1", 60, 0), edge("web", "cart", "v2", 60, 12)}, start)
	h.Record([]metrics.Edge{edge("web", "cart", "v1", 600, 0)}, start.Add(Pace))
	for _, c := range []struct {
		asked    time.Duration
		want     time.Duration
		requests uint64
		success  float64
	}{
		{-time.Hour, 0, 120, 0.9}, {0, 0, 120, 0.9}, {Pace - 1, 0, 120, 0.9}, {Pace, Pace, 600, 1}, {time.Hour, Pace, 600, 1},
	} {
		at, edges, ok := h.At(start.Add(c.asked))
		if !ok || !at.Equal(start.Add(c.want)) || len(edges) != 1 || edges[0].Requests != c.requests || edges[0].Success != c.success || edges[0].Source.Version != "" {
			t.Errorf("%s: at %s %+v, want %d requests of %s", c.asked, at.Sub(start), edges, c.requests, c.want)
		}
	}
	if all := h.Moments(); len(all) != 2 || all[0].Rate != 2 || all[0].Failing != 0.1 || all[1].Failing != 0 {
		t.Errorf("moments %+v", all)
	}
}

// Neither time nor a large mesh make it grow.
func TestHistoryIsBounded(t *testing.T) {
	var h History
	start := time.Unix(10_000, 0)
	for i := range 2 * int(Kept/Pace) {
		h.Record([]metrics.Edge{edge("web", fmt.Sprint("s", i), "v1", 1, 0)}, start.Add(time.Duration(i)*Pace))
	}
	if n := len(h.Moments()); n != int(Kept/Pace)+1 || len(h.names) != 1 {
		t.Errorf("%d pictures and %d names, want those of %s and of the last picture", n, len(h.names), Kept)
	}
	var many []metrics.Edge
	for i := range 20_000 {
		many = append(many, edge("web", fmt.Sprint("s", i), "v1", 1, 0))
	}
	for i := range 60 {
		h.Record(many, start.Add(24*time.Hour).Add(time.Duration(i)*time.Second))
	}
	if n := len(h.Moments()); n != 50 || h.ways != mostWays {
		t.Errorf("%d pictures of 20,000 ways and %d ways, want 50 and %d", n, h.ways, mostWays)
	}
}
