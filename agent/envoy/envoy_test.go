package envoy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/model"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// text is what Envoy 1.40.0 printed for 3 good and 1 bad request, of which one
// was tried again, and one to a dead backend, tried three times.
const text = `cluster.dead.shop.svc.cluster.local_80/v1.upstream_cx_connect_fail: 3
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_timeout: 1
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_per_try_timeout: 2
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_retry_limit_exceeded: 4
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_pending_overflow: 5
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_5xx: 1
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_completed: 1
cluster.dead.shop.svc.cluster.local_80/v1.upstream_rq_retry: 2
cluster.up_80.internal.upstream_rq_5xx: 1
cluster.up_80.retry.upstream_rq_5xx: 1
cluster.up_80.retry.upstream_rq_completed: 1
cluster.up_80.internal.upstream_rq_2xx: 3
cluster.up_80.upstream_rq_2xx: 3
cluster.up_80.upstream_rq_5xx: 1
cluster.up_80.upstream_rq_completed: 4
cluster.up_80.upstream_rq_retry: 1
cluster.up_80.upstream_rq_total: 5
cluster.up_80.upstream_rq_time: B0.5(1,1) B1(0,1) B2(0,1) B5(3,4) B3.6e+06(3,6)
`

func TestEdges(t *testing.T) {
	all := parseStats([]byte(text))
	dead := all[statName("dead.shop.svc.cluster.local:80/v1")].edge("dead")
	if dead.Requests != 3 || dead.Errors != 3 || dead.Retries != 2 || dead.Latency != nil {
		t.Errorf("dead: %+v", dead)
	}
	if dead.Troubles != (model.Troubles{Timeouts: 3, Exhausted: 4, Overflows: 5, Unconnected: 3}) {
		t.Errorf("dead: %+v", dead.Troubles)
	}
	up := all[statName("up:80")].edge("up")
	if up.Requests != 5 || up.Errors != 2 || up.Retries != 1 {
		t.Errorf("up: %+v", up)
	}
	if up.Classes != (model.Classes{1: 3, 4: 1}) || dead.Classes != (model.Classes{4: 1}) {
		t.Errorf("classes: up %v, dead %v", up.Classes, dead.Classes)
	}
	last := len(model.LatencyBounds)
	if five := slices.Index(model.LatencyBounds, 5); up.Latency[0] != 1 || up.Latency[five] != 3 || up.Latency[last] != 2 {
		t.Errorf("latency %v", up.Latency)
	}
}

// What a Prometheus reads has a series for what happened, and none for what did not.
func TestCounters(t *testing.T) {
	var got strings.Builder
	admin := admin(t, func() string {
		return text + "cluster.up_80.upstream_cx_active: 2\ncluster.up_80.upstream_cx_tx_bytes_total: 70\ncluster.up_80.upstream_cx_rx_bytes_total: 900\ncluster.idle_80.upstream_cx_active: 0\n"
	})
	counters, err := admin.Counters(t.Context(), []string{"up:80", "idle:80", "never:80", "weft-agent", "dead.shop.svc.cluster.local:80/version-v1"}, false)
	if err != nil || counters.Write(&got) != nil {
		t.Fatal(err)
	}
	var series []string
	for line := range strings.Lines(got.String()) {
		if !strings.HasPrefix(line, "#") && (!strings.Contains(line, "_bucket{") || strings.Contains(line, `le="0.005"`) || strings.Contains(line, "Inf")) {
			series = append(series, strings.TrimSpace(line))
		}
	}
	want := []string{
		`weft_proxy_requests_total{destination_service="up",destination_port="80",status="2xx"} 3`,
		`weft_proxy_requests_total{destination_service="up",destination_port="80",status="5xx"} 1`,
		`weft_proxy_retries_total{destination_service="up",destination_port="80"} 1`,
		`weft_proxy_sent_bytes_total{destination_service="up",destination_port="80"} 70`,
		`weft_proxy_received_bytes_total{destination_service="up",destination_port="80"} 900`,
		`weft_proxy_connections{destination_service="up",destination_port="80"} 2`,
		`weft_proxy_request_duration_seconds_bucket{destination_service="up",destination_port="80",le="0.005"} 4`,
		`weft_proxy_request_duration_seconds_bucket{destination_service="up",destination_port="80",le="+Inf"} 6`,
		`weft_proxy_request_duration_seconds_sum{destination_service="up",destination_port="80"} 20.01375`,
		`weft_proxy_request_duration_seconds_count{destination_service="up",destination_port="80"} 6`,
	}
	if !slices.Equal(series, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(series, "\n"), strings.Join(want, "\n"))
	}
	counters, err = admin.Counters(t.Context(), []string{"dead.shop.svc.cluster.local:80/v1"}, true)
	if want := (stat{"upstream_cx_connect_fail", "3"}); len(counters) != 1 || len(counters[0].stats) != 8 || counters[0].stats[0] != want {
		t.Errorf("full: %+v, want 8 numbers, first %v", counters, want)
	}
	if err != nil || len(counters) != 1 || counters[0].labels != `destination_namespace="shop",destination_service="dead",destination_version="v1",destination_port="80"` {
		t.Errorf("%+v, %v", counters, err)
	}
}

// admin is that of an Envoy that counted so.
func admin(t *testing.T, stats func() string) *Admin {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, stats()) }))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return NewAdmin(socket)
}

// Connections are told with what else there is, and else once they add up.
func TestOpen(t *testing.T) {
	stats := "cluster.up_80.upstream_cx_active: 4\n"
	traffic, now := NewTraffic(admin(t, func() string { return stats })), time.Unix(1000, 0)
	read := func() []model.EdgeCounters {
		r, err := traffic.Report(t.Context(), []string{"up:80"}, now)
		if err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		return r.Edges
	}
	for i := range 3 {
		if got := read(); len(got) > 0 {
			t.Errorf("reading %d: %+v, want none yet", i, got)
		}
	}
	if got := read(); len(got) != 1 || got[0].Open != 12_000 {
		t.Errorf("after three seconds: %+v, want 12 s of connections", got)
	}
	stats += "cluster.up_80.upstream_rq_timeout: 1\n"
	if got := read(); len(got) != 1 || got[0].Open != 4_000 || got[0].Timeouts != 1 {
		t.Errorf("with a timeout: %+v, want 4 s of connections at once", got)
	}
	stats += "cluster.up_80.upstream_cx_tx_bytes_total: 10\ncluster.up_80.upstream_cx_rx_bytes_total: 100\n"
	if got := read(); len(got) != 1 || got[0].Sent != 10 || got[0].Received != 100 || got[0].Open != 4_000 {
		t.Errorf("with bytes: %+v, want them at once", got)
	}
	if got := read(); len(got) > 0 {
		t.Errorf("without more of them: %+v", got)
	}
}

// What a real Envoy counts by route, and a cluster that was made anew meanwhile.
func TestRoutes(t *testing.T) {
	const name = "weft.rq.route.%2Freviews%2E.end."
	at := func(ok, bad string) totals {
		return parseStats([]byte("cluster.up_80/v2.upstream_rq_total: 9\n" +
			name + "ok.cluster.up:80/v2: " + ok + "\n" + name + "bad.cluster.up:80/v2: " + bad + "\n" +
			"weft.rq.route.x.end.else.cluster.up:80/v2: 7\nweft.rq.route.x.cluster.up:80/v2: 7\n"))[statName("up:80/v2")]
	}
	first, second := at("5", "2"), at("6", "4")
	if got, want := first.since(totals{}).edge("up").Routes, (model.RouteCounts{Requests: 7, Errors: 2}); len(got) != 1 || got["/reviews."] != want {
		t.Errorf("first: %v", got)
	}
	second.counters[rqTotal] = 1
	if got, want := second.since(first).edge("up").Routes, (model.RouteCounts{Requests: 3, Errors: 2}); len(got) != 1 || got["/reviews."] != want {
		t.Errorf("since: %v", got)
	}
	if got := second.since(second).edge("up").Routes; got != nil {
		t.Errorf("without a request: %v", got)
	}
}

func TestDeltasSurviveARestart(t *testing.T) {
	first, second := parseStats([]byte(text))["up_80"], parseStats([]byte(text))["up_80"]
	second.counters[rqCompleted], second.counters[rqTotal] = 6, 7
	if e := second.since(first).edge("up"); e.Requests != 2 || e.Errors != 0 || e.Latency != nil {
		t.Errorf("two more: %+v", e)
	}
	fresh := totals{counters: map[string]uint64{rqTotal: 1, rqCompleted: 1}}
	if e := fresh.since(first).edge("up"); e.Requests != 1 {
		t.Errorf("after a restart of Envoy: %+v", e)
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("weft.rq.route.%2F.end.bad.cluster.x:1: 3\n"))
	f.Add([]byte("cluster.x.upstream_rq_time: B1(2,3) B0.5(1,1)\n"))
	f.Fuzz(func(_ *testing.T, body []byte) {
		for _, one := range parseStats(body) {
			one.since(totals{}).edge("x")
		}
	})
}

// The hardened bootstrap starts without a warning, and Envoy comes back when killed.
func TestProcess(t *testing.T) {
	binary := find(t)
	dir := t.TempDir()
	data, err := Bootstrap{
		ID: "shop/a", Cluster: "a", AgentSocket: filepath.Join(dir, "ads.sock"), AdminSocket: filepath.Join(dir, "admin.sock"),
	}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bootstrap.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := Process{Binary: binary, Bootstrap: path, LogFile: filepath.Join(dir, "envoy.log"), Concurrency: 1, Log: quiet}
	go func() { done <- p.Run(ctx) }()
	admin := NewAdmin(filepath.Join(dir, "admin.sock"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := admin.get(ctx, "/server_info"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("Envoy's admin interface does not answer")
		}
	}
	info, err := os.Stat(filepath.Join(dir, "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin socket: %v, %v", info.Mode(), err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	log, err := os.ReadFile(p.LogFile)
	if err != nil || len(log) == 0 {
		t.Fatalf("log: %v", err)
	}
	for line := range strings.Lines(string(log)) {
		expected := strings.Contains(line, "DeltaAggregatedResources gRPC config stream") || // there is no agent in this test
			strings.Contains(line, "caught ENVOY_SIGTERM")
		if !expected && (strings.Contains(line, "[warning]") || strings.Contains(line, "[error]") || strings.Contains(line, "[critical]")) {
			t.Errorf("Envoy warns: %s", line)
		}
	}
}

// find is test/envoytest's Binary, which imports this package.
func find(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("WEFT_ENVOY"); path != "" {
		return path
	}
	path, err := Pinned(quiet)
	if err != nil {
		t.Fatalf("no Envoy: %v; set WEFT_ENVOY, or run `weft envoy`, which fetches it", err)
	}
	return path
}

func fake(t *testing.T, dir, version string) string {
	t.Helper()
	path := filepath.Join(dir, "envoy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho \"envoy  version: abc/" + version + "/Clean/RELEASE/BoringSSL\"\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	real := find(t)
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("PATH", "/bin:/usr/bin")

	other := fake(t, filepath.Join(t.TempDir(), "other"), "1.40.3")
	if path, err := Find(t.Context(), other, quiet); err != nil || path != other {
		t.Errorf("a named 1.40.3: %s, %v", path, err)
	}
	old := fake(t, filepath.Join(t.TempDir(), "old"), "1.39.1")
	if _, err := Find(t.Context(), old, quiet); err == nil || !strings.Contains(err.Error(), "1.40.") {
		t.Errorf("a named 1.39.1: %v", err)
	}
	if _, err := Find(t.Context(), "/nowhere/envoy", quiet); err == nil {
		t.Error("a named one that is missing")
	}

	home := filepath.Join(cache, "weft", "envoy", Version)
	forged := fake(t, home, Version)
	if _, err := Find(t.Context(), "", quiet); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("a forged one in the cache: %v", err)
	}
	if err := os.Remove(forged); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, forged); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(other)+":/bin:/usr/bin") // not the pinned one: passed over
	if path, err := Find(t.Context(), "", quiet); err != nil || path != forged {
		t.Errorf("from the cache: %s, %v", path, err)
	}
}

// Callers without a certificate are read by port and address, of both versions of IP; each report has what is new.
func TestStrangers(t *testing.T) {
	stats := "weft.plain.calls.port.80: 3\nweft.plainpeers.calls.port.80.peer.10.0.0.9: 2\nweft.plainpeers.calls.port.80.peer.fd00::9: 1\n" +
		"weft.refusedpeers.calls.end.refused.port.80.peer.10.0.0.9: 4\nweft.plain.calls.port.x: 1\n"
	traffic := NewTraffic(admin(t, func() string { return stats }))
	for i, want := range [][]model.PeerCounters{
		{{Port: 80, Calls: 3}, {Port: 80, Peer: "10.0.0.9", Calls: 2}, {Port: 80, Peer: "fd00::9", Calls: 1}, {Port: 80, Peer: "10.0.0.9", Refused: true, Calls: 4}},
		nil,
		{{Port: 80, Peer: "fd00::9", Calls: 2}},
	} {
		r, err := traffic.Report(t.Context(), nil, time.Unix(int64(1000+i), 0))
		if err != nil || !r.Watches || !slices.Equal(r.Peers, want) {
			t.Errorf("report %d: %+v, %v, want %+v", i, r.Peers, err, want)
		}
		if i == 1 {
			stats = strings.Replace(stats, "fd00::9: 1", "fd00::9: 3", 1)
		}
	}
}
