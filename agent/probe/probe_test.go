package probe

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"weft.dev/model"
)

// portOf is where a server listens.
func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	_, text, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(port)
}

// newApp is an application that is well, one by TLS, and one that speaks gRPC.
func newApp(t *testing.T) (plain, secure, rpc uint16) {
	mux := http.NewServeMux()
	mux.HandleFunc("/seen", func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s %s %s %s %s", from, r.Host, r.Header.Get("X-Probe"), r.UserAgent(), r.URL.RawQuery)
	})
	mux.HandleFunc("/ill", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "ill", http.StatusInternalServerError) })
	mux.Handle("/here", http.RedirectHandler("/ill", http.StatusFound))
	mux.Handle("/elsewhere", http.RedirectHandler("http://elsewhere.invalid/", http.StatusFound))
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	one, two := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, checks := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, checks)
	checks.SetServingStatus("ill", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	checks.SetServingStatus("well", grpc_health_v1.HealthCheckResponse_SERVING)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return portOf(t, one.URL), portOf(t, two.URL), portOf(t, listener.Addr().String())
}

func TestProbes(t *testing.T) {
	plain, secure, rpc := newApp(t)
	closed := httptest.NewServer(nil)
	nobody := portOf(t, closed.URL)
	closed.Close()
	http1 := func(path string, headers ...[2]string) model.Probe {
		return model.Probe{Port: plain, HTTP: &model.HTTPProbe{Path: path, Headers: headers}}
	}
	for name, c := range map[string]struct {
		probe model.Probe
		code  int
		body  string // a part
	}{
		"http":                     {http1("/seen"), 200, "127.0.0.6 127.0.0.1:"},
		"http, headers":            {http1("seen?a=b", [2]string{"host", "shop"}, [2]string{"X-Probe", "yes"}), 200, "127.0.0.6 shop yes kube-probe/1 a=b"},
		"http, ill":                {http1("/ill"), 500, "ill"},
		"http, no such path":       {http1("/none"), 404, ""},
		"http, led to itself":      {http1("/here"), 500, "ill"},
		"http, led elsewhere":      {http1("/elsewhere"), 200, ""},
		"http, slow":               {http1("/slow"), 503, "deadline"},
		"https":                    {model.Probe{Port: secure, HTTP: &model.HTTPProbe{Path: "/seen", TLS: true}}, 200, "127.0.0.6"},
		"http, nobody listens":     {model.Probe{Port: nobody, HTTP: &model.HTTPProbe{}}, 503, "refused"},
		"tcp":                      {model.Probe{Port: plain}, 200, ""},
		"tcp, nobody listens":      {model.Probe{Port: nobody}, 503, "refused"},
		"grpc":                     {model.Probe{Port: rpc, GRPC: &model.GRPCProbe{}}, 200, ""},
		"grpc, service":            {model.Probe{Port: rpc, GRPC: &model.GRPCProbe{Service: "well"}}, 200, ""},
		"grpc, ill":                {model.Probe{Port: rpc, GRPC: &model.GRPCProbe{Service: "ill"}}, 503, "not SERVING"},
		"grpc, unknown":            {model.Probe{Port: rpc, GRPC: &model.GRPCProbe{Service: "none"}}, 503, "NotFound"},
		"grpc, nobody listens":     {model.Probe{Port: nobody, GRPC: &model.GRPCProbe{}}, 503, "refused"},
		"grpc, an HTTP/1.1 server": {model.Probe{Port: plain, GRPC: &model.GRPCProbe{}}, 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Address: "127.0.0.1", Probes: model.Probes{"web/readiness": c.probe}, Log: slog.New(slog.DiscardHandler)})
			r := httptest.NewRequest(http.MethodGet, "/probe/web/readiness", nil)
			r.Header.Set("User-Agent", "kube-probe/1")
			w := httptest.NewRecorder()
			s.probe(w, r)
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("%d %q, want %d with %q", w.Code, w.Body, c.code, c.body)
			}
		})
	}
}

func TestNothingElse(t *testing.T) {
	plain, _, _ := newApp(t)
	s := New(Options{Address: "127.0.0.1", Probes: model.Probes{"web/readiness": {Port: plain}}})
	for _, path := range []string{"/", "/seen", "/probe/", "/probe/web/liveness", "/probe/web/readiness/x"} {
		w := httptest.NewRecorder()
		s.probe(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

func TestReady(t *testing.T) {
	var ready bool
	s := New(Options{Address: "127.0.0.1", Ready: func() bool { return ready }})
	code := func(path string) int {
		w := httptest.NewRecorder()
		s.ready(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	before := code(model.ReadyPath)
	ready = true
	if after, other := code(model.ReadyPath), code("/"); before != 503 || after != 200 || other != 404 {
		t.Errorf("%d, then %d, and %d elsewhere; want 503, 200, 404", before, after, other)
	}
}
