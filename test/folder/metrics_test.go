package folder

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"weft.dev/test/process"
	"weft.dev/test/prometheus"
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
	peer := prometheus.Start(t, filepath.Join(s.dir, "peer"), fmt.Sprintf(scrapes, s.api, s.api))
	s.join()
	s.start(weft, "run", "--app", "rates", "--version", "v3", "--port", "9080", "--metrics", "127.0.0.1:0", "--", shop, "rates", "--error-rate", "20")
	s.says("status --wait 30s --workloads 1", "1 of 1 workloads healthy")

	first := s.visit(load, "first")
	s.equals(`sum(weft_requests_total{source_app="first", destination_service="rates"})`, first.Sent)
	s.equals(`sum(weft_requests_total{source_app="first", status="2xx"})`, first.ByStatus["200"])
	s.equals(`sum(weft_requests_total{source_app="first", status="5xx"})`, first.ByStatus["500"])
	s.equals(`histogram_count(sum(weft_request_duration_seconds{source_app="first"}))`, first.Sent)
	s.equals(`sum(increase(weft_requests_total{source_app="first"}[10m]))`, first.Sent)
	s.equals(`weft_proxies_connected`, 2)
	for _, query := range []string{
		`sum by (source_app, destination_service, destination_version, status) (weft_requests_total)`, `weft_workloads`, `weft_proxies_connected`,
		`sum(weft_requests_total{status="5xx"}) / sum(weft_requests_total)`,
	} {
		s.agree(peer, query, query)
	}
	// Their last digits differ.
	s.agree(peer, `round(1e6 * histogram_quantile(0.9, sum(weft_request_duration_seconds)), 0.001)`, `round(1e6 * histogram_quantile(0.9, sum by (le) (weft_request_duration_seconds_bucket)), 0.001)`)
	// What it has of the proxies themselves, which it found by asking, is the same.
	s.agree(peer, `sum by (destination_namespace, destination_service, destination_version, destination_port, status) (weft_requests_total{source_app="first"})`,
		`sum by (destination_namespace, destination_service, destination_version, destination_port, status) (weft_proxy_requests_total{namespace="default", app="first"})`)
	s.agree(peer, `histogram_count(sum(weft_request_duration_seconds{source_app="first"}))`, `sum(weft_proxy_request_duration_seconds_count{app="first"})`)
	s.agree(peer, `count by (app, version) (label_replace(label_replace(vector(1), "app", "rates", "", ""), "version", "v3", "", ""))`, `count by (app, version) (up{job="proxies", version="v3"} == 1)`)
	// One proxy keeps full statistics, and then no longer.
	workload, full := s.one("first"), `count(weft_proxy_envoy_cluster{app="first", stat=~"membership_.*|update_.*"})`
	s.says("stats", "no proxy keeps full statistics")
	s.says("stats full "+workload+" --for 20m", workload)
	s.says("stats", workload)
	s.until("its statistics are full", func() error {
		_, err := vector(peer, full+" >= 2", fmt.Sprint(time.Now().Unix()))
		return err
	})
	s.says("stats full "+workload+" --for 0s", "no proxy keeps full statistics")
	s.until("they are no longer", func() error {
		_, err := vector(peer, `(up{app="first"} == 1) unless on() `+full, fmt.Sprint(time.Now().Unix()))
		return err
	})
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

// one is the workload of an app, NAMESPACE/NAME.
func (s *site) one(app string) string {
	s.t.Helper()
	status, body, err := get(http.DefaultClient, "http://"+s.api+"/weft/v1/workloads")
	var all []struct{ ID, App string }
	if err == nil {
		err = json.Unmarshal([]byte(body), &all)
	}
	for _, w := range all {
		if w.App == app {
			return w.ID
		}
	}
	s.t.Fatalf("no workload of %s: %d %s %v", app, status, body, err)
	return ""
}

// scrapes has a Prometheus take what a weft knows, and what its proxies do.
const scrapes = `scrape_configs:
- job_name: weft
  scrape_interval: 1s
  metrics_path: /weft/metrics/scrape
  static_configs: [{targets: ["%s"]}]
  metric_relabel_configs: [{regex: instance|job, action: labeldrop}]
- job_name: proxies
  scrape_interval: 1s
  http_sd_configs: [{url: "http://%s/weft/v1/targets", refresh_interval: 1s}]
`

// agree asks until weft says what a Prometheus says that scrapes it.
func (s *site) agree(peer, query, theirs string) {
	s.t.Helper()
	s.until(query, func() error {
		now := fmt.Sprint(time.Now().Unix())
		got, err := vector("http://"+s.api+"/weft/metrics", query, now)
		if err != nil {
			return err
		}
		want, err := vector(peer, theirs, now)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%q, prometheus says %q", got, want)
		}
		return err
	})
}

// vector is the answer of a Prometheus, as JSON, sorted.
func vector(server, query, now string) (all []string, err error) {
	status, body, err := get(http.DefaultClient, server+"/api/v1/query?"+url.Values{"query": {query}, "time": {now}}.Encode())
	if err != nil {
		return nil, err
	}
	var a struct {
		Data struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || len(a.Data.Result) == 0 {
		return nil, fmt.Errorf("%s: %d %s: %w", server, status, body, err)
	}
	for _, one := range a.Data.Result {
		all = append(all, string(one))
	}
	slices.Sort(all)
	return all, nil
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
	s.start(weft, "run", "--app", app, "--metrics", "127.0.0.1:0", "--", "sh", "-c", `"$0" --quiet --rate 400 --duration 5s http://rates:9080/eur >"$1" && exec tail -f /dev/null`, load, said)
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
