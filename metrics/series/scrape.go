package series

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"weft.dev/metrics"
)

// scrape answers with what figures stand at now, in Prometheus' text format: so
// that another Prometheus has them. It needs no store.
func (s *Store) scrape(w http.ResponseWriter, _ *http.Request) {
	byFamily := map[*metrics.Family]*bytes.Buffer{}
	for _, source := range s.options.Sources {
		source(func(f metrics.Figure) {
			if byFamily[f.Family] == nil {
				byFamily[f.Family] = &bytes.Buffer{}
			}
			write(byFamily[f.Family], f)
		})
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, f := range s.options.Families {
		if text := byFamily[f]; text != nil {
			fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", f.Name, f.Help, f.Name, f.Kind)
			_, _ = text.WriteTo(w)
		}
	}
}

var escape = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)

func write(text *bytes.Buffer, f metrics.Figure) {
	var pairs []string
	for i, value := range f.Labels {
		if value != "" {
			pairs = append(pairs, f.Family.Labels[i]+`="`+escape.Replace(value)+`"`)
		}
	}
	line := func(suffix string, value float64, more ...string) {
		fmt.Fprintf(text, "%s%s{%s} %s\n", f.Family.Name, suffix, strings.Join(append(pairs, more...), ","), strconv.FormatFloat(value, 'g', -1, 64))
	}
	if f.Family.Kind != metrics.Histogram {
		line("", f.Value)
		return
	}
	var until uint64
	for i, n := range f.Buckets {
		until += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		line("_bucket", float64(until), `le="`+bound+`"`)
	}
	all := histogramOf(f.Buckets)
	line("_sum", all.Sum)
	line("_count", float64(all.Count))
}
