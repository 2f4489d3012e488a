package trace

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// elsewhere takes spans, by the messages of OTLP's own module; it refuses the first few messages.
type elsewhere struct {
	collectorv1.UnimplementedTraceServiceServer
	mu      sync.Mutex
	refuses int
	taken   []*collectorv1.ExportTraceServiceRequest
}

func (e *elsewhere) take(r *collectorv1.ExportTraceServiceRequest) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuses > 0 {
		e.refuses--
		return false
	}
	e.taken = append(e.taken, r)
	return true
}

func (e *elsewhere) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	if !e.take(r) {
		return nil, status.Error(codes.Unavailable, "later")
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var r collectorv1.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &r) != nil || q.URL.Path != "/v1/traces" || q.Header.Get("Content-Type") != "application/x-protobuf" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !e.take(&r) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// What comes in goes on, with whose it is, also when the other side is away for a moment.
func TestExport(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	calls, posts := &elsewhere{refuses: 1}, &elsewhere{refuses: 1}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, calls)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	web := httptest.NewServer(posts)
	t.Cleanup(web.Close)
	for address, there := range map[string]*elsewhere{"grpc://" + listener.Addr().String(): calls, web.URL: posts} {
		intake := newIntake()
		to, err := ParseDestination(address)
		if err != nil {
			t.Fatal(err)
		}
		exporter := NewExporter(to, intake.store, slog.New(slog.DiscardHandler))
		intake.SendOn(exporter)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- exporter.Run(ctx) }()
		message, err := proto.Marshal(requestOf(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := intake.FromProxy(Source{Namespace: "shop", Service: "web"}, model.SpanReport{Messages: message}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); ; {
			there.mu.Lock()
			n := len(there.taken)
			there.mu.Unlock()
			if n > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: nothing came", address)
			}
			<-time.After(20 * time.Millisecond)
		}
		send(intake, 77)
		stop() // what waits is sent before it ends
		<-ended
		if n := len(there.taken); n != 2 {
			t.Fatalf("%s: %d messages, want two", address, n)
		}
		first := there.taken[0].ResourceSpans[0]
		if from := sourceOf(first.Resource); from.Service != "web" || from.Namespace != "shop" || len(first.ScopeSpans[0].Spans) != 1 {
			t.Errorf("%s: %v", address, first)
		}
		if c := intake.store.Counts(); c.Unsent != 0 {
			t.Errorf("%s: %d spans are counted as not sent", address, c.Unsent)
		}
	}
}

// Where nobody takes spans, what waits has its bound, and the rest is counted.
func TestExportBound(t *testing.T) {
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Close()
	intake := newIntake()
	to, err := ParseDestination("http://" + port.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	exporter := NewExporter(to, intake.store, slog.New(slog.DiscardHandler))
	exporter.limit = 10_000
	intake.SendOn(exporter)
	for range 1000 {
		send(intake, 7)
	}
	if c := intake.store.Counts(); exporter.bytes > 10_000 || c.Unsent < 500 || c.Unsent > 999 {
		t.Errorf("%d bytes wait, %d of 1000 spans are dropped", exporter.bytes, c.Unsent)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_ = exporter.Run(ctx) // tries what waits once, in vain
	if c := intake.store.Counts(); c.Unsent != 1000 {
		t.Errorf("%d spans were not sent, 1000 were not", c.Unsent)
	}
	for _, bad := range []string{"", "127.0.0.1:4317", "ftp://127.0.0.1:4317", "grpc:///x"} {
		if _, err := ParseDestination(bad); err == nil {
			t.Errorf("%q is taken for a place to send to", bad)
		}
	}
}
