package metrics_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

// Whatever an agent reports, what people read is JSON, and its shares are shares.
func FuzzReport(f *testing.F) {
	for _, seed := range []string{
		`{"period":1,"edges":[{"cluster":"a.b.svc.cluster.local:80/v1","requests":3,"errors":5}]}`,
		`{"edges":[{"cluster":"a:80","requests":18446744073709551615},{"cluster":"a:80","requests":18446744073709551615,"errors":1}]}`,
		`{"edges":[{"cluster":"","requests":1},{"cluster":"x","requests":1,"latency":[1]}]}`,
		`{"edges":[{"cluster":"a:80","requests":1,"latency":[` + strings.Repeat("18446744073709551615,", len(model.LatencyBounds)) + `1]}]}`,
		`{"edges":[{"cluster":"` + strings.Repeat("a", 5000) + `:80","requests":1}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r model.TrafficReport
		if (model.AgentCodec{}).Unmarshal(body, &r) != nil {
			return
		}
		edges, now := metrics.NewEdges(func(string) []uint32 { return []uint32{503} }), time.Unix(1_000_000, 0)
		edges.Record(metrics.End{App: "web"}, r, now)
		edges.Record(metrics.End{App: "web"}, r, now.Add(time.Second))
		found := edges.Recent(time.Minute, now.Add(2*time.Second))
		if _, err := json.Marshal(found); err != nil || len(found) > len(r.Edges) {
			t.Errorf("%d edges of %d, %v", len(found), len(r.Edges), err)
		}
		for _, e := range found {
			bad := func(x, most float64) bool { return math.IsNaN(x) || x < 0 || x > most }
			if bad(e.Success, 1) || bad(e.Rate, math.MaxFloat64) || bad(e.P50, 10_000) || bad(e.P99, 10_000) || len(e.Destination.App) > 512 {
				t.Errorf("%+v", e)
			}
		}
	})
}
