package folder

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weft.dev/test/process"
	"weft.dev/trace"
)

// One request through two services and an API outside of the mesh is one trace, the proxies' steps
// and the application's own, as the command prints it.
func TestTraces(t *testing.T) {
	s, otlp := tracedShop(t)
	s.serve()
	s.join()
	s.runShop()
	s.start(weft, "run", "--app", "visitor", "--", "sh", "-c", // which stays, so that its proxy tells
		`for call in "$@"; do curl -sS -H "${call%@*}" "${call#*@}"; done; exec tail -f /dev/null`, "sh",
		"traceparent: 00-"+passing+"-000000000000000d-01@http://catalog:9080/products", "b3: "+failing+"-000000000000000d-1@http://rates.example.com/eur")
	own := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"visitor"}}]},"scopeSpans":[{"spans":[
		{"traceId":"%s","spanId":"000000000000000d","name":"shopping","kind":1,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}`, passing, time.Now().UnixNano(), time.Now().Add(time.Second).UnixNano())
	s.until("an application tells", func() error {
		response, err := http.Post("http://"+otlp+"/v1/traces", "application/json", strings.NewReader(own))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", response.Status)
		}
		return nil
	})
	s.steps(passing, `
shopping of visitor internal
  GET catalog:9080 of default/visitor client
    GET catalog:9080 of default/catalog v1 server
      GET pricing:9080 of default/catalog v1 client
        GET pricing:9080 of default/pricing v2 server
          GET rates.example.com of default/pricing v2 client`)

	s.steps(failing, "GET rates.example.com of default/visitor client failed")
	s.says("traces visitor --calls rates.example.com --failed", failing)
	s.says("traces --failed -o json", `"id": "`+failing+`"`)
	s.says("traces pricing --version v2 --slower 1us --since 1h --attribute http.response.status_code=200", passing)
	s.says("query weft_spans_total", "7")
	s.server.kill() // what it took is there again
	s.serve()
	s.steps(failing, "GET rates.example.com of default/visitor client failed")
	if out, err := s.command("traces", "show", failing).CombinedOutput(); err == nil || !strings.Contains(string(out), "default/visitor calls") || !strings.Contains(string(out), "failed, 500") {
		t.Errorf("%v, %s: want exit code 2, and which call failed how", err, out)
	}
	s.flood(otlp)
}

// tracedShop has proxies tell of all that they pass on, also to an API outside of the mesh. otlp is
// where applications tell.
func tracedShop(t *testing.T) (s *site, otlp string) {
	t.Helper()
	s, otlp = emptySite(t), free(t)
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	rates := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("traceparent"), "00-"+failing) {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "1")
	}))
	t.Cleanup(rates.Close)
	s.write("rates.yaml", service("rates", rates.Listener.Addr().String()))
	s.from = []string{"--config", s.config, "--traces-sample", "100", "--traces-b3", "--traces-megabytes", "2", "--otlp", otlp}
	return s, otlp
}

// runShop runs the two services that a request for products passes through.
func (s *site) runShop() {
	s.t.Helper()
	shop := filepath.Join(s.dir, "shop")
	if err := process.Build(map[string]string{shop: "../../examples/shop"}); err != nil {
		s.t.Fatal(err)
	}
	s.start(weft, "run", "--app", "catalog", "--version", "v1", "--port", "9080", "--", shop, "catalog")
	s.start(weft, "run", "--app", "pricing", "--version", "v2", "--port", "9080", "--", shop, "pricing")
	s.says("status --wait 30s --workloads 2", "2 of 2 workloads healthy")
}

// Ids of two traces.
const passing, failing = "0000000000000000000000000000aaaa", "00000000000000000000000000ffffff"

// flood sends steps, from before an application's first call until after its last one, and as many as it takes for
// some to be dropped. None of the calls fails, the traces stay within their budget, each step is accounted for, and
// the command says what is missing.
func (s *site) flood(otlp string) {
	s.t.Helper()
	load, said := filepath.Join(s.dir, "load"), filepath.Join(s.dir, "flooded.json")
	if err := process.Build(map[string]string{load: "../../examples/shop/load"}); err != nil {
		s.t.Fatal(err)
	}
	before := s.traced()
	var sent, refused atomic.Uint64
	done, flooded := make(chan struct{}), sync.WaitGroup{}
	for source := range 4 {
		flooded.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				switch code, err := post(otlp, message(source, n)); {
				case err != nil:
					s.t.Error(err)
					return
				case code == http.StatusOK:
					sent.Add(flood)
				case code == http.StatusServiceUnavailable:
					refused.Add(flood)
				default:
					s.t.Errorf("the flood is answered %d", code)
				}
			}
		})
	}
	s.until("the flood is too much", func() error {
		if c := s.traced(); c.TooMany == 0 {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	s.start(weft, "run", "--app", "flooded", "--", "sh", "-c", `"$0" --quiet --rate 50 --duration 3s http://catalog:9080/products >"$1" && exec tail -f /dev/null`, load, said)
	var v visited
	s.until("an application has called meanwhile", func() error {
		text, err := os.ReadFile(said)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &v)
	})
	close(done)
	flooded.Wait()
	if v.Sent == 0 || v.ByStatus["200"] != v.Sent {
		s.t.Errorf("calls during the flood: %+v, want all to be well", v)
	}
	after := s.traced()
	if after.Bytes > after.Limit {
		s.t.Errorf("traces take %d bytes, of %d", after.Bytes, after.Limit)
	}
	if got := after.Spans + after.TooMany - before.Spans - before.TooMany; got < sent.Load() {
		s.t.Errorf("%d steps are kept or dropped, %d were sent (and %d refused): some are in no count", got, sent.Load(), refused.Load())
	}
	s.says("traces --failed", fmt.Sprintf("%d steps came too fast, and were dropped", after.TooMany))
}

// flood is how many steps are in one message.
const flood = 2000

// message is of some steps, each a trace of its own.
func message(source, n int) string {
	var spans []string
	for i := range flood {
		spans = append(spans, fmt.Sprintf(`{"traceId":"%08x%012x%012x","spanId":"000000000000000f","name":"flood","kind":1,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`,
			source+1, n, i, time.Now().UnixNano(), time.Now().UnixNano()+1))
	}
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"flood"}}]},"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
}

func post(otlp, body string) (code int, err error) {
	response, err := http.Post("http://"+otlp+"/v1/traces", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// traced is what became of steps until now.
func (s *site) traced() trace.Counts {
	s.t.Helper()
	var found struct{ Store trace.Counts }
	out, err := s.command("traces", "-o", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &found)
	}
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return found.Store
}

// steps asks until a trace has these, each below the one that called it.
func (s *site) steps(id, want string) {
	s.t.Helper()
	want = strings.TrimPrefix(want, "\n")
	s.until("trace "+id, func() error {
		out, _ := s.command("traces", "show", id, "-o", "json").Output() // 2: it failed
		var t trace.Waterfall
		if err := json.Unmarshal(out, &t); err != nil {
			return err
		}
		var lines []string
		for _, one := range t.Steps {
			line := strings.Repeat("  ", one.Depth) + one.Name + " of " + strings.TrimSpace(one.Of()+" "+one.Version) + " " + string(one.Kind)
			if one.Failed {
				line += " failed"
			}
			lines = append(lines, line)
		}
		if got := strings.Join(lines, "\n"); got != want {
			return fmt.Errorf("it has\n%s\nwant\n%s", got, want)
		}
		return nil
	})
}
