package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/metrics"
	"weft.dev/metrics/series"
	"weft.dev/model"
	"weft.dev/trace"
	"weft.dev/web"
)

// metricsFlags are the budgets of the store of metrics.
type metricsFlags struct {
	interval  time.Duration
	retention time.Duration
	megabytes uint32
	series    int
	remote    string
	writes    *series.Remote // what remote says
}

func (f *metricsFlags) add(c *cobra.Command) {
	c.Flags().DurationVar(&f.interval, "metrics-interval", 15*time.Second, "time between two samples of each metric (docs/guides/metrics.md)")
	c.Flags().DurationVar(&f.retention, "metrics-retention", 15*24*time.Hour, "how long metrics are kept, in DATA/metrics")
	c.Flags().Uint32Var(&f.megabytes, "metrics-megabytes", 1024, "how large DATA/metrics may become; the oldest go first")
	c.Flags().IntVar(&f.series, "metrics-series", 50_000, "how many series of metrics may be in memory, some 4 KB each, of histograms 8; new ones beyond that are refused, counted and logged")
	c.Flags().StringVar(&f.remote, "metrics-remote-write", "", "file that says where else metrics are written: remote_write and global.external_labels of a configuration of Prometheus")
}

// minSeries is what the server's own figures take.
const minSeries = 100

func (f *metricsFlags) check() (err error) {
	if f.interval < time.Second || f.retention < time.Hour || f.megabytes == 0 || f.series < minSeries {
		return exitCode{exitUsage, fmt.Errorf("--metrics-interval, --metrics-retention, --metrics-megabytes and --metrics-series: want at least 1s, 1h, 1 and %d", minSeries)}
	}
	if f.remote == "" {
		return nil
	}
	if f.writes, err = series.LoadRemote(f.remote); err != nil {
		return exitCode{exitUsage, fmt.Errorf("--metrics-remote-write: %w", err)}
	}
	return nil
}

// Families of what this server knows beside the edges.
var (
	connectedProxies = &metrics.Family{Name: "weft_proxies_connected", Kind: metrics.Gauge, Help: "Proxies that are connected to this server."}
	behindProxies    = &metrics.Family{Name: "weft_proxies_behind", Kind: metrics.Gauge, Help: "Of them, those that have not acknowledged all of the newest configuration."}
	refusedResources = &metrics.Family{Name: "weft_resources_refused", Kind: metrics.Gauge, Help: "Resources that a proxy refused and keeps its last good version of."}
	workloadHealth   = &metrics.Family{Name: "weft_workloads", Kind: metrics.Gauge, Help: "Instances that are registered.", Labels: []string{"health"}}
	openProblems     = &metrics.Family{Name: "weft_problems", Kind: metrics.Gauge, Help: "What is wrong with objects now."}
	revision         = &metrics.Family{Name: "weft_revision", Kind: metrics.Counter, Help: "Commits of the configuration since this server started."}
	changeTime       = &metrics.Family{Name: "weft_change_duration_seconds", Kind: metrics.Histogram, Help: "Time from a change until the last connected proxy acknowledged it, to a tenth of a second; changes that come meanwhile are one."}
	changeAge        = &metrics.Family{Name: "weft_change_age_seconds", Kind: metrics.Gauge, Help: "Time since the change that is timed now, which a connected proxy has not acknowledged; 0: all have everything."}
	heapBytes        = &metrics.Family{Name: "weft_heap_bytes", Kind: metrics.Gauge, Help: "Memory of this server's objects."}
	trafficWeight    = &metrics.Family{Name: "weft_traffic_weight_percent", Kind: metrics.Gauge, Help: "Share of a service's traffic that a version gets, as releases and people wrote it.", Labels: []string{"namespace", "service", "version"}}
	releasePhases    = &metrics.Family{Name: "weft_releases", Kind: metrics.Gauge, Help: "Releases by phase: how they end is their verdict.", Labels: []string{"namespace", "application", "phase"}}
	serverFamilies   = []*metrics.Family{
		connectedProxies, behindProxies, refusedResources, workloadHealth, openProblems, revision, changeTime, changeAge, heapBytes, trafficWeight, releasePhases,
	}
)

// newSeries is part of the wiring.
func (m *mesh) newSeries(flags serveFlags) *series.Store {
	s := series.New(series.Options{
		Dir:       filepath.Join(flags.data, "metrics"),
		Interval:  flags.metrics.interval,
		Retention: flags.metrics.retention,
		Size:      int64(flags.metrics.megabytes) << 20,
		Series:    flags.metrics.series,
		Sources:   []func(metrics.Emit){m.called, m.fleet, m.arrivals, m.shares, m.outcomes, m.traces.Figures, m.limits.figures, m.verdicts.Figures},
		Families:  slices.Concat(serverFamilies, metrics.EdgeFamilies, limitFamilies, []*metrics.Family{metrics.PolicyVerdicts}, trace.Families),
		Remote:    flags.metrics.writes,
		Now:       time.Now,
		Log:       m.log,
	})
	m.served = append(m.served, s.Run, m.watchChanges)
	return s
}

// people is what people and their tools are answered by.
func (m *mesh) people(flags serveFlags, meshAddress string) http.Handler {
	mux := http.NewServeMux()
	kept, shown := m.newSeries(flags), m.web(meshAddress)
	shown.Series = kept
	shown.Budgets = func() []web.Budget { return budgets(kept, m.traces) }
	mux.Handle("/", web.Handler(shown))
	mux.Handle(series.Prefix+"/", kept.Handler())
	return mux
}

// called are the edges.
func (m *mesh) called(emit metrics.Emit) { m.seen.Figures(m.compiled.Plain, emit) }

// arrivals are those of changes at proxies.
func (m *mesh) arrivals(emit metrics.Emit) { m.changes.figures(time.Now(), emit) }

// fleet is how the proxies and the workloads are.
func (m *mesh) fleet(emit metrics.Emit) {
	gauge := func(f *metrics.Family, n int, labels ...string) {
		emit(metrics.Figure{Family: f, Labels: labels, Value: float64(n)})
	}
	now := uint64(m.graph.Revision())
	current, total, _ := m.sessions.Applied(now)
	gauge(connectedProxies, total)
	gauge(behindProxies, total-current)
	refused := 0
	for _, p := range m.proxies.All() {
		refused += len(p.Refusals)
	}
	gauge(refusedResources, refused)
	health := map[model.Health]int{}
	for _, r := range m.rows.Replicas.All() {
		for _, i := range r.Instances {
			health[i.Health]++
		}
	}
	for state, n := range health {
		gauge(workloadHealth, n, string(state))
	}
	gauge(openProblems, m.problems.Len())
	emit(metrics.Figure{Family: revision, Value: float64(now)})
	_, live := heap()
	gauge(heapBytes, int(live))
}

// shares are the weights of versions.
func (m *mesh) shares(emit metrics.Emit) {
	for _, s := range m.rows.Splits.All() {
		_, namespace, _ := model.SplitHost(s.Host)
		for _, v := range s.Versions {
			emit(metrics.Figure{Family: trafficWeight, Labels: []string{namespace, s.Service, v.Version}, Value: float64(v.Weight)})
		}
	}
}

// changes is how long they take to the last proxy: one is timed after the other, where there is a proxy to have it.
type changes struct {
	mu      sync.Mutex
	buckets []uint64  // by model.LatencyBounds
	seen    uint64    // revision of the change that is timed, or was last
	began   time.Time // of it; zero: everybody has it
}

// look is at the newest revision, and at who has the one that is timed.
func (c *changes) look(now time.Time, newest uint64, applied func(revision uint64) (current, total int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.began.IsZero() && newest != c.seen {
		c.seen, c.began = newest, now
	}
	if c.began.IsZero() {
		return
	}
	current, total := applied(c.seen)
	if current < total {
		return
	}
	if total > 0 {
		c.took(now.Sub(c.began))
	}
	c.began = time.Time{}
}

func (c *changes) took(d time.Duration) {
	if c.buckets == nil {
		c.buckets = make([]uint64, len(model.LatencyBounds)+1)
	}
	c.buckets[metrics.Bucket(d)]++
}

// figures have the age of what has not arrived: what it takes is known only of what has.
func (c *changes) figures(now time.Time, emit metrics.Emit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.buckets != nil {
		emit(metrics.Figure{Family: changeTime, Buckets: c.buckets})
	}
	age := time.Duration(0)
	if !c.began.IsZero() {
		age = now.Sub(c.began)
	}
	emit(metrics.Figure{Family: changeAge, Value: age.Seconds()})
}

// changeTick is how exactly the time of a change is known.
const changeTick = 100 * time.Millisecond

// watchChanges looks at them all the time; what this server began with is none.
func (m *mesh) watchChanges(ctx context.Context) error {
	m.changes.seen = uint64(m.graph.Revision())
	return every(ctx, changeTick, func() {
		m.changes.look(time.Now(), uint64(m.graph.Revision()), func(revision uint64) (current, total int) {
			current, total, _ = m.sessions.Applied(revision)
			return current, total
		})
	})
}

// outcomes are the phases of releases, as they are stored.
func (m *mesh) outcomes(emit metrics.Emit) {
	count := map[[3]string]int{}
	for _, r := range m.lists.releases.all() {
		count[[3]string{r.Namespace, r.Application, r.Phase}]++
	}
	for labels, n := range count {
		emit(metrics.Figure{Family: releasePhases, Labels: labels[:], Value: float64(n)})
	}
}
