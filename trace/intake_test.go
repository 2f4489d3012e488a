package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// requestOf is what a proxy or an application sends: one span.
func requestOf(change func(*tracev1.Span), resource ...*commonv1.KeyValue) *collectorv1.ExportTraceServiceRequest {
	from := Source{}.resource()
	from.Attributes = resource
	one := &tracev1.Span{
		TraceId: bytes.Repeat([]byte{1}, 16), SpanId: bytes.Repeat([]byte{2}, 8), Name: "GET reviews", Kind: tracev1.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: uint64(noon.UnixNano()), EndTimeUnixNano: uint64(noon.Add(time.Second).UnixNano()),
	}
	if change != nil {
		change(one)
	}
	return &collectorv1.ExportTraceServiceRequest{ResourceSpans: []*tracev1.ResourceSpans{{
		Resource: from, ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{one}}},
	}}}
}

func newIntake() *Intake {
	return NewIntake(NewStore(1<<20, time.Hour), func() time.Time { return noon })
}

// What an Envoy says becomes what OpenTelemetry's conventions say, and whose it is says the agent's session.
func TestFromProxy(t *testing.T) {
	intake := newIntake()
	message, err := proto.Marshal(requestOf(func(s *tracev1.Span) {
		for name, value := range map[string]string{
			"http.url": "http://reviews:9080/x?token=secret", "http.method": "GET", "http.status_code": "503", "http.protocol": "HTTP/2",
			"upstream_cluster": "reviews.shop.svc.cluster.local:9080", "upstream_cluster.name": "reviews.shop.svc.cluster.local:9080",
			"response_flags": "UF", "node_id": "x", "component": "proxy", "downstream_cluster": "-", "request_size": "7", model.SpanAttempts: "2",
		} {
			s.Attributes = append(s.Attributes, keyValue(name, value))
		}
	}, keyValue(serviceName, "a lie")))
	if err != nil {
		t.Fatal(err)
	}
	other, err := proto.Marshal(requestOf(func(s *tracev1.Span) { s.SpanId[0] = 9 }))
	if err != nil {
		t.Fatal(err)
	}
	from := Source{Namespace: "shop", Service: "web", Version: "v1", Workload: "web-1"}
	if err := intake.FromProxy(from, model.SpanReport{Messages: append(message, other...), Dropped: 5}); err != nil {
		t.Fatal(err)
	}
	got, ok := intake.store.Get(ID(bytes.Repeat([]byte{1}, 16)))
	if !ok || got.Spans != 2 {
		t.Fatalf("%+v: want a trace of the spans of both messages", got)
	}
	one := got.Steps[0].Span
	var attributes []string
	for _, a := range one.Attributes {
		attributes = append(attributes, a.Name+"="+a.Value)
	}
	want := "http.request.body.size=7 http.request.method=GET http.response.status_code=503 network.protocol.version=2 server.address=reviews:9080 " +
		"url.full=http://reviews:9080/x weft.attempts=2 weft.cluster=reviews.shop.svc.cluster.local:9080 weft.flags=UF"
	if text := strings.Join(attributes, " "); text != want {
		t.Errorf("attributes\n%s, want\n%s", text, want)
	}
	if one.Service != "web" || one.Namespace != "shop" || one.Version != "v1" || one.Workload != "web-1" || !one.Proxy || !one.Failed || one.Message != "UF" {
		t.Errorf("%+v: want the session's workload, failed with UF", one)
	}
	if c := intake.store.Counts(); c.Lost != 5 {
		t.Errorf("%d bytes lost, want those that the agent dropped: 5", c.Lost)
	}
	if err := intake.FromProxy(from, model.SpanReport{Messages: []byte("nonsense")}); err == nil {
		t.Error("what is no message is taken")
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*tracev1.Span)
		want   func(Counts) bool
	}{
		"a short id":             {func(s *tracev1.Span) { s.TraceId = s.TraceId[:8] }, func(c Counts) bool { return c.Invalid == 1 }},
		"no id":                  {func(s *tracev1.Span) { s.SpanId = make([]byte, 8) }, func(c Counts) bool { return c.Invalid == 1 }},
		"an end before its time": {func(s *tracev1.Span) { s.EndTimeUnixNano = 1 }, func(c Counts) bool { return c.Invalid == 1 }},
		"a long name":            {func(s *tracev1.Span) { s.Name = strings.Repeat("é", maxName) }, func(c Counts) bool { return c.Spans == 1 && c.Cut == 1 }},
		"a long value": {func(s *tracev1.Span) {
			s.Attributes = append(s.Attributes, keyValue("x", strings.Repeat("é", maxText)))
		}, func(c Counts) bool { return c.Spans == 1 && c.Cut == 1 && c.Bytes < 2500 }},
		"many attributes": {func(s *tracev1.Span) {
			for range 100 {
				s.Attributes = append(s.Attributes, keyValue("x", "y"))
			}
		}, func(c Counts) bool { return c.Spans == 1 && c.Cut == 100-maxAttributes }},
		"lists in lists": {func(s *tracev1.Span) {
			v := keyValue("x", "y").Value
			for range 50 {
				v = &commonv1.AnyValue{Value: &commonv1.AnyValue_ArrayValue{ArrayValue: &commonv1.ArrayValue{Values: []*commonv1.AnyValue{v, v}}}}
			}
			s.Attributes = append(s.Attributes, &commonv1.KeyValue{Key: "x", Value: v})
		}, func(c Counts) bool { return c.Spans == 1 }},
	} {
		intake := newIntake()
		intake.fromApplication(requestOf(c.change))
		if got := intake.store.Counts(); !c.want(got) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	intake := newIntake()
	var dropped int64
	for range maxBurst + 10 {
		dropped += intake.fromApplication(requestOf(nil))
	}
	if c := intake.store.Counts(); dropped != 10 || c.TooMany+c.Spans != maxBurst+10 {
		t.Errorf("%d are said to be dropped of %d in no time, %+v; want 10", dropped, maxBurst+10, c)
	}
}

// Applications send by gRPC, and by HTTP as protobuf or JSON.
func TestReceiver(t *testing.T) {
	intake := newIntake()
	server := receiving(t, intake)
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := func(id byte) *collectorv1.ExportTraceServiceRequest {
		return requestOf(func(s *tracev1.Span) { s.TraceId[0] = id }, keyValue(serviceName, "cart"), keyValue(serviceVersion, "v3"))
	}
	if _, err := collectorv1.NewTraceServiceClient(conn).Export(context.Background(), request(1)); err != nil {
		t.Error(err)
	}
	binary := func(id byte) []byte {
		body, err := proto.Marshal(request(id))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	post := func(kind, encoding string, body []byte) int {
		q, err := http.NewRequest("POST", server.URL+"/v1/traces", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", kind)
		q.Header.Set("Content-Encoding", encoding)
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Fatal(err)
		}
		return r.StatusCode
	}
	bomb := packed(t, make([]byte, maxMessage+1))
	for _, c := range []struct {
		name, kind, encoding string
		body                 []byte
		want                 int
	}{
		{"protobuf", "application/x-protobuf", "", binary(2), 200},
		{"protobuf, packed", "application/x-protobuf", "gzip", packed(t, binary(3)), 200},
		{"JSON", "application/json; charset=utf-8", "", []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeSpans":[{"spans":[
			{"traceId":"04010101010101010101010101010101","spanId":"0202020202020202","name":"work","kind":2,"startTimeUnixNano":"1767268800000000000","endTimeUnixNano":"1767268801000000000","news":1}]}]}]}`), 200},
		{"nonsense", "application/json", "", []byte(`{`), 400},
		{"text", "text/plain", "", []byte(`x`), 415},
		{"much", "application/x-protobuf", "", make([]byte, maxMessage+1), 413},
		{"much, once it is unpacked", "application/x-protobuf", "gzip", bomb, 413},
	} {
		if got := post(c.kind, c.encoding, c.body); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	for id := byte(1); id <= 4; id++ {
		want := ID(bytes.Repeat([]byte{1}, 16))
		want[0] = id
		if got, ok := intake.store.Get(want); !ok || got.Service != "cart" || got.Steps[0].Proxy {
			t.Errorf("trace %d: %+v", id, got)
		}
	}
}

// receiving is a server for applications.
func receiving(t *testing.T, intake *Intake) *httptest.Server {
	server := httptest.NewUnstartedServer(NewReceiver(intake).Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func packed(t *testing.T, body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
