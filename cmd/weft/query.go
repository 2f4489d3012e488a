package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/metrics/series"
	"weft.dev/web"
)

func newQuery() *cobra.Command {
	var output *string
	var back, step time.Duration
	c := &cobra.Command{
		Use:   "query PROMQL",
		Short: "Ask the metrics of the mesh, in PromQL",
		Long: `Ask the metrics that the server keeps: of every edge, of the proxies, of releases. docs/guides/metrics.md names them.

With --range it is the values over so much time until now, one each --step. Grafana asks the same at LISTEN` + series.Prefix + ` as a
data source of type Prometheus.`,
		Example: `  weft query 'sum by (destination_service, status) (rate(weft_requests_total[1m]))'
  weft query 'histogram_quantile(0.99, sum by (destination_service) (rate(weft_request_duration_seconds[5m])))'
  weft query --range 1h -o json 'weft_traffic_weight_percent{service="reviews"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			server.base = strings.TrimSuffix(server.base, web.Prefix) + series.Prefix + "/api/v1/"
			path, query := "query", url.Values{"query": {args[0]}}
			if back > 0 {
				now := time.Now()
				path = "query_range"
				query.Set("start", now.Add(-back).Format(time.RFC3339Nano))
				query.Set("end", now.Format(time.RFC3339Nano))
				query.Set("step", step.String())
			}
			var a promAnswer
			if err := server.get(c.Context(), path, query, &a); err != nil {
				return err
			}
			for _, text := range append(a.Warnings, a.Infos...) {
				fmt.Fprintln(c.ErrOrStderr(), text)
			}
			t, err := a.table()
			if err != nil {
				return err
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	c.Flags().DurationVar(&back, "range", 0, "how far to look back; 0: only now")
	c.Flags().DurationVar(&step, "step", time.Minute, "with --range: time between two values")
	return c
}

// promAnswer is the answer to a query, as Prometheus has it.
type promAnswer struct {
	Data struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
	Warnings []string `json:"warnings"`
	Infos    []string `json:"infos"`
}

// point is [time, value].
type point [2]any

func (p point) time() string {
	seconds, _ := p[0].(float64)
	return time.UnixMilli(int64(seconds * 1000)).Format(time.TimeOnly)
}

// value is a number, or of a histogram its count and sum.
func (p point) value() string {
	if h, ok := p[1].(map[string]any); ok {
		return fmt.Sprintf("count %v, sum %v", h["count"], h["sum"])
	}
	return fmt.Sprint(p[1])
}

func (a promAnswer) table() (table, error) {
	t := table{header: []string{"SERIES", "TIME", "VALUE"}, value: a.Data, empty: "no series"}
	if a.Data.ResultType == "scalar" || a.Data.ResultType == "string" {
		var p point
		err := json.Unmarshal(a.Data.Result, &p)
		t.rows = [][]string{{a.Data.ResultType, p.time(), p.value()}}
		return t, err
	}
	var all []struct {
		Metric     map[string]string `json:"metric"`
		Value      *point            `json:"value"`
		Histogram  *point            `json:"histogram"`
		Values     []point           `json:"values"`
		Histograms []point           `json:"histograms"`
	}
	if err := json.Unmarshal(a.Data.Result, &all); err != nil {
		return t, err
	}
	for _, s := range all {
		points := append(s.Values, s.Histograms...)
		for _, one := range []*point{s.Value, s.Histogram} {
			if one != nil {
				points = append(points, *one)
			}
		}
		for _, p := range points {
			t.rows = append(t.rows, []string{seriesName(s.Metric), p.time(), p.value()})
		}
	}
	return t, nil
}

// seriesName is as PromQL has it.
func seriesName(metric map[string]string) string {
	var pairs []string
	for _, label := range slices.Sorted(maps.Keys(metric)) {
		if label != "__name__" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", label, metric[label]))
		}
	}
	return metric["__name__"] + "{" + strings.Join(pairs, ", ") + "}"
}
