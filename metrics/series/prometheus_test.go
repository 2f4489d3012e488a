package series_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/test/debian"
	"weft.dev/test/prometheus"
)

// same are queries that both answer alike.
var same = []string{
	`calls_total`, `calls_total{to=~"sh.*",status!="2xx"}`, `calls_total offset 3m`, `calls_total @ 1767323401`, `{__name__=~"held|calls_total",to=""}`, `absent(calls_total{to="nobody"})`,
	`sum(calls_total)`, `sum by (to) (calls_total)`, `sum without (status) (calls_total)`, `count by (status) (calls_total)`, `avg(calls_total)`, `min(calls_total)`, `max by (to) (calls_total)`,
	`stddev(calls_total)`, `quantile(0.7, calls_total)`, `topk(2, calls_total)`, `bottomk(1, calls_total)`, `group(held)`, `count_values("v", held > bool 0)`,
	`rate(calls_total[70s])`, `sum by (to) (rate(calls_total[5m]))`, `irate(calls_total[70s])`, `increase(calls_total[10m])`, `resets(calls_total[25m])`, `changes(held[10m])`,
	`delta(held[5m])`, `deriv(held[5m])`, `predict_linear(held[5m], 600)`, `avg_over_time(held[5m])`, `max_over_time(held[5m])`, `min_over_time(held[5m])`, `sum_over_time(held[5m])`,
	`count_over_time(held[5m])`, `quantile_over_time(0.9, held[5m])`, `stddev_over_time(held[5m])`, `last_over_time(held[5m])`, `present_over_time(held[5m])`,
	`max_over_time(rate(calls_total[67s])[5m:20s])`, `sum(rate(calls_total{status="5xx"}[5m])) / sum(rate(calls_total[5m]))`,
	`calls_total / on(to) group_left() sum by (to) (calls_total)`, `calls_total > 500 and calls_total < 4000`, `calls_total unless calls_total{to="cart"}`, `held or calls_total`,
	`label_replace(calls_total, "who", "$1-x", "to", "(.).*")`, `label_join(calls_total, "both", "/", "to", "status")`, `abs(held) + ceil(held) - floor(held) * sgn(held)`, `clamp(held, -2, 3)`,
	`sqrt(calls_total) ^ 2 % 7`, `ln(calls_total + 1)`, `exp(held)`, `round(held, 0.5)`, `scalar(held) * 2`, `vector(3)`, `time()`, `timestamp(held)`, `hour()`, `day_of_week(held * 1e7)`, `sort_desc(calls_total)`,
}

// histograms are queries of whole histograms, and the same of their buckets one by one.
var histograms = [][2]string{
	{`histogram_count(took_seconds)`, `label_replace(took_seconds_count, "__name__", "", "", "")`},
	{`histogram_sum(sum(took_seconds))`, `sum(took_seconds_sum)`},
	{`histogram_quantile(0.5, took_seconds)`, `histogram_quantile(0.5, took_seconds_bucket)`},
	{`histogram_quantile(0.99, sum by (to) (rate(took_seconds[5m])))`, `histogram_quantile(0.99, sum by (to, le) (rate(took_seconds_bucket[5m])))`},
	{`histogram_quantile(0.9, sum(increase(took_seconds[10m])))`, `histogram_quantile(0.9, sum by (le) (increase(took_seconds_bucket[10m])))`},
	{`histogram_fraction(0, 0.1, sum(rate(took_seconds[5m])))`, `sum(rate(took_seconds_bucket{le="0.1"}[5m])) / sum(rate(took_seconds_count[5m]))`},
	{`histogram_avg(sum(rate(took_seconds[5m])))`, `sum(rate(took_seconds_sum[5m])) / sum(rate(took_seconds_count[5m]))`},
}

// A Prometheus that has the same samples answers the same. Ranges do not end on a sample:
// whether one at their very beginning belongs to them changed with Prometheus 3.
func TestAnswersAsPrometheus(t *testing.T) {
	s := open(t, t.TempDir()+"/m")
	var text bytes.Buffer // in OpenMetrics
	for i := range 160 {
		figures := figuresAt(i)
		s.sample(figures...)
		if i == 0 { // counters began at zero
			for _, f := range figures {
				if f.Family.Kind != metrics.Gauge {
					openMetrics(&text, metrics.Figure{Family: f.Family, Labels: f.Labels, Buckets: make([]uint64, len(f.Buckets))}, origin)
				}
			}
		}
		for _, f := range figures {
			openMetrics(&text, f, s.now)
		}
	}
	text.WriteString("# EOF\n")
	peer := backfilled(t, text.Bytes())
	weft := func(path string, form url.Values) answer { return s.get(path, form) }
	theirs := func(path string, form url.Values) answer {
		response, err := http.Get(peer + "/api/v1/" + path + "?" + form.Encode())
		return s.read(response, err)
	}
	pairs := slices.Clone(histograms)
	for _, query := range same {
		pairs = append(pairs, [2]string{query, query})
	}
	for _, pair := range pairs {
		for path, form := range map[string]url.Values{
			"query":       {"time": {"1767324601"}},
			"query_range": {"start": {"1767323401"}, "end": {"1767325141"}, "step": {"45"}},
		} {
			form.Set("query", pair[0])
			got := resultOf(t, weft(path, form))
			form.Set("query", pair[1])
			want := resultOf(t, theirs(path, form))
			if got.Type != want.Type || !slices.EqualFunc(got.series, want.series, aboutEqual) {
				t.Errorf("%s %s\n  weft       %v\n  Prometheus %v", path, pair[0], got, want)
			}
			if len(want.series) == 0 {
				t.Errorf("%s %s: no answer, which says nothing", path, pair[0])
			}
		}
	}
	around := url.Values{"start": {"1767322800"}, "end": {"1767325141"}, "match[]": {`{__name__=~"held|calls_total"}`}}
	for _, path := range []string{"series", "labels", "label/to/values", "label/__name__/values"} {
		if got, want := weft(path, around), theirs(path, around); string(got.Data) != string(want.Data) || len(got.Data) < 10 {
			t.Errorf("%s: %s, Prometheus: %s", path, got.Data, want.Data)
		}
	}
	for _, query := range []string{`calls_total{`, `sum(calls_total[5m])`, `calls_total + on() calls_total`, `rate(held)`} {
		got, want := weft("query", url.Values{"query": {query}, "time": {"1767324601"}}), theirs("query", url.Values{"query": {query}, "time": {"1767324601"}})
		if got.code != want.code || got.ErrorType != want.ErrorType {
			t.Errorf("%s: %d %s %q, Prometheus: %d %s %q", query, got.code, got.ErrorType, got.Error, want.code, want.ErrorType, want.Error)
		}
	}
}

// figuresAt are those of one sample: counters with a reset, a gauge that swings, two histograms.
func figuresAt(i int) []metrics.Figure {
	n := float64(i + 1)
	figures := []metrics.Figure{
		count("shop", "2xx", 20*n+float64(i*i%17)), count("shop", "5xx", math.Floor(n/3)), count("cart", "2xx", 7*float64((i+20)%97)),
		{Family: held, Value: 5 * math.Sin(n/9)},
	}
	for _, to := range []string{"shop", "cart"} {
		buckets := make([]uint64, len(model.LatencyBounds)+1)
		for b := range buckets {
			buckets[b] = uint64((i+1)*(b%5+len(to)%3) + b)
		}
		figures = append(figures, metrics.Figure{Family: took, Labels: []string{to}, Buckets: buckets})
	}
	slices.SortFunc(figures, func(a, b metrics.Figure) int { return strings.Compare(a.Family.Name, b.Family.Name) })
	return figures
}

// openMetrics writes a figure with its time, each bucket of a histogram as a series.
func openMetrics(text *bytes.Buffer, f metrics.Figure, at time.Time) {
	var labels []string
	for i, value := range f.Labels {
		labels = append(labels, fmt.Sprintf("%s=%q", f.Family.Labels[i], value))
	}
	line := func(suffix string, value float64, more ...string) {
		fmt.Fprintf(text, "%s%s{%s} %s %d\n", f.Family.Name, suffix, strings.Join(slices.Concat(labels, more), ","), strconv.FormatFloat(value, 'g', -1, 64), at.Unix())
	}
	if f.Buckets == nil {
		line("", f.Value)
		return
	}
	var n uint64
	var sum, before float64
	for i, in := range f.Buckets {
		n += in
		bound, le := before, "+Inf"
		if i < len(model.LatencyBounds) {
			bound = model.LatencyBounds[i] / 1000
			le = strconv.FormatFloat(bound, 'g', -1, 64)
		}
		sum += float64(in) * (before + bound) / 2
		before = bound
		line("_bucket", float64(n), `le="`+le+`"`)
	}
	line("_sum", sum)
	line("_count", float64(n))
}

// backfilled starts a Prometheus with these samples, and returns its URL.
func backfilled(t *testing.T, samples []byte) string {
	t.Helper()
	promtool, err := debian.Program("promtool", "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, blocks := filepath.Join(dir, "samples"), filepath.Join(dir, "blocks")
	if err := os.WriteFile(file, samples, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", file, blocks).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v: %s", err, out)
	}
	return prometheus.Start(t, blocks, "")
}

// result is an answer to a query, in an order that both have.
type result struct {
	Type   string `json:"resultType"`
	series []sequence
}

type sequence struct {
	metric string // as JSON, whose keys are sorted
	points [][2]float64
}

func resultOf(t *testing.T, a answer) (r result) {
	t.Helper()
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatalf("%v: %d %s %s", err, a.code, a.Error, a.Data)
	}
	r.Type = data.ResultType
	type series struct {
		Metric map[string]string
		Value  [2]any
		Values [][2]any
	}
	var all []series
	if r.Type == "scalar" {
		all = make([]series, 1)
		if err := json.Unmarshal(data.Result, &all[0].Value); err != nil {
			t.Fatal(err)
		}
	} else if err := json.Unmarshal(data.Result, &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		metric, _ := json.Marshal(s.Metric)
		if s.Values == nil {
			s.Values = [][2]any{s.Value}
		}
		one := sequence{metric: string(metric)}
		for _, p := range s.Values {
			v, err := strconv.ParseFloat(fmt.Sprint(p[1]), 64)
			if err != nil {
				t.Fatal(err)
			}
			one.points = append(one.points, [2]float64{p[0].(float64), v})
		}
		r.series = append(r.series, one)
	}
	slices.SortFunc(r.series, func(a, b sequence) int { return strings.Compare(a.metric, b.metric) })
	return r
}

// aboutEqual allows for sums that were added up in another way.
func aboutEqual(a, b sequence) bool {
	return a.metric == b.metric && slices.EqualFunc(a.points, b.points, func(p, q [2]float64) bool {
		return p[0] == q[0] && (math.IsNaN(p[1]) && math.IsNaN(q[1]) || p[1] == q[1] || math.Abs(p[1]-q[1]) <= 1e-9*max(1, math.Abs(q[1])))
	})
}
