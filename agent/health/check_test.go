package health_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"weft.dev/agent/health"
)

const (
	fast     = 5 * time.Millisecond
	patience = 10 * time.Second
)

// verdict is what a check said.
type verdict struct {
	healthy bool
	why     error
}

// run starts a check, and gives what it says.
func run(t *testing.T, c health.Check, ports ...uint32) <-chan verdict {
	t.Helper()
	if err := c.Validate(len(ports)); err != nil {
		t.Fatal(err)
	}
	if c.Interval == 0 {
		c.Interval = fast
	}
	ctx, cancel := context.WithCancel(context.Background())
	said, ended := make(chan verdict, 100), make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx, ports, func(healthy bool, why error) { said <- verdict{healthy, why} })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return said
}

func want(t *testing.T, said <-chan verdict, healthy bool, why string) {
	t.Helper()
	select {
	case got := <-said:
		if got.healthy != healthy || got.why != nil && !strings.Contains(got.why.Error(), why) || got.why == nil && why != "" {
			t.Fatalf("it said %v because of %v; want %v because of %q", got.healthy, got.why, healthy, why)
		}
	case <-time.After(patience):
		t.Fatalf("it did not say healthy=%v within %v", healthy, patience)
	}
}

// asked waits until a check has asked n more times.
func asked(t *testing.T, count *atomic.Int64, n int64) {
	t.Helper()
	for was, deadline := count.Load(), time.Now().Add(patience); count.Load() < was+n; time.Sleep(fast) {
		if time.Now().After(deadline) {
			t.Fatalf("it asked %d times, want %d more", count.Load()-was, n)
		}
	}
}

func quiet(t *testing.T, said <-chan verdict) {
	t.Helper()
	select {
	case got := <-said:
		t.Fatalf("it said %v because of %v", got.healthy, got.why)
	default:
	}
}

func portOf(address net.Addr) uint32 { return uint32(address.(*net.TCPAddr).Port) }

func TestHTTP(t *testing.T) {
	var status, count atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/well" || r.Header.Get("X-From") != "weft" || r.Host != "app.test" {
			t.Errorf("asked for %s %s of %s", r.Host, r.URL, r.Header)
		}
		w.WriteHeader(int(status.Load()))
		count.Add(1)
	}))
	defer server.Close()
	said := run(t, health.Check{
		Kind: health.HTTP, Path: "/well", Headers: map[string]string{"X-From": "weft", "Host": "app.test"},
		Status: health.Statuses{{200, 299}, {418, 418}},
	}, portOf(server.Listener.Addr()))
	asked(t, &count, 5)
	quiet(t, said) // it was never healthy: there is nothing to take back
	status.Store(http.StatusTeapot)
	want(t, said, true, "")
	status.Store(http.StatusFound)
	want(t, said, false, "302")
	status.Store(http.StatusOK)
	want(t, said, true, "")
	server.CloseClientConnections()
	server.Close()
	want(t, said, false, "refused")
}

// One failure changes nothing where two are needed, nor does one success.
func TestThresholds(t *testing.T) {
	var count atomic.Int64
	pattern := "1101110100100011" // 1: it fails
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := count.Add(1); n > int64(len(pattern)) || pattern[n-1] == '1' {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	said := run(t, health.Check{Kind: health.HTTP, Path: "/", Successes: 3, Failures: 2}, portOf(server.Listener.Addr()))
	want(t, said, true, "")
	if n := count.Load(); n < 14 {
		t.Errorf("healthy after %d tries, want 14: three in a row", n)
	}
	want(t, said, false, "500")
	asked(t, &count, 5)
	quiet(t, said)
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	said := run(t, health.Check{Kind: health.HTTP, Path: "/", Timeout: 20 * time.Millisecond}, portOf(server.Listener.Addr()))
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	want(t, said, true, "")
	select {
	case <-release:
	default:
		t.Error("an answer that did not come was a good one")
	}
}

func TestTCP(t *testing.T) {
	listeners := make([]net.Listener, 2)
	ports := make([]uint32, 2)
	for i := range listeners {
		var err error
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		defer listeners[i].Close()
		ports[i] = portOf(listeners[i].Addr())
	}
	said := run(t, health.Check{}, ports...)
	want(t, said, true, "")
	listeners[1].Close()
	want(t, said, false, "refused") // all of them must answer
}

func TestGRPC(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, words := grpc.NewServer(), grpchealth.NewServer()
	words.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(server, words)
	go server.Serve(listener)
	defer server.Stop()
	whole := run(t, health.Check{Kind: health.GRPC}, portOf(listener.Addr()))
	cart := run(t, health.Check{Kind: health.GRPC, Service: "shop.Cart"}, portOf(listener.Addr()))
	unknown := run(t, health.Check{Kind: health.GRPC, Service: "shop.None"}, portOf(listener.Addr()))
	want(t, whole, true, "")
	quiet(t, cart)
	words.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
	want(t, cart, true, "")
	words.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	want(t, whole, false, "not SERVING")
	quiet(t, unknown)
	server.Stop()
	want(t, cart, false, "refused")
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	well := filepath.Join(dir, "well")
	said := run(t, health.Check{Kind: health.Command, Command: `test -e "$DIR/well" || { echo not there; exit 3; }`, Env: []string{"DIR=" + dir}, Timeout: patience})
	quiet(t, said)
	if err := os.WriteFile(well, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, said, true, "")
	if err := os.Remove(well); err != nil {
		t.Fatal(err)
	}
	want(t, said, false, "exit status 3: not there")
}

// A command that hangs fails, and nothing of it stays.
func TestCommandHangs(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	hang := filepath.Join(t.TempDir(), "hang")
	said := run(t, health.Check{Kind: health.Command, Timeout: time.Second, Failures: 1,
		Command: `test -e ` + hang + ` || exit 0; sleep 1000 & echo $! >` + pid + `; wait`})
	want(t, said, true, "")
	if err := os.WriteFile(hang, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, said, false, "did not end in 1s")
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		return errors.Is(err, os.ErrNotExist) || strings.Contains(string(state), ") Z ")
	}
	for deadline := time.Now().Add(patience); !gone(); time.Sleep(fast) {
		if time.Now().After(deadline) {
			t.Fatal("what the command had started still runs")
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{"http": "use a path", "grpc:": "", "tcp": "", "/x": "", "command:": "empty", "x:y": "use a path"} {
		c, err := health.Parse(text)
		if err == nil {
			err = c.Validate(1)
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := (health.Check{Kind: health.GRPC}).Validate(0); err == nil {
		t.Error("a check of gRPC without a port")
	}
	for _, text := range []string{"", "20", "300-200", "200,x", "200-700"} {
		if _, err := health.ParseStatuses(text); err == nil {
			t.Errorf("statuses %q are taken", text)
		}
	}
}
