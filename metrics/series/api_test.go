package series_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/metrics/series"
)

func filled(t *testing.T) *shelf {
	t.Helper()
	s := open(t, t.TempDir()+"/m")
	for i := range 4 {
		n := float64(10 * (i + 1))
		s.sample(count("shop", "2xx", n), count("cart", "5xx", n), metrics.Figure{Family: held, Value: 7}, latencies(uint64(n), time.Second))
	}
	return s
}

// The answers have the forms that clients of Prometheus read.
func TestAPI(t *testing.T) {
	s := filled(t)
	for _, c := range []struct {
		path string
		form url.Values
		want string
	}{
		{"query", url.Values{"query": {`calls_total{to="shop"}`}}, `{"result":[{"metric":{"__name__":"calls_total","status":"2xx","to":"shop"},"value":[1767322860,"40"]}],"resultType":"vector"}`},
		{"query", url.Values{"query": {`held`}, "time": {"2026-01-02T03:00:20Z"}}, `{"result":[{"metric":{"__name__":"held"},"value":[1767322820,"7"]}],"resultType":"vector"}`},
		{"query", url.Values{"query": {`1+1`}, "time": {"1767322860.5"}}, `{"result":[1767322860.5,"2"],"resultType":"scalar"}`},
		{"query", url.Values{"query": {`calls_total{to="shop"}[25s]`}}, `{"result":[{"metric":{"__name__":"calls_total","status":"2xx","to":"shop"},"values":[[1767322845,"30"],[1767322860,"40"]]}],"resultType":"matrix"}`},
		{"query_range", url.Values{"query": {`held * 2`}, "start": {"1767322830"}, "end": {"1767322860"}, "step": {"15"}}, `{"result":[{"metric":{},"values":[[1767322830,"14"],[1767322845,"14"],[1767322860,"14"]]}],"resultType":"matrix"}`},
		{"query_range", url.Values{"query": {`held`}, "start": {"1767322830"}, "end": {"1767322860"}, "step": {"30s"}}, `{"result":[{"metric":{"__name__":"held"},"values":[[1767322830,"7"],[1767322860,"7"]]}],"resultType":"matrix"}`},
		{"series", url.Values{"match[]": {`calls_total{to="cart"}`, `held`}}, `[{"__name__":"calls_total","status":"5xx","to":"cart"},{"__name__":"held"}]`},
		{"series", url.Values{"match[]": {`held`}, "end": {"2020-01-01T00:00:00Z"}, "start": {"2019-01-01T00:00:00Z"}}, `[]`},
		{"labels", nil, `["__name__","status","to"]`},
		{"labels", url.Values{"match[]": {`took_seconds`}}, `["__name__","to"]`},
		{"label/to/values", nil, `["cart","shop"]`},
		{"label/to/values", url.Values{"match[]": {`calls_total{status="5xx"}`}}, `["cart"]`},
		{"label/nothing/values", nil, `[]`},
		{"metadata", url.Values{"metric": {"calls_total"}}, `{"calls_total":[{"type":"counter","help":"Calls.","unit":""}]}`},
		{"rules", nil, `{"groups":[]}`},
	} {
		got := s.get(c.path, c.form)
		if got.code != http.StatusOK || got.Status != "success" || string(got.Data) != c.want {
			t.Errorf("%s %v: %d %s %s, want\n%s", c.path, c.form, got.code, got.Error, got.Data, c.want)
		}
	}
	response, err := http.PostForm(s.server.URL+series.Prefix+"/api/v1/query", url.Values{"query": {"held"}})
	if a := s.read(response, err); a.code != http.StatusOK || !strings.Contains(string(a.Data), `"7"`) {
		t.Errorf("a query in a body: %d %s %s", a.code, a.Error, a.Data)
	}
}

// A histogram is in the answer whole.
func TestHistogramInAnswer(t *testing.T) {
	s := filled(t)
	var data struct {
		Result []struct {
			Histogram [2]json.RawMessage
		}
	}
	var h struct {
		Count, Sum string
		Buckets    [][4]any
	}
	a := s.get("query", url.Values{"query": {"took_seconds"}})
	if err := json.Unmarshal(a.Data, &data); err != nil || len(data.Result) != 1 {
		t.Fatalf("%v: %s", err, a.Data)
	}
	if err := json.Unmarshal(data.Result[0].Histogram[1], &h); err != nil {
		t.Fatal(err)
	}
	if h.Count != "40" || len(h.Buckets) != 1 || h.Buckets[0][1] != "0.8" || h.Buckets[0][2] != "1" || h.Buckets[0][3] != "40" {
		t.Errorf("histogram %+v", h)
	}
}

// What is refused says what would help, and in Prometheus' words whose fault it is.
func TestRefused(t *testing.T) {
	s := filled(t)
	for _, c := range []struct {
		path string
		form url.Values
		code int
		kind string
		text string
	}{
		{"query", url.Values{"query": {`calls_total{`}}, 400, "bad_data", "parse error"},
		{"query", url.Values{"query": {`held`}, "time": {"noon"}}, 400, "bad_data", `time "noon": want seconds`},
		{"query", url.Values{"query": {`held`}, "time": {"NaN"}}, 400, "bad_data", "want seconds"},
		{"query", url.Values{"query": {`held`}, "time": {"9e30"}}, 400, "bad_data", "want seconds"},
		{"query", url.Values{"query": {`calls_total + on() calls_total`}}, 422, "execution", "many-to-many"},
		{"query", url.Values{"query": {`sum_over_time(vector(1)[10000s:1ms])`}}, 422, "execution", "too many samples"},
		{"query_range", url.Values{"query": {`held`}}, 400, "bad_data", `start "": want seconds`},
		{"query_range", url.Values{"query": {`held`}, "start": {"1"}, "end": {"2"}, "step": {"0"}}, 400, "bad_data", "want a positive one"},
		{"query_range", url.Values{"query": {`held`}, "start": {"1"}, "end": {"2"}, "step": {"fast"}}, 400, "bad_data", `step "fast": want`},
		{"query_range", url.Values{"query": {`held`}, "start": {"2"}, "end": {"1"}, "step": {"1"}}, 400, "bad_data", "is before start"},
		{"query_range", url.Values{"query": {`held`}, "start": {"0"}, "end": {"20000"}, "step": {"1"}}, 400, "bad_data", "choose a longer one"},
		{"series", nil, 400, "bad_data", "match[]"},
		{"series", url.Values{"match[]": {"{"}}, 400, "bad_data", "parse error"},
	} {
		got := s.get(c.path, c.form)
		if got.code != c.code || got.Status != "error" || got.ErrorType != c.kind || !strings.Contains(got.Error, c.text) {
			t.Errorf("%s %v: %d %s %q, want %d %s with %q", c.path, c.form, got.code, got.ErrorType, got.Error, c.code, c.kind, c.text)
		}
	}
	s.stop()
	if err := s.store.Sample(t.Context()); err == nil {
		t.Error("a closed store takes samples")
	}
}

// Another Prometheus gets the same, with the buckets of histograms one by one.
func TestScrape(t *testing.T) {
	s := filled(t)
	s.figures = append(s.figures, count("a \"b\"\\\n", "2xx", 1.5))
	response, err := http.Get(s.server.URL + series.Prefix + "/scrape")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{to=\"shop\",status=\"2xx\"} 40\n",
		`calls_total{to="a \"b\"\\\n",status="2xx"} 1.5` + "\n",
		"# TYPE held gauge\nheld{} 7\n", "# TYPE took_seconds histogram\n",
		`took_seconds_bucket{to="shop",le="0.8"} 0` + "\n" + `took_seconds_bucket{to="shop",le="1"} 40` + "\n",
		`took_seconds_bucket{to="shop",le="+Inf"} 40` + "\n" + `took_seconds_sum{to="shop"} 36` + "\n" + `took_seconds_count{to="shop"} 40` + "\n",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
