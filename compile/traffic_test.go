package compile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weft.dev/test/envoytest"
)

// trafficRows are a caller, two versions of what it calls, and a dead service.
const trafficRows = `
services:
- {namespace: shop, name: reviews, ports: [{number: 9080, protocol: http}]}
- {namespace: shop, name: dead, ports: [{number: 9080, protocol: http}]}
- {namespace: shop, name: plain.example.com, host: plain.example.com, external: true, resolution: static, ports: [{number: 7, protocol: tcp}, {number: 80, name: http, protocol: http}], addresses: [{host: 127.0.0.1, ports: {http: %[3]d, "": %[3]d}}]}
workloads:
- {namespace: shop, name: web-1, app: web, address: 127.0.0.1, outbound: %[1]d}
- {namespace: shop, name: reviews-1, app: reviews, version: v1, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[2]d, appPort: %[3]d}]}
- {namespace: shop, name: reviews-2, app: reviews, version: v2, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[4]d, appPort: %[5]d}]}
- {namespace: shop, name: dead-1, app: dead, address: 127.0.0.1, ports: [{number: 9080, protocol: http, proxyPort: %[6]d, appPort: 1}]}
splits:
- {host: reviews.shop.svc.cluster.local, service: reviews, versions: [{version: v1, weight: 100}, {version: v2, weight: 0}]}
routeTables:
- object: {kind: Resilience, namespace: shop, name: dead}
  hosts: [dead.shop.svc.cluster.local]
  rules:
  - {name: default, backends: [{host: dead.shop.svc.cluster.local, weight: 1, fallback: {host: dead.shop.svc.cluster.local, service: dead, "on": [502, 503, 504], status: 200, body: "instead"}}]}
- object: {kind: HTTPRoute, namespace: shop, name: plain}
  hosts: [plain.example.com]
  gateways: [mesh]
  rules:
  - {name: resets, matches: [{path: {exact: /resets}}], retry: {attempts: 2, "on": [reset], statuses: [500]}, backends: [{host: plain.example.com, port: 80, weight: 1}]}
  - {name: rest, backends: [{host: plain.example.com, port: 80, weight: 1}]}
peerAuths:
- {object: {kind: PeerAuthentication, namespace: shop, name: default}, namespace: shop, mode: strict}
authorizations:
- {object: {kind: AuthorizationPolicy, namespace: shop, name: r}, namespace: shop, selector: {app: reviews}, action: allow, rules: [{from: [{principals: ["mesh.test/ns/shop/sa/web"]}], to: [{notPaths: ["/secret"]}]}]}
`

// traffic is that mesh with a real Envoy beside each instance.
type traffic struct {
	attempts          atomic.Int32 // that v1 of reviews saw
	outbound, inbound int
	client            *http.Client
}

func newTraffic(t *testing.T) *traffic {
	x := &traffic{outbound: freePort(t), inbound: freePort(t)}
	v1 := application(t, x.reviews)
	v2 := application(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "v2") })
	m := newMesh()
	m.set(parseRows(t, fmt.Appendf(nil, trafficRows, x.outbound, x.inbound, v1, freePort(t), v2, freePort(t))))
	ca := newTestCA(t)
	for _, proxy := range []string{"web-1", "reviews-1", "reviews-2"} {
		account, _, _ := strings.Cut(proxy, "-")
		runEnvoy(t, staticBootstrapOf(t, m.viewOf(t, "shop/"+proxy), ca.secrets(t, account)))
	}
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(x.outbound)}
	x.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}, Timeout: 10 * time.Second}
	return x
}

func (x *traffic) reviews(w http.ResponseWriter, r *http.Request) {
	x.attempts.Add(1)
	if r.Header.Get("Upgrade") == "websocket" {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfrom a socket")
		}
		return
	}
	switch r.URL.Path {
	case "/fails":
		w.WriteHeader(503)
	case "/resets":
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "v1 %s %s", r.URL.Path, r.Header.Get("x-forwarded-client-cert"))
}

// Real Envoys do what the rows say.
func TestTraffic(t *testing.T) {
	x := newTraffic(t)
	t.Run("requests", x.requests)
	t.Run("retries", x.retries)
	t.Run("connections", x.connections)
}

func (x *traffic) requests(t *testing.T) {
	for _, c := range []struct {
		name, url, version string
		status             int
		body               string
	}{
		{"by its short name", "http://reviews:9080/x", "", 200, "v1 /x By=spiffe://mesh.test/ns/shop/sa/reviews"},
		{"with its caller's identity", "http://reviews.shop/", "", 200, "URI=spiffe://mesh.test/ns/shop/sa/web"},
		{"a version without weight, by its private address", "http://reviews:9080/", "other=v9, reviews=v2", 200, "v2"},
		{"an unknown host", "http://nowhere/", "", 502, "no service of the mesh has the host nowhere"},
		{"a path that is not allowed", "http://reviews:9080/secret", "", 403, "RBAC"},
		{"the same in disguise", "http://reviews:9080//x/..//%73ecret", "", 403, "RBAC"},
		{"a path that two would read differently", "http://reviews:9080/x%2fsecret", "", 400, ""},
		{"a dead service", "http://dead:9080/", "", 200, "instead"},
		{"an outside service", "http://plain.example.com/y", "", 200, "v1 /y"},
	} {
		status, body := call(t, x.client, "GET", c.url, c.version)
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, body, c.status, c.body)
		}
	}
}

func (x *traffic) retries(t *testing.T) {
	for method, want := range map[string]int32{"GET": 3, "POST": 1} {
		x.attempts.Store(0)
		if status, _ := call(t, x.client, method, "http://reviews:9080/fails", ""); status != 503 || x.attempts.Load() != want {
			t.Errorf("%s that fails: %d after %d attempts, want 503 after %d", method, status, x.attempts.Load(), want)
		}
		x.attempts.Store(0)
		if status, _ := call(t, x.client, method, "http://plain.example.com/resets", ""); status != 503 || x.attempts.Load() != want {
			t.Errorf("%s whose connection ends: %d after %d attempts, want 503 after %d", method, status, x.attempts.Load(), want)
		}
	}
}

func (x *traffic) connections(t *testing.T) {
	for target, want := range map[string]string{"reviews:9080": "v1 /tunnel", "plain.example.com:7": "v1 /tunnel"} {
		if got := tunnel(t, x.outbound, target); !strings.Contains(got, want) {
			t.Errorf("CONNECT %s: %q, want %q", target, got, want)
		}
	}
	if got := websocket(t, x.outbound, "reviews:9080"); got != "from a socket" {
		t.Errorf("WebSocket: %q", got)
	}
	plain := &http.Client{Timeout: 5 * time.Second}
	if r, err := plain.Get(fmt.Sprintf("http://127.0.0.1:%d/", x.inbound)); err == nil {
		t.Errorf("plain text to a strict port: %s, want a closed connection", r.Status)
	}
}

func application(t *testing.T, f http.HandlerFunc) int {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func call(t *testing.T, client *http.Client, method, url, version string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if version != "" {
		request.Header.Set("x-weft-version", version)
	}
	return answerTo(t, client, request)
}

func answerTo(t *testing.T, client *http.Client, request *http.Request) (int, string) {
	t.Helper()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// websocket upgrades a connection through the proxy and reads what comes.
func websocket(t *testing.T, port int, host string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(conn, "GET http://%s/socket HTTP/1.1\r\nHost: %s\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", host, host)
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != 101 {
		t.Fatalf("WebSocket: %v %v", response, err)
	}
	body, _ := io.ReadAll(in)
	return string(body)
}

// tunnel sends a request inside of a CONNECT.
func tunnel(t *testing.T, port int, target string) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	if response, err := http.ReadResponse(in, nil); err != nil || response.StatusCode != 200 {
		t.Fatalf("CONNECT %s: %v %v", target, response, err)
	}
	fmt.Fprintf(conn, "GET /tunnel HTTP/1.1\r\nHost: %s\r\n\r\n", target)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("in CONNECT %s: %v", target, err)
	}
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

func runEnvoy(t *testing.T, bootstrap map[string]any) {
	t.Helper()
	runEnvoyBy(t, exec.CommandContext, bootstrap)
}

// runEnvoyBy returns when the process, which command makes, is ready.
func runEnvoyBy(t *testing.T, command func(context.Context, string, ...string) *exec.Cmd, bootstrap map[string]any) {
	t.Helper()
	folder := t.TempDir()
	admin := filepath.Join(folder, "admin") // a file, so that it may be in another network
	bootstrap["admin"] = map[string]any{"address": map[string]any{"pipe": map[string]any{"path": admin}}}
	config := filepath.Join(folder, "envoy.json")
	if err := os.WriteFile(config, encodeJSON(t, bootstrap), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var log strings.Builder
	process := command(ctx, envoytest.Binary(t), "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error")
	process.Stdout, process.Stderr = &log, &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		process.Wait()
		if t.Failed() {
			t.Logf("envoy:\n%s", log.String())
		}
	})
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}}}
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if r, err := client.Get("http://envoy/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == 200 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("envoy is not ready:\n%s", log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}
