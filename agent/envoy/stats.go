package envoy

import (
	"bufio"
	"bytes"
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weft.dev/model"
)

// The counters of a cluster that are read.
const (
	rqTotal      = "upstream_rq_total"
	rqCompleted  = "upstream_rq_completed"
	rq5xx        = "upstream_rq_5xx"
	rqRetry      = "upstream_rq_retry"
	rqTime       = "upstream_rq_time"
	rqStatus     = "upstream_rq_" // and a status, of errors
	rqClass      = "xx"           // behind the first digit of the others
	rqTimeout    = "upstream_rq_timeout"
	rqTryTimeout = "upstream_rq_per_try_timeout"
	rqExhausted  = "upstream_rq_retry_limit_exceeded"
	rqOverflow   = "upstream_rq_pending_overflow" // of requests, too, where one connection carries many
	cxFail       = "upstream_cx_connect_fail"
	cxActive     = "upstream_cx_active" // now
	cxSent       = "upstream_cx_tx_bytes_total"
	cxReceived   = "upstream_cx_rx_bytes_total"
)

// beyond is a bound of Envoy's histograms that stands for all above LatencyBounds, milliseconds.
const beyond = 3_600_000

// Traffic makes reports of what Envoy counts: the difference to the time before.
type Traffic struct {
	admin  *Admin
	before map[string]totals // by the cluster's name in stats
	limits map[model.LimitID]limitCounters
	open   map[string]time.Duration // of connections, not reported yet
	peers  map[string]uint64        // by name in stats
	said   map[model.Verdict]uint64 // by policies that only look; Requests is not part of the key
	at     time.Time
}

// openPace is how long connections must have been open, all together, to be reported where there is nothing
// else to say: an idle edge is not worth a report a second.
const openPace = 10 * time.Second

// totals are the counters of one cluster since Envoy's start.
type totals struct {
	counters map[string]uint64
	latency  []uint64 // by bucket, as in model.EdgeCounters
	routes   map[string]model.RouteCounts
}

// NewTraffic begins at zero.
func NewTraffic(admin *Admin) *Traffic { return &Traffic{admin: admin} }

// Report is what was counted since the last call, for these clusters. The first
// one has no period: what it counts may be old.
func (t *Traffic) Report(ctx context.Context, clusters []string, now time.Time) (model.TrafficReport, error) {
	body, err := t.admin.stats(ctx)
	if err != nil {
		return model.TrafficReport{}, err
	}
	current := parseStats(body)
	report := model.TrafficReport{Watches: true, Peers: t.strangers(body)}
	if !t.at.IsZero() {
		report.Period = now.Sub(t.at)
	}
	waiting := map[string]time.Duration{}
	for _, cluster := range clusters {
		if _, _, _, ok := model.ParseClusterName(cluster); !ok {
			continue
		}
		name := statName(cluster)
		edge := current[name].since(t.before[name]).edge(cluster)
		open := t.open[name] + time.Duration(current[name].counters[cxActive])*report.Period
		if says(edge) || open >= openPace {
			edge.Open = uint64(open.Milliseconds())
			report.Edges = append(report.Edges, edge)
		} else if open > 0 {
			waiting[name] = open
		}
	}
	limits := parseLimits(body)
	report.Limits = limitsSince(limits, t.limits)
	said := parseVerdicts(body)
	report.Verdicts = verdictsSince(said, t.said)
	t.said = said
	t.before, t.limits, t.at, t.open = current, limits, now, waiting
	return report, nil
}

// says whether an edge has more to tell than that connections are open.
func says(e model.EdgeCounters) bool {
	return e.Requests > 0 || e.Sent+e.Received > 0 || e.Latency != nil || e.Routes != nil || // Envoy tells latencies one reading later
		e.Classes != (model.Classes{}) || e.Troubles != (model.Troubles{})
}

// strangers are the callers without a certificate that were counted since the last call.
func (t *Traffic) strangers(body []byte) (all []model.PeerCounters) {
	now := parsePeers(body)
	for _, name := range model.SortedKeys(now) {
		c, n := now[name], now[name].Calls
		if before := t.peers[name]; before <= n { // else it began anew
			n -= before
		}
		if n > 0 {
			c.Calls = n
			all = append(all, c)
		}
	}
	t.peers = map[string]uint64{}
	for name, c := range now {
		t.peers[name] = c.Calls
	}
	return all
}

// parsePeers reads the counters of callers without a certificate, by name.
func parsePeers(body []byte) map[string]model.PeerCounters {
	all := map[string]model.PeerCounters{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := cutLast(lines.Text(), ": ")
		c, ours := model.ParsePeerStat(name)
		if n, err := strconv.ParseUint(value, 10, 64); ours && err == nil {
			c.Calls = n
			all[name] = c
		}
	}
	return all
}

// cutLast is strings.Cut at the last separator: addresses have colons, too.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// stats are those of everything that was used.
func (a *Admin) stats(ctx context.Context) ([]byte, error) {
	return a.get(ctx, "/stats?usedonly&histogram_buckets=cumulative&filter=^(cluster|"+model.RouteStatPrefix+"|"+model.LimitStatPrefix+")%5C.|"+shadowAllowed+"$|"+shadowDenied+"$")
}

// statName is what Envoy makes of a cluster's name in the names of stats.
func statName(cluster string) string { return strings.ReplaceAll(cluster, ":", "_") }

// since is the difference of two readings. A counter that went down began anew.
func (t totals) since(o totals) totals {
	d := totals{counters: map[string]uint64{}, latency: make([]uint64, len(t.latency))}
	restarted := t.counters[rqTotal] < o.counters[rqTotal]
	for name, n := range t.counters {
		d.counters[name] = n
		if before := o.counters[name]; !restarted && before <= n {
			d.counters[name] = n - before
		}
	}
	for i, n := range t.latency {
		d.latency[i] = n
		if !restarted && i < len(o.latency) && o.latency[i] <= n {
			d.latency[i] = n - o.latency[i]
		}
	}
	for route, n := range t.routes {
		// They outlive their cluster, so they restart by themselves.
		if before := o.routes[route]; before.Requests <= n.Requests && before.Errors <= n.Errors {
			n.Requests, n.Errors = n.Requests-before.Requests, n.Errors-before.Errors
		}
		d.count(route, n)
	}
	return d
}

// count adds requests of a route.
func (t *totals) count(route string, n model.RouteCounts) {
	if n == (model.RouteCounts{}) {
		return
	}
	if t.routes == nil {
		t.routes = map[string]model.RouteCounts{}
	}
	t.routes[route] = t.routes[route].Add(n)
}

// edge counts attempts: each request that ended, and each that was tried again
// because the attempt had failed.
func (t totals) edge(cluster string) model.EdgeCounters {
	e := model.EdgeCounters{
		Cluster:  cluster,
		Requests: t.counters[rqCompleted] + t.counters[rqRetry],
		Errors:   t.counters[rq5xx] + t.counters[rqRetry],
		Retries:  t.counters[rqRetry],
		Routes:   t.routes,
		Sent:     t.counters[cxSent],
		Received: t.counters[cxReceived],
		Troubles: model.Troubles{
			Timeouts:  t.counters[rqTimeout] + t.counters[rqTryTimeout],
			Exhausted: t.counters[rqExhausted], Overflows: t.counters[rqOverflow], Unconnected: t.counters[cxFail],
		},
	}
	for i := range e.Classes {
		e.Classes[i] = t.counters[rqStatus+strconv.Itoa(i+1)+rqClass]
	}
	for name, n := range t.counters {
		status, err := strconv.ParseUint(strings.TrimPrefix(name, rqStatus), 10, 32)
		if err == nil && n > 0 {
			if e.Statuses == nil {
				e.Statuses = map[uint32]uint64{}
			}
			e.Statuses[uint32(status)] = n
		}
	}
	for _, n := range t.latency {
		if n > 0 {
			e.Latency = t.latency
			break
		}
	}
	return e
}

// parseStats reads Envoy's text form: "cluster.NAME.COUNTER: 12", and for
// histograms see parseBuckets.
func parseStats(body []byte) map[string]totals {
	all := map[string]totals{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ": ")
		if cluster, route, end, ours := model.ParseRouteStat(name); ok && ours {
			all[statName(cluster)] = all[statName(cluster)].ended(route, end, value)
			continue
		}
		cluster, counter, known := splitStat(name)
		if !ok || !known {
			continue
		}
		one, seen := all[cluster]
		if !seen {
			one = totals{counters: map[string]uint64{}}
		}
		if counter == rqTime {
			one.latency = parseBuckets(value)
		} else if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			one.counters[counter] = n
		}
		all[cluster] = one
	}
	return all
}

// ended is t with a counter of requests that ended so.
func (t totals) ended(route, end, value string) totals {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return t
	}
	if t.counters == nil {
		t.counters = map[string]uint64{}
	}
	counts := model.RouteCounts{Requests: n}
	if end == model.RouteEndBad {
		counts.Errors = n
	}
	t.count(route, counts)
	return t
}

// statForm is all that is read of a cluster.
var statForm = regexp.MustCompile(`^cluster\.(.+)\.(upstream_(?:rq_(?:total|completed|[1-5]xx|retry|time|[0-9]{3}|timeout|per_try_timeout|retry_limit_exceeded|pending_overflow)|cx_(?:connect_fail|active|[tr]x_bytes_total)))$`)

// scoped counters are counted without the scope, too.
var scoped = regexp.MustCompile(`\.(internal|external|canary|zone|retry)$`)

// splitStat takes "cluster.NAME.COUNTER" apart; NAME may have dots.
func splitStat(stat string) (cluster, counter string, ok bool) {
	m := statForm.FindStringSubmatch(stat)
	if m == nil || scoped.MatchString(m[1]) {
		return "", "", false
	}
	return m[1], m[2], true
}

var bucketForm = regexp.MustCompile(`B([0-9.e+]+)\([0-9]+,([0-9]+)\)`)

// parseBuckets reads "B0.5(0,3) B1(0,4)": for each bound the values up to it, of
// the interval and of all time.
func parseBuckets(text string) []uint64 {
	counts := make([]uint64, len(model.LatencyBounds)+1)
	var below uint64
	for _, m := range bucketForm.FindAllStringSubmatch(text, -1) {
		bound, err := strconv.ParseFloat(m[1], 64)
		upTo, err2 := strconv.ParseUint(m[2], 10, 64)
		if err != nil || err2 != nil || upTo < below {
			return nil
		}
		counts[bucketOf(bound)] += upTo - below
		below = upTo
	}
	return counts
}

func bucketOf(bound float64) int {
	for i, b := range model.LatencyBounds {
		if bound <= b {
			return i
		}
	}
	return len(model.LatencyBounds)
}
