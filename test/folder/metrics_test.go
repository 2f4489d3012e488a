package folder

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weft.dev/test/process"
)

// What the store of metrics says of an edge is what the caller itself counted, within 1%; a server
// that was killed has it still, and counts on.
func TestMetrics(t *testing.T) {
	s := emptySite(t)
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	shop, load := filepath.Join(s.dir, "shop"), filepath.Join(s.dir, "load")
	if err := process.Build(map[string]string{shop: "../../examples/shop", load: "../../examples/shop/load"}); err != nil {
		t.Fatal(err)
	}
	s.from = []string{"--config", s.config, "--metrics-interval", "1s"}
	s.serve()
	s.join()
	s.start(weft, "run", "--app", "rates", "--version", "v3", "--port", "9080", "--", shop, "rates", "--error-rate", "20")
	s.says("status --wait 30s --workloads 1", "1 of 1 workloads healthy")

	first := s.visit(load, "first")
	s.equals(`sum(weft_requests_total{source_app="first", destination_service="rates"})`, first.Sent)
	s.equals(`sum(weft_requests_total{source_app="first", status="2xx"})`, first.ByStatus["200"])
	s.equals(`sum(weft_requests_total{source_app="first", status="5xx"})`, first.ByStatus["500"])
	s.equals(`histogram_count(sum(weft_request_duration_seconds{source_app="first"}))`, first.Sent)
	s.equals(`sum(increase(weft_requests_total{source_app="first"}[10m]))`, first.Sent)
	s.equals(`weft_proxies_connected`, 2)
	counted := time.Now()
	s.write("a.yaml", service("a", s.backend("a")))
	s.equals(`weft_proxies_behind + (histogram_count(weft_change_duration_seconds) > bool 0)`, 1)

	s.server.kill()
	s.serve()
	second := s.visit(load, "second")
	s.equals(`sum(weft_requests_total{source_app="second"})`, second.Sent)
	s.equals(fmt.Sprintf(`sum(weft_requests_total{source_app="first"} @ %d)`, counted.Unix()), first.Sent)
	s.equals(`sum(increase(weft_requests_total{source_app="second"}[10m]))`, second.Sent)
}

// visited is what the load generator counted.
type visited struct {
	Sent     int            `json:"sent"`
	ByStatus map[string]int `json:"byStatus"`
}

// visit calls as an app, which stays after its last call: so that its proxy reports it.
func (s *site) visit(load, app string) (v visited) {
	s.t.Helper()
	said := filepath.Join(s.dir, app+".json")
	s.start(weft, "run", "--app", app, "--", "sh", "-c", `"$0" --quiet --rate 400 --duration 5s http://rates:9080/eur >"$1" && exec tail -f /dev/null`, load, said)
	s.until(app+" has called", func() error {
		text, err := os.ReadFile(said)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &v)
	})
	if v.ByStatus["500"] == 0 || v.ByStatus["200"] == 0 {
		s.t.Fatalf("%s: %+v: want good and bad answers", app, v)
	}
	return v
}

// equals asks until a query is within 1% of a number.
func (s *site) equals(query string, want int) {
	s.t.Helper()
	s.until(query, func() error {
		var a struct{ Result []struct{ Value [2]any } }
		out, err := s.command("query", "-o", "json", query).CombinedOutput()
		if err == nil {
			err = json.Unmarshal(out, &a)
		}
		if err != nil || len(a.Result) != 1 {
			return fmt.Errorf("want one series: %w: %s", err, out)
		}
		got, err := strconv.ParseFloat(fmt.Sprint(a.Result[0].Value[1]), 64)
		if err == nil && math.Abs(got-float64(want)) > 0.01*float64(want) {
			err = fmt.Errorf("is %v, want %d", got, want)
		}
		return err
	})
}
