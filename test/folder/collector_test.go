package folder

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft.dev/test/process"
	"weft.dev/trace"
)

// exportPatience is longer than the longest pause between two tries of who sends spans on, 30 s, with its try of 10 s.
const exportPatience = 2 * time.Minute

var collectorBinary = flag.String("collector", "", "an OpenTelemetry Collector, made of test/collector")

// A real collector gets what weft shows of each request, by both protocols and also when it was away meanwhile;
// and what it sends on to weft, weft shows.
func TestCollector(t *testing.T) {
	if *collectorBinary == "" {
		t.Skip("without -collector: it takes minutes to compile; `make test-collector` runs this")
	}
	s, otlp := tracedShop(t)
	c := s.collector(otlp)
	s.from = append(s.from, "--traces-to", "grpc://"+c.grpc)
	s.serve() // there is no collector yet: spans wait
	s.join()
	s.runShop()

	first := s.shop(1)
	c.start()
	c.has(first)
	c.process.stop()
	second := s.shop(2)
	c.start()
	c.has(first, second)

	s.server.stop()
	sent := c.tell("by-grpc", "by-http", "by-json") // weft is away: the collector's wait
	s.from[len(s.from)-1] = "http://" + c.http
	s.serve()
	s.shows(sent)
	c.process.stop()
	third := s.shop(3)
	c.start()
	c.has(first, second, sent, third) // weft sends on what it was sent, too
}

// shop has a new application call through the whole shop, and is what weft shows of it.
func (s *site) shop(n int) []trace.Span {
	s.t.Helper()
	id := fmt.Sprintf("%032x", n)
	visitor := s.start(weft, "run", "--app", "visitor", "--", "sh", "-c", `curl -sS -H "traceparent: 00-$0-000000000000000d-01" http://catalog:9080/products; exec tail -f /dev/null`, id)
	var spans []trace.Span
	s.until("the steps of trace "+id, func() error {
		if spans = s.spansOf(id); len(spans) != 5 {
			return fmt.Errorf("%d, want 5", len(spans))
		}
		return nil
	})
	visitor.stop()
	return spans
}

// spansOf is what weft shows of a trace.
func (s *site) spansOf(id string) (spans []trace.Span) {
	var t trace.Waterfall
	out, _ := s.command("traces", "show", id, "-o", "json").Output() // 2: it failed
	if json.Unmarshal(out, &t) != nil {
		return nil
	}
	for _, step := range t.Steps {
		spans = append(spans, step.Span)
	}
	return spans
}

// shows waits for each span, as it was told.
func (s *site) shows(sent []trace.Span) {
	s.t.Helper()
	for _, want := range sent {
		s.until(want.Name, func() error {
			if got := s.spansOf(want.Trace.String()); !reflect.DeepEqual(got, []trace.Span{want}) {
				return fmt.Errorf("weft shows %+v, want %+v", got, want)
			}
			return nil
		})
		s.says("traces "+want.Of()+" --version v7 --attribute cart.items=7", want.Trace.String())
	}
}

// collector is a real one. It writes down what comes to grpc and http, and sends on to weft what comes to the others.
type collector struct {
	s             *site
	grpc, http    string
	onto          map[string]string // addresses, by how it sends on what comes there
	config, lines string            // files
	process       *child
}

func (s *site) collector(weft string) *collector {
	s.t.Helper()
	c := &collector{s: s, grpc: free(s.t), http: free(s.t), config: filepath.Join(s.dir, "collector.yaml"), lines: filepath.Join(s.dir, "collected.jsonl")}
	c.onto = map[string]string{"by-grpc": free(s.t), "by-http": free(s.t), "by-json": free(s.t)}
	config := fmt.Sprintf(`
receivers:
  otlp: {protocols: {grpc: {endpoint: %q}, http: {endpoint: %q}}}
  otlp/by-grpc: {protocols: {http: {endpoint: %q}}}
  otlp/by-http: {protocols: {http: {endpoint: %q}}}
  otlp/by-json: {protocols: {http: {endpoint: %q}}}
exporters:
  lines: {path: %q}
  otlp_grpc: {endpoint: %q, tls: {insecure: true}, retry_on_failure: {initial_interval: 200ms, max_interval: 1s}}
  otlp_http: {endpoint: "http://%[7]s", retry_on_failure: {initial_interval: 200ms, max_interval: 1s}}
  otlp_http/json: {endpoint: "http://%[7]s", encoding: json, retry_on_failure: {initial_interval: 200ms, max_interval: 1s}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [lines]}
    traces/by-grpc: {receivers: [otlp/by-grpc], exporters: [otlp_grpc]}
    traces/by-http: {receivers: [otlp/by-http], exporters: [otlp_http]}
    traces/by-json: {receivers: [otlp/by-json], exporters: [otlp_http/json]}
`, c.grpc, c.http, c.onto["by-grpc"], c.onto["by-http"], c.onto["by-json"], c.lines, weft)
	if err := os.WriteFile(c.config, []byte(config), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (c *collector) start() {
	c.s.t.Helper()
	c.process = c.s.start(*collectorBinary, "--config", "file:"+c.config)
	c.s.until("the collector", func() error { return c.process.said("Everything is ready") })
}

// has waits until it got these, each once, and nothing else.
func (c *collector) has(traces ...[]trace.Span) {
	c.s.t.Helper()
	want := sorted(slices.Concat(traces...))
	for i := range want {
		want[i].Proxy = false // which OTLP does not say
	}
	err := process.Until(exportPatience, func() error {
		got, err := c.got()
		if err == nil && !reflect.DeepEqual(got, want) {
			err = fmt.Errorf("it got\n%swhere weft shows\n%s", listed(got), listed(want))
		}
		return err
	})
	if err != nil {
		c.s.t.Fatal(err)
	}
}

func sorted(spans []trace.Span) []trace.Span {
	slices.SortFunc(spans, func(a, b trace.Span) int {
		return cmp.Or(bytes.Compare(a.Trace[:], b.Trace[:]), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return spans
}

func listed(spans []trace.Span) (all string) {
	for _, one := range spans {
		all += fmt.Sprintf("%+v\n", one)
	}
	return all
}

// got is what it wrote down.
func (c *collector) got() (spans []trace.Span, err error) {
	text, err := os.ReadFile(c.lines)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var m told
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, err
		}
		spans = append(spans, m.spans()...)
	}
	return sorted(spans), nil
}

// tell sends one span to where it is sent on by each of these ways, and is what weft is to show.
func (c *collector) tell(ways ...string) (sent []trace.Span) {
	c.s.t.Helper()
	for i, way := range ways {
		message := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"till"}},{"key":"service.namespace","value":{"stringValue":"shop"}},
			{"key":"service.version","value":{"stringValue":"v7"}},{"key":"service.instance.id","value":{"stringValue":"till-1"}}]},"scopeSpans":[{"spans":[
			{"traceId":"%032x","spanId":"00000000000000e1","parentSpanId":"00000000000000e0","name":%q,"kind":4,"startTimeUnixNano":"%d","endTimeUnixNano":"%[3]d",
			"status":{"code":2,"message":"no change"},"attributes":[{"key":"cart.items","value":{"intValue":"7"}},{"key":"cart.of","value":{"stringValue":"Zoë"}}]}]}]}]}`, 0xc0+i, way, time.Now().UnixNano())
		code, err := post(c.onto[way], message)
		if err != nil || code != http.StatusOK {
			c.s.t.Fatalf("the collector answers %d, %v", code, err)
		}
		var m told
		if err := json.Unmarshal([]byte(message), &m); err != nil {
			c.s.t.Fatal(err)
		}
		sent = append(sent, m.spans()...)
	}
	return sent
}

// told is a message of OTLP's JSON, as the collector writes it.
type told struct {
	ResourceSpans []struct {
		Resource   struct{ Attributes []fact }
		ScopeSpans []struct {
			Spans []struct {
				TraceID      trace.ID
				SpanID       trace.SpanID
				ParentSpanID trace.SpanID
				Name         string
				Kind         int
				Start        string `json:"startTimeUnixNano"`
				End          string `json:"endTimeUnixNano"`
				Attributes   []fact
				Status       struct {
					Code    int
					Message string
				}
			}
		}
	}
}

// fact is an attribute; its value is one of OTLP's kinds.
type fact struct {
	Key   string
	Value map[string]any
}

func (m told) spans() (all []trace.Span) {
	kinds := []trace.Kind{1: trace.Internal, trace.Server, trace.Client, trace.Producer, trace.Consumer}
	for _, of := range m.ResourceSpans {
		whose := map[string]string{}
		for _, a := range attributes(of.Resource.Attributes) {
			whose[a.Name] = a.Value
		}
		for _, in := range of.ScopeSpans {
			for _, one := range in.Spans {
				start, _ := strconv.ParseInt(one.Start, 10, 64)
				end, _ := strconv.ParseInt(one.End, 10, 64)
				all = append(all, trace.Span{
					Trace: one.TraceID, ID: one.SpanID, Parent: one.ParentSpanID, Name: one.Name, Kind: kinds[one.Kind],
					Namespace: whose["service.namespace"], Service: whose["service.name"], Version: whose["service.version"], Workload: whose["service.instance.id"],
					Start: time.Unix(0, start).UTC(), Duration: time.Duration(end - start), Attributes: attributes(one.Attributes),
					Failed: one.Status.Code == 2, Message: one.Status.Message,
				})
			}
		}
	}
	return all
}

// attributes are by name, as weft has them; numbers are text.
func attributes(told []fact) (all []trace.Attribute) {
	for _, a := range told {
		for _, value := range a.Value {
			all = append(all, trace.Attribute{Name: a.Key, Value: fmt.Sprint(value)})
		}
	}
	slices.SortFunc(all, func(a, b trace.Attribute) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
