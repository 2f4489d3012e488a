package envoy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"weft.dev/model"
)

// Counters are what an Envoy counted since its start, of each upstream that it has called.
type Counters []upstream

type upstream struct {
	labels string // as Prometheus writes them
	stats  []stat // all that Envoy keeps of it, where that is more
	totals
	model.EdgeCounters
}

// stat is one by Envoy's name.
type stat struct{ name, value string }

// Counters reads them, of these clusters; with full all numbers that Envoy keeps, too.
func (a *Admin) Counters(ctx context.Context, clusters []string, full bool) (Counters, error) {
	body, err := a.stats(ctx)
	if err != nil {
		return nil, err
	}
	counted, stats := parseStats(body), map[string][]stat{}
	if full {
		stats = statsOf(body, clusters)
	}
	all := Counters{}
	for _, cluster := range clusters {
		t, used := counted[statName(cluster)]
		to, ours := model.ParseDestination(cluster)
		if used && ours {
			all = append(all, upstream{labelsOf(to), stats[statName(cluster)], t, t.edge(cluster)})
		}
	}
	slices.SortFunc(all, func(x, y upstream) int { return strings.Compare(x.labels, y.labels) })
	return all, nil
}

// statsOf are the numbers of each of these clusters, by its name in stats.
func statsOf(body []byte, clusters []string) map[string][]stat {
	all := map[string][]stat{}
	for _, cluster := range clusters {
		all[statName(cluster)] = nil
	}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		rest, ours := strings.CutPrefix(name, "cluster.")
		if _, err := strconv.ParseUint(value, 10, 64); err != nil || !ours {
			continue // a histogram, or of something else
		}
		for i := range len(rest) { // either may have dots
			if of, known := all[rest[:i]]; known && rest[i] == '.' {
				all[rest[:i]] = append(of, stat{rest[i+1:], value})
			}
		}
	}
	return all
}

// labelsOf are those that the server's own series of edges have; an empty one is left out.
func labelsOf(to model.Destination) string {
	var pairs []string
	for _, p := range [][2]string{
		{"namespace", to.Namespace}, {"service", to.Service}, {"version", to.Version}, {"port", strconv.Itoa(int(to.Port))},
	} {
		if p[1] != "" {
			pairs = append(pairs, "destination_"+p[0]+"="+strconv.Quote(p[1]))
		}
	}
	return strings.Join(pairs, ",")
}

// single are the families that have one number an upstream.
var single = []struct {
	name, kind, help string
	value            func(upstream) uint64
}{
	{"retries_total", "counter", "Attempts that failed and were tried again.", func(u upstream) uint64 { return u.Retries }},
	{"timeouts_total", "counter", "Requests and single tries that nobody answered in time.", func(u upstream) uint64 { return u.Timeouts }},
	{"retries_exhausted_total", "counter", "Requests whose last try failed, too.", func(u upstream) uint64 { return u.Exhausted }},
	{"breaker_overflows_total", "counter", "Requests that were not sent, because more were under way than the circuit breaker lets.", func(u upstream) uint64 { return u.Overflows }},
	{"connect_failures_total", "counter", "Connections that could not be opened.", func(u upstream) uint64 { return u.Unconnected }},
	{"sent_bytes_total", "counter", "Bytes sent, without what TLS adds.", func(u upstream) uint64 { return u.Sent }},
	{"received_bytes_total", "counter", "Bytes received, without what TLS adds.", func(u upstream) uint64 { return u.Received }},
	{"connections", "gauge", "Connections that are open.", func(u upstream) uint64 { return u.counters[cxActive] }},
}

// Write writes Prometheus' text. What did not happen has no series.
func (c Counters) Write(w io.Writer) error {
	text := bufio.NewWriter(w)
	begin := func(name, kind, help string) string {
		name = "weft_proxy_" + name
		fmt.Fprintf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		return name
	}
	name := begin("requests_total", "counter", "Calls that ended, by the class of the status that this proxy got.")
	for _, u := range c {
		for i, n := range u.Classes {
			if n > 0 {
				fmt.Fprintf(text, "%s{%s,status=\"%dxx\"} %d\n", name, u.labels, i+1, n)
			}
		}
	}
	for _, f := range single {
		name := begin(f.name, f.kind, f.help)
		for _, u := range c {
			if n := f.value(u); n > 0 {
				fmt.Fprintf(text, "%s{%s} %d\n", name, u.labels, n)
			}
		}
	}
	name = begin("request_duration_seconds", "histogram", "How long an upstream took; the sum is estimated from the buckets.")
	for _, u := range c {
		u.durations(text, name)
	}
	name = begin("envoy_cluster", "untyped", "All that Envoy keeps of an upstream by its own names, while it keeps full statistics.")
	for _, u := range c {
		for _, s := range u.stats {
			fmt.Fprintf(text, "%s{%s,stat=%q} %s\n", name, u.labels, s.name, s.value)
		}
	}
	return text.Flush()
}

func (u upstream) durations(text io.Writer, name string) {
	if u.Latency == nil {
		return
	}
	var until uint64
	for i, n := range u.Latency {
		until += n
		bound := "+Inf"
		if i < len(model.LatencyBounds) {
			bound = strconv.FormatFloat(model.LatencyBounds[i]/1000, 'g', -1, 64)
		}
		fmt.Fprintf(text, "%s_bucket{%s,le=%q} %d\n", name, u.labels, bound, until)
	}
	fmt.Fprintf(text, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, u.labels, model.LatencySum(u.Latency), name, u.labels, until)
}
