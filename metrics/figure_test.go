package metrics_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

// Figures are running totals, and there is none of what did not happen.
func TestFigures(t *testing.T) {
	edges, now := metrics.NewEdges(func(string) []uint32 { return []uint32{503} }), time.Unix(1000, 0)
	from := metrics.End{Namespace: "shop", App: "frontend", Version: "v1"}
	for range 2 {
		edges.Record(from, model.TrafficReport{Edges: []model.EdgeCounters{
			{Cluster: reviewsV2, Requests: 9, Errors: 3, Retries: 1, Classes: model.Classes{1: 6, 4: 2}, Statuses: map[uint32]uint64{503: 2}, Latency: latency(7, 8),
				Troubles: model.Troubles{Timeouts: 1, Exhausted: 2, Overflows: 3, Unconnected: 4}, Open: 2500, Sent: 100, Received: 1000},
			{Cluster: "rates.example.com:80", Classes: model.Classes{3: 4}},
			{Cluster: "?", Classes: model.Classes{3: 4}},
		}}, now)
	}
	var got []string
	plain := func([]string) map[string]bool { return map[string]bool{"rates.example.com:80": true} }
	edges.Figures(plain, func(f metrics.Figure) {
		if len(f.Labels) != len(f.Family.Labels) {
			t.Errorf("%s has labels %q, their names are %q", f.Family.Name, f.Labels, f.Family.Labels)
		}
		var sum uint64
		for _, n := range f.Buckets {
			sum += n
		}
		got = append(got, fmt.Sprintf("%s%q %v %d", f.Family.Name, f.Labels, f.Value, sum))
	})
	slices.Sort(got)
	want := []string{
		`weft_breaker_overflows_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 6 0`,
		`weft_connect_failures_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 8 0`,
		`weft_connection_seconds_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 5 0`,
		`weft_edge_reports_dropped_total[] 2 0`,
		`weft_fallbacks_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 4 0`,
		`weft_plaintext["shop" "frontend" "v1" "" "rates.example.com" "" "80"] 1 0`,
		`weft_received_bytes_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 2000 0`,
		`weft_request_duration_seconds["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 0 16`,
		`weft_requests_total["shop" "frontend" "v1" "" "rates.example.com" "" "80" "4xx"] 8 0`,
		`weft_requests_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080" "2xx"] 12 0`,
		`weft_requests_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080" "5xx"] 4 0`,
		`weft_retries_exhausted_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 4 0`,
		`weft_retries_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 2 0`,
		`weft_sent_bytes_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 200 0`,
		`weft_timeouts_total["shop" "frontend" "v1" "shop" "reviews" "v2" "9080"] 2 0`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("figures\n%q, want\n%q", got, want)
	}
	for _, family := range metrics.EdgeFamilies {
		if !slices.ContainsFunc(got, func(line string) bool {
			return len(line) > len(family.Name) && line[:len(family.Name)+1] == family.Name+"["
		}) {
			t.Errorf("there is no %s", family.Name)
		}
	}
}

// Totals have all but what is recent.
func TestTotals(t *testing.T) {
	edges, now := metrics.NewTotals(none), time.Unix(1000, 0)
	edges.Record(metrics.End{App: "a"}, report(reviewsV2, 5, 1), now)
	if got := edges.Versions("reviews.shop.svc.cluster.local")["v2"][metrics.End{App: "a"}]; got.Requests != 5 || got.Errors != 1 {
		t.Errorf("totals %+v", got)
	}
	if calls := edges.Calls(now); len(calls) != 1 {
		t.Errorf("calls %v, want one", calls)
	}
	if recent := edges.Recent(time.Minute, now); len(recent) != 0 {
		t.Errorf("recent %v, want none", recent)
	}
}
