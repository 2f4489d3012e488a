package compile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft.dev/model"
)

// countedRows are a caller, a service of two versions, one of which nobody is there, and one that nobody splits.
const countedRows = `
services:
- {namespace: shop, name: reviews, ports: [{number: 9080, protocol: http}]}
- {namespace: shop, name: dead, ports: [{number: 9080, protocol: http}]}
- {namespace: shop, name: whole, ports: [{number: 9080, protocol: http}]}
workloads:
- {namespace: shop, name: web-1, app: web, address: 127.0.0.1, outbound: %[1]d}
- {namespace: shop, name: reviews-1, app: reviews, version: v1, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[2]d, appPort: 1}]}
- {namespace: shop, name: reviews-2, app: reviews, version: v2, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[2]d, appPort: 1}]}
- {namespace: shop, name: whole-1, app: whole, version: v1, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[2]d, appPort: 1}]}
splits:
- {host: reviews.shop.svc.cluster.local, service: reviews, versions: [{version: v1, weight: 50}, {version: v2, weight: 50}]}
- {host: dead.shop.svc.cluster.local, service: dead, versions: [{version: v1, weight: 50}, {version: v2, weight: 50}]}
routeTables:
- object: {kind: Resilience, namespace: shop, name: dead}
  hosts: [dead.shop.svc.cluster.local]
  rules:
  - {name: default, backends: [{host: dead.shop.svc.cluster.local, weight: 1, fallback: {host: dead.shop.svc.cluster.local, service: dead, "on": [502, 503, 504], status: 200, body: "instead"}}]}
- object: {kind: VirtualService, namespace: shop, name: reviews}
  hosts: [reviews.shop.svc.cluster.local]
  rules:
  - {name: aborted, matches: [{path: {prefix: /aborted}}], backends: [{host: reviews.shop.svc.cluster.local, weight: 1}], fault: {abortStatus: 503, abortPercent: 100}}
  - {name: fails, matches: [{path: {prefix: /fails}}], backends: [{host: reviews.shop.svc.cluster.local, weight: 1}]}
  - {name: rest, backends: [{host: reviews.shop.svc.cluster.local, weight: 1}]}
`

// A real Envoy counts each request of a shared route once, as it ended: what was tried again is one, what a fallback answered
// is bad, and what a caller broke off, a fault rule failed or nobody splits is none.
func TestRouteCounts(t *testing.T) {
	outbound, waits := freePort(t), make(chan struct{})
	app := application(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fails":
			w.WriteHeader(503)
		case "/waits":
			waits <- struct{}{}
			<-r.Context().Done()
		}
	})
	m := newMeshWith(Options{TrustDomain: testTrust, Alone: true})
	m.set(parseRows(t, fmt.Appendf(nil, countedRows, outbound, app)))
	bootstrap := staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), newTestCA(t).secrets(t, "web")[2:])
	runEnvoy(t, bootstrap)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(outbound)})}}

	ctx, breakOff := context.WithCancel(t.Context())
	go func() { <-waits; breakOff() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://reviews:9080/waits", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := client.Do(request); err == nil {
		answer.Body.Close()
		t.Fatalf("/waits: %s", answer.Status)
	}
	for path, status := range map[string]int{
		"reviews:9080/aborted": 503, "reviews:9080/fails": 503, "reviews:9080/a": 200, "reviews:9080/b": 200, "dead:9080/": 200, "whole:9080/": 200,
	} {
		if got, body := call(t, client, http.MethodGet, "http://"+path, ""); got != status {
			t.Errorf("%s: %d %s, want %d", path, got, body, status)
		}
	}
	want := map[string]uint64{"/fails bad": 1, "shop/reviews/rest ok": 2, "shop/dead/default bad": 1}
	admin := bootstrap["admin"].(map[string]any)["address"].(map[string]any)["pipe"].(map[string]any)["path"].(string)
	for end := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) { // it counts after it has answered
		got, cancelled := countedBy(t, admin)
		if cancelled && maps.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("counted %v (what was broken off has ended: %t), want %v", got, cancelled, want)
		}
	}
}

// countedBy is what the Envoy at this admin socket counted, by route and end, and whether a caller broke off a request.
func countedBy(t *testing.T, admin string) (counted map[string]uint64, cancelled bool) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}}}
	answer, err := client.Get("http://envoy/stats?usedonly")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	counted = map[string]uint64{}
	in := bufio.NewReader(answer.Body)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return counted, cancelled
		}
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		cancelled = cancelled || strings.HasSuffix(name, ".downstream_cx_destroy_remote_active_rq")
		if !strings.HasPrefix(name, model.RouteStatPrefix+".") {
			continue
		}
		cluster, route, end, ok := model.ParseRouteStat(name)
		n, err := strconv.ParseUint(value, 10, 64)
		if _, _, version, known := model.ParseClusterName(cluster); !ok || !known || version == "" || err != nil {
			t.Fatalf("%s: cannot be read", line)
		}
		counted[route+" "+end] += n
	}
}
