package main

import (
	"maps"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
)

// What a release is told of its traffic: by version and caller; slow answers only if it asks.
func TestTraffic(t *testing.T) {
	edges := metrics.NewEdges(func(string) []uint32 { return nil })
	latency := make([]uint64, len(model.LatencyBounds)+1)
	latency[0], latency[len(latency)-1] = 7, 2
	edges.Record(metrics.End{Namespace: "shop", App: "web"}, model.TrafficReport{Period: time.Second, Edges: []model.EdgeCounters{
		{Cluster: "reviews.shop.svc.cluster.local:9080/v3", Requests: 10, Retries: 3, Errors: 1, Latency: latency},
	}}, time.Unix(1000, 0))
	f := facts{edges: edges}
	target := release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"}
	want := release.Counts{Requests: 10, Retries: 3, Errors: 1}
	if got := f.Traffic(target); !maps.Equal(got["v3"], map[string]release.Counts{"shop/web": want}) {
		t.Errorf("latency not asked for: %+v", got)
	}
	target.SlowerThan, want.Timed, want.Slow = time.Second, 9, 2
	if got := f.Traffic(target); !maps.Equal(got["v3"], map[string]release.Counts{"shop/web": want}) {
		t.Errorf("slower than a second: %+v", got)
	}
}
