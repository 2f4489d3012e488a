package compile

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"weft.dev/model"
)

// tracedRows are a caller, what it calls, and an outside service that this calls.
const tracedRows = `
services:
- {namespace: shop, name: reviews, ports: [{number: 9080, protocol: http}]}
- {namespace: shop, name: api.example.com, host: api.example.com, external: true, resolution: static, ports: [{number: 80, name: http, protocol: http}], addresses: [{host: 127.0.0.1, ports: {http: %[5]d, "": %[5]d}}]}
workloads:
- {namespace: shop, name: web-1, app: web, address: 127.0.0.1, outbound: %[1]d}
- {namespace: shop, name: reviews-1, app: reviews, address: 127.0.0.1, outbound: %[2]d, ports: [{number: 9080, protocol: http, proxyPort: %[3]d, appPort: %[4]d}]}
`

// collector takes spans as an agent does.
type collector struct {
	collectorv1.UnimplementedTraceServiceServer
	port  int
	spans chan *tracev1.Span
}

func newCollector(t *testing.T) *collector {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{port: listener.Addr().(*net.TCPAddr).Port, spans: make(chan *tracev1.Span, 100)}
	server := grpc.NewServer()
	collectorv1.RegisterTraceServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return c
}

func (c *collector) Export(_ context.Context, r *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	for _, of := range r.ResourceSpans {
		for _, in := range of.ScopeSpans {
			for _, s := range in.Spans {
				c.spans <- s
			}
		}
	}
	return &collectorv1.ExportTraceServiceResponse{}, nil
}

// connected is a bootstrap whose Envoy has the collector for its agent, and sends at once.
func (c *collector) connected(bootstrap map[string]any) map[string]any {
	resources := bootstrap["static_resources"].(map[string]any)
	clusters, _ := resources["clusters"].([]any)
	resources["clusters"] = append(clusters, map[string]any{
		"name": model.AgentCluster, "type": "STATIC",
		"load_assignment": map[string]any{"cluster_name": model.AgentCluster, "endpoints": []any{map[string]any{"lb_endpoints": []any{
			map[string]any{"endpoint": map[string]any{"address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": c.port}}}},
		}}}},
		"typed_extension_protocol_options": map[string]any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": map[string]any{
			"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
			"explicit_http_config": map[string]any{"http2_protocol_options": map[string]any{}},
		}},
	})
	bootstrap["layered_runtime"] = map[string]any{"layers": []any{map[string]any{"name": "static", "static_layer": map[string]any{
		"tracing": map[string]any{"opentelemetry": map[string]any{"min_flush_spans": 1}},
	}}}}
	return bootstrap
}

// One request through two services and to an outside one is one trace, each step below the
// one that called it. Who began the trace decides whether it is told; where nobody did, the
// share of requests that is asked for is.
func TestTracing(t *testing.T) {
	c := newCollector(t)
	web, reviews, inbound := freePort(t), freePort(t), freePort(t)
	onward := proxied(reviews)
	app := application(t, func(w http.ResponseWriter, r *http.Request) {
		request, _ := http.NewRequest("GET", "http://api.example.com/rates", nil)
		request.Header.Set("traceparent", r.Header.Get("traceparent"))
		if response, err := onward.Do(request); err == nil {
			response.Body.Close()
		}
	})
	outside := application(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("traceparent")) })
	m := newMeshWith(Options{TrustDomain: testTrust, Tracing: model.Tracing{Percent: 50}})
	m.set(parseRows(t, fmt.Appendf(nil, tracedRows, web, reviews, inbound, app, outside)))
	ca := newTestCA(t)
	for _, proxy := range []string{"web-1", "reviews-1"} {
		account, _, _ := strings.Cut(proxy, "-")
		runEnvoy(t, c.connected(staticBootstrapOf(t, m.viewOf(t, "shop/"+proxy), ca.secrets(t, account))))
	}
	for _, parent := range []string{"00-0000000000000000000000000000000a-000000000000000b-00", "00-0000000000000000000000000000000c-000000000000000d-01"} {
		if status, body := callWith(t, proxied(web), "http://reviews:9080/x", parent); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	all := c.next(t, 3)
	for _, s := range all {
		if trace := fmt.Sprintf("%x", s.TraceId); trace != "0000000000000000000000000000000c" {
			t.Errorf("a span of trace %s; its caller decided not to tell of it", trace)
		}
	}
	caller := all["client GET reviews:9080"]
	callee := all["server GET reviews:9080"]
	beyond := all["client GET api.example.com"]
	if caller == nil || callee == nil || beyond == nil {
		t.Fatalf("spans %v: want the call, its answer and the call outside", slices.Collect(maps.Keys(all)))
	}
	if fmt.Sprintf("%x", caller.ParentSpanId) != "000000000000000d" || !bytes.Equal(callee.ParentSpanId, caller.SpanId) || !bytes.Equal(beyond.ParentSpanId, callee.SpanId) {
		t.Errorf("parents: %v\n%v\n%v", caller, callee, beyond)
	}
	for span, want := range map[*tracev1.Span]string{
		caller: "weft.route=shop/reviews/default upstream_cluster.name=reviews.shop.svc.cluster.local:9080 weft.attempts=1 response_flags=-",
		callee: "weft.caller=spiffe://mesh.test/ns/shop/sa/web http.status_code=200",
		beyond: "upstream_cluster.name=api.example.com:80",
	} {
		for _, one := range strings.Fields(want) {
			if !says(span, one) {
				t.Errorf("%s has no %s: %v", span.Name, one, span.Attributes)
			}
		}
	}
	told := 0
	for range 64 {
		if _, parent := call(t, proxied(web), "GET", "http://api.example.com/", ""); strings.HasSuffix(parent, "-01") {
			told++
		}
	}
	if told < 10 || told > 54 {
		t.Errorf("%d of 64 requests are told of, want about half", told)
	}
}

// next are so many spans, by kind and name.
func (c *collector) next(t *testing.T, n int) map[string]*tracev1.Span {
	t.Helper()
	all := map[string]*tracev1.Span{}
	for range n {
		select {
		case s := <-c.spans:
			all[map[bool]string{true: "client ", false: "server "}[s.Kind == tracev1.Span_SPAN_KIND_CLIENT]+s.Name] = s
		case <-time.After(15 * time.Second):
			t.Fatalf("%d spans, want %d", len(all), n)
		}
	}
	return all
}

func callWith(t *testing.T, client *http.Client, url, parent string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("traceparent", parent)
	return answerTo(t, client, request)
}

// Where no request is told of there is no tracer, which would cost each of them something.
func TestNoTracing(t *testing.T) {
	for percent, want := range map[float64]bool{0: false, 1: true} {
		m := newMeshWith(Options{TrustDomain: testTrust, Tracing: model.Tracing{Percent: percent}})
		m.set(parseRows(t, fmt.Appendf(nil, tracedRows, 1, 2, 3, 4, 5)))
		if got := strings.Contains(string(encodeJSON(t, staticBootstrapOf(t, m.viewOf(t, "shop/reviews-1"), nil))), tracerName); got != want {
			t.Errorf("%v%%: a tracer is in the configuration: %t, want %t", percent, got, want)
		}
	}
}

// What is told is as the closest Telemetry wants it: here of what is sent alone, with a tag more.
func TestTelemetry(t *testing.T) {
	c := newCollector(t)
	web, inbound := freePort(t), freePort(t)
	app := application(t, func(http.ResponseWriter, *http.Request) {})
	m := newMeshWith(Options{TrustDomain: testTrust})
	r := parseRows(t, fmt.Appendf(nil, tracedRows, web, freePort(t), inbound, app, app))
	all, silent := 100.0, true
	r.Telemetries = []model.Telemetry{
		{Object: model.Key{Kind: "Telemetry", Namespace: model.RootNamespace, Name: "mesh"}, Says: []model.Tells{{Calls: true, Served: true, Percent: &all}}},
		{Object: model.Key{Kind: "Telemetry", Namespace: "shop", Name: "reviews"}, Reach: model.Reach{Namespace: "shop", Selector: map[string]string{"app": "reviews"}}, Says: []model.Tells{{Served: true, Silent: &silent}}},
		{Object: model.Key{Kind: "Telemetry", Namespace: "shop", Name: "tags"}, Reach: model.Reach{Namespace: "shop"}, Says: []model.Tells{{Calls: true, Tags: []model.SpanTag{{Name: "team", Literal: "shop"}}}}},
	}
	m.set(r)
	ca := newTestCA(t)
	for _, proxy := range []string{"web-1", "reviews-1"} {
		account, _, _ := strings.Cut(proxy, "-")
		runEnvoy(t, c.connected(staticBootstrapOf(t, m.viewOf(t, "shop/"+proxy), ca.secrets(t, account))))
	}
	for range 2 { // were the callee to tell of the first, it would be among these
		if status, body := callWith(t, proxied(web), "http://reviews:9080/x", "00-0000000000000000000000000000000c-000000000000000d-01"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		told := c.next(t, 1)
		span := told["client GET reviews:9080"]
		if span == nil || !says(span, "team=shop") {
			t.Fatalf("spans %v, want that of the caller, of team shop", told)
		}
	}
}

// What a closer one does not say stays as it is: a percentage brings back no spans that are off, and who turns them on does.
func TestSpansThatAreOff(t *testing.T) {
	half, yes, no := 50.0, true, false
	about := func(name string, says model.Tells) model.Telemetry {
		says.Served = true
		r := model.Reach{Namespace: "shop"}
		if name == "api" {
			r.Selector = map[string]string{"app": name}
		}
		return model.Telemetry{Object: model.Key{Kind: "Telemetry", Namespace: "shop", Name: name}, Reach: r, Says: []model.Tells{says}}
	}
	for _, c := range []struct {
		far, near model.Tells
		want      float64
	}{
		{model.Tells{Silent: &yes}, model.Tells{Percent: &half}, 0},
		{model.Tells{Silent: &yes}, model.Tells{Silent: &no}, 10},
		{model.Tells{Silent: &yes}, model.Tells{Silent: &no, Percent: &half}, 50},
		{model.Tells{Percent: &half}, model.Tells{Silent: &yes}, 0},
		{model.Tells{Percent: &half}, model.Tells{}, 50},
	} {
		s := selectors{tracing: model.Tracing{Percent: 10}, telemetries: []model.Telemetry{about("api", c.near), about("all", c.far)}}
		calls, served := s.tells(model.Workload{Namespace: "shop", Labels: map[string]string{"app": "api"}})
		if served.Percent != c.want || calls.Percent != 10 {
			t.Errorf("%+v, then %+v: %g%% of what is served, %g%% of calls; want %g and 10", c.far, c.near, served.Percent, calls.Percent, c.want)
		}
	}
}

func says(span *tracev1.Span, attribute string) bool {
	return slices.ContainsFunc(span.Attributes, func(a *commonv1.KeyValue) bool { return a.Key+"="+a.Value.GetStringValue() == attribute })
}

func proxied(port int) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}),
	}}
}
