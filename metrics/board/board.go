// Package board says what the dashboards of weft show, once, for whatever draws them.
//
// Output: boards of panels with their queries in PromQL, and the files that Grafana
// imports. It must not know who asks the queries. In a query, $NAME is the chosen
// value of a variable, and $__rate_interval is four samples or more.
package board

// Board is one page of panels.
type Board struct {
	Name      string // of a file, and in a URL
	Title     string
	Variables []Variable // what a person chooses, in this order
	Panels    []Panel
}

// Variable is one of the values of a label, of series that match.
type Variable struct {
	Name, Label, Match string
}

// Panel is values over time.
type Panel struct {
	Title   string
	Help    string
	Unit    Unit
	Queries []Query
}

// Query is one line in a panel, or one for each series that it answers with.
type Query struct {
	Expr   string
	Legend string // {{LABEL}} is the series' value
}

// Unit is what values count.
type Unit string

const (
	Count   Unit = "short"
	Rate    Unit = "reqps"
	Seconds Unit = "s"
	Percent Unit = "percent"
	Bytes   Unit = "bytes"
)

// All are weft's boards.
func All() []Board { return []Board{service(), workload(), releases(), fleet(), controlPlane()} }

// in selects the calls of the chosen service, out those that the chosen application makes.
const (
	in  = `destination_namespace="$namespace", destination_service="$service"`
	out = `source_namespace="$namespace", source_app="$app"`
)

// ofService are the variables that in has.
var ofService = []Variable{
	{"namespace", "destination_namespace", `weft_requests_total{destination_namespace!=""}`},
	{"service", "destination_service", `weft_requests_total{destination_namespace="$namespace"}`},
}

func service() Board {
	return Board{"service", "Service", ofService, []Panel{
		requests("Requests", in, "status"),
		failures("Failures", in, ""),
		{"Latency", "As the callers' proxies measured it.", Seconds, []Query{quantile("0.5", in), quantile("0.9", in), quantile("0.99", in)}},
		requests("Requests by caller", in, "source_namespace", "source_app"),
		failures("Failures by caller", in, "source_app"),
		latency("Latency by caller", in, "source_app"),
		requests("Requests by version", in, "destination_version"),
		failures("Failures by version", in, "destination_version"),
		latency("Latency by version", in, "destination_version"),
		attempts(in, "source_app"),
		troubles(in, "source_app"),
		connections(in, "source_app"),
		traffic(in, "source_app"),
	}}
}

func workload() Board {
	return Board{"workload", "Workload", []Variable{
		{"namespace", "source_namespace", `weft_requests_total{source_namespace!=""}`},
		{"app", "source_app", `weft_requests_total{source_namespace="$namespace"}`},
	}, []Panel{
		requests("Calls by upstream", out, "destination_service"),
		requests("Calls by upstream and status", out, "destination_service", "status"),
		failures("Failures by upstream", out, "destination_service"),
		latency("Latency by upstream", out, "destination_service"),
		attempts(out, "destination_service"),
		troubles(out, "destination_service"),
		connections(out, "destination_service"),
		traffic(out, "destination_service"),
		requests("Calls by own version", out, "source_version"),
	}}
}

func releases() Board {
	return Board{"releases", "Releases", ofService, []Panel{
		{"Traffic by version", "The share that each version is to get.", Percent, []Query{
			{`weft_traffic_weight_percent{namespace="$namespace", service="$service"}`, "{{version}}"},
		}},
		requests("Requests by version", in, "destination_version"),
		failures("Failures by version", in, "destination_version"),
		latency("Latency by version", in, "destination_version"),
		{"Releases by phase", "Of all applications of the namespace.", Count, []Query{{`sum by (application, phase) (weft_releases{namespace="$namespace"})`, "{{application}} {{phase}}"}}},
	}}
}

func fleet() Board {
	return Board{"fleet", "Proxy fleet", nil, []Panel{
		{"Proxies", "Behind are those that have not acknowledged all of the newest configuration.", Count, []Query{
			{`sum(weft_proxies_connected)`, "connected"}, {`sum(weft_proxies_behind)`, "behind"},
		}},
		{"Refused resources", "A proxy keeps its last good version of what it refuses.", Count, []Query{{`sum(weft_resources_refused)`, "refused"}}},
		{"Instances by health", "", Count, []Query{{`max by (health) (weft_workloads)`, "{{health}}"}}},
		{"Reports that were dropped", "They found no room or no belief.", Rate, []Query{{`sum(rate(weft_edge_reports_dropped_total[$__rate_interval]))`, "dropped"}}},
	}}
}

func controlPlane() Board {
	return Board{"control-plane", "Control plane", nil, []Panel{
		{"From a change to the last proxy", "Until the last connected proxy acknowledged it.", Seconds, []Query{
			{`histogram_quantile(0.5, sum(rate(weft_change_duration_seconds[$__rate_interval])))`, "half of the changes"},
			{`histogram_quantile(0.99, sum(rate(weft_change_duration_seconds[$__rate_interval])))`, "99%"},
		}},
		{"Age of the change that a proxy lacks", "It grows while one stays behind.", Seconds, []Query{{`max(weft_change_age_seconds)`, "age"}}},
		{"Commits", "Of the configuration, a second.", Rate, []Query{{`sum(rate(weft_revision[$__rate_interval]))`, "commits"}}},
		{"Problems", "What is wrong with objects.", Count, []Query{{`max(weft_problems)`, "problems"}}},
		{"Memory of objects", "", Bytes, []Query{{`sum(weft_heap_bytes)`, "heap"}}},
		{"Series of metrics", "Refused are those beyond the budget of --metrics-series.", Count, []Query{
			{`sum(weft_metrics_series)`, "in memory"}, {`sum(weft_metrics_series_refused)`, "refused"},
		}},
	}}
}
