package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"weft.dev/flow"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/ratelimit"
)

// limitFlags say where budgets of limits are.
type limitFlags struct {
	redis   string
	budgets int
	store   ratelimit.Store // what redis says; nil: in memory
}

func (f *limitFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.redis, "rate-limit-redis", "", "HOST:PORT or URL of a Redis where limits of scope global are counted, so that all servers agree exactly; none: in their memory")
	c.Flags().IntVar(&f.budgets, "rate-limit-budgets", 1_000_000, "without a Redis: for how many values of keys budgets are remembered, some 90 bytes each; beyond that those are forgotten that are the nearest to full")
}

// minBudgets is what limits without a key take.
const minBudgets = 1000

func (f *limitFlags) check() error {
	if f.budgets < minBudgets {
		return exitCode{exitUsage, fmt.Errorf("--rate-limit-budgets: want at least %d", minBudgets)}
	}
	if f.redis == "" {
		return nil
	}
	store, err := ratelimit.NewRedis(f.redis)
	if err != nil {
		return exitCode{exitUsage, fmt.Errorf("--rate-limit-redis: %w", err)}
	}
	f.store = store
	return nil
}

// limits are those that this server counts for proxies, and what all of them count.
type limits struct {
	mesh    *mesh
	service *ratelimit.Service
	totals  *metrics.Limits
	memory  *ratelimit.Memory // nil: there is a Redis
	shared  *ratelimit.Shared // nil: this is the only server, or there is a Redis
	routes  *flow.Index[model.RouteTable]
}

// Families of limits that no proxy counts.
var (
	limitBudgets = &metrics.Family{Name: "weft_limit_budgets", Kind: metrics.Gauge, Help: "Budgets of limits of scope global that this server remembers."}
	limitEvicted = &metrics.Family{Name: "weft_limit_budgets_evicted_total", Kind: metrics.Counter, Help: "Budgets that were forgotten before they were full, because --rate-limit-budgets is too small: each began anew."}
	limitAlone   = &metrics.Family{Name: "weft_limit_alone_total", Kind: metrics.Counter, Help: "Requests that this server counted by itself, because the one that has the budget did not answer."}
)

// limitFamilies are those of limits.figures.
var limitFamilies = []*metrics.Family{metrics.LimitRequests, limitBudgets, limitEvicted, limitAlone}

// wireLimits is part of the wiring.
func (m *mesh) wireLimits(flags limitFlags) {
	l := &limits{mesh: m, totals: metrics.NewLimits()}
	store := flags.store
	if store == nil {
		l.memory = ratelimit.NewMemory(flags.budgets)
		store = l.memory
		if m.others != nil {
			store = l.share(l.memory)
		}
	}
	l.routes = flow.NewIndex(m.rows.Routes, func(t model.RouteTable) []string { return []string{t.Object.String()} })
	l.service = ratelimit.New(ratelimit.Options{Limit: l.limit, Store: store, Now: time.Now})
	m.limits = l
	m.served = append(m.served, l.run)
}

// limit is one by its ID.
func (l *limits) limit(id model.LimitID) (ratelimit.Limit, bool) {
	r, ok := l.row(id)
	if !ok {
		return ratelimit.Limit{}, false
	}
	_, name, _, _ := id.Parts()
	i := slices.IndexFunc(r.Limits, func(l model.Limit) bool { return l.Name == name && l.Global })
	if i < 0 {
		return ratelimit.Limit{}, false
	}
	found := r.Limits[i]
	return ratelimit.Limit{Rate: ratelimit.Rate{Requests: found.Requests, Per: found.Per, Burst: found.Burst}, Name: found.Name, Shadow: found.Shadow}, true
}

func (l *limits) row(id model.LimitID) (model.RateLimit, bool) {
	object, _, target, ok := id.Parts()
	if !ok {
		return model.RateLimit{}, false
	}
	return l.mesh.rows.RateLimits.Get(object.String() + "@" + target)
}

// answer answers the proxy of a workload.
func (l *limits) answer(ctx context.Context, workload string, request []byte) ([]byte, error) {
	w, ok := l.mesh.workload(workload)
	if !ok {
		return nil, status.Errorf(codes.Unavailable, "workload %s is not known (yet)", workload)
	}
	return l.service.Answer(ctx, func(id model.LimitID) bool { return l.serves(w, id) }, request)
}

// serves says whether requests that a limit is for come to the proxy of a workload.
func (l *limits) serves(w model.Workload, id model.LimitID) bool {
	r, ok := l.row(id)
	if !ok {
		return false
	}
	switch r.Target.Kind {
	case "Service":
		return w.Gateway == "" && w.Namespace == r.Object.Namespace && model.Matches(r.Target.Selector, w.Labels)
	case "Gateway":
		return w.Gateway == r.Target.Name && w.Namespace == r.Object.Namespace
	}
	if w.Gateway == "" {
		return false
	}
	serves := false
	l.mesh.graph.View(func(x *flow.Ctx) {
		key := model.Key{Kind: r.Target.Kind, Namespace: r.Object.Namespace, Name: r.Target.Name}
		for _, t := range flow.Lookup(x, l.routes, key.String()) {
			for _, g := range flow.All(x, l.mesh.rows.Gateways) {
				serves = serves || slices.Contains(t.Gateways, g.Name) && g.Proxy == w.Gateway && cmp.Or(g.Home, g.Object.Namespace) == w.Namespace
			}
		}
	})
	return serves
}

// trusted is what a proxy says that it counted: of limits that it serves.
func (l *limits) trusted(workload string, counts map[model.LimitID]model.LimitCounts) map[model.LimitID]model.LimitCounts {
	w, ok := l.mesh.workload(workload)
	maps.DeleteFunc(counts, func(id model.LimitID, _ model.LimitCounts) bool { return !ok || !l.serves(w, id) })
	return counts
}

// record adds what was counted somewhere.
func (l *limits) record(counts map[model.LimitID]model.LimitCounts) {
	for id, n := range counts {
		l.totals.Record(id, n)
	}
}

// run takes what was counted here to what all replicas count.
func (l *limits) run(ctx context.Context) error {
	return every(ctx, askInterval, func() {
		if counts := l.service.Counted(); counts != nil {
			l.mesh.reported(heardReport{Report: model.TrafficReport{Limits: counts}})
		}
	})
}

// figures are what became of requests, and how the store is.
func (l *limits) figures(emit metrics.Emit) {
	l.totals.Figures(emit)
	if l.memory != nil {
		emit(metrics.Figure{Family: limitBudgets, Value: float64(l.memory.Len())})
		emit(metrics.Figure{Family: limitEvicted, Value: float64(l.memory.Evicted())})
	}
	if l.shared != nil {
		emit(metrics.Figure{Family: limitAlone, Value: float64(l.shared.Alone())})
	}
}

// share has budgets at one of the servers that are there.
func (l *limits) share(own ratelimit.Store) ratelimit.Store {
	p := &limitPeers{tls: l.mesh.authority.CA.PeerTLS(), others: l.mesh.others, conns: map[string]*grpc.ClientConn{}}
	l.shared = &ratelimit.Shared{Own: own, Self: ownPod(), Others: p.serving, Ask: p.ask}
	return l.shared
}

const (
	limitsMethod = "Limits"
	// peerTime is for how long another server is waited for: a proxy waits a little longer.
	peerTime = 100 * time.Millisecond
)

type (
	limitsQuestion struct {
		Asks []ratelimit.Ask `json:"asks"`
	}
	limitsAnswer struct {
		Decisions []ratelimit.Decision `json:"decisions"`
	}
)

// limitPeers are the connections to the other servers.
type limitPeers struct {
	tls    *tls.Config
	others func() map[string]other

	mu    sync.Mutex
	at    time.Time // that known was asked for
	known map[string]other
	conns map[string]*grpc.ClientConn // by address
}

// serving are those that answer, as of a moment ago.
func (p *limitPeers) serving() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.at) > askInterval/2 {
		p.at, p.known = now, p.others()
		used := map[string]bool{}
		for _, o := range p.known {
			used[o.address] = true
		}
		for address, conn := range p.conns {
			if !used[address] {
				conn.Close()
				delete(p.conns, address)
			}
		}
	}
	for name, o := range p.known {
		if o.serves {
			names = append(names, name)
		}
	}
	return names
}

func (p *limitPeers) ask(ctx context.Context, who string, asks []ratelimit.Ask, _ time.Time) ([]ratelimit.Decision, error) {
	conn, err := p.conn(who)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, peerTime)
	defer cancel()
	var a limitsAnswer
	err = conn.Invoke(ctx, "/"+replicaService+"/"+limitsMethod, limitsQuestion{asks}, &a, grpc.CallContentSubtype(model.AgentCodec{}.Name()))
	return a.Decisions, err
}

func (p *limitPeers) conn(who string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	address := p.known[who].address
	if conn := p.conns[address]; conn != nil {
		return conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(p.tls)))
	if err == nil {
		p.conns[address] = conn
	}
	return conn, err
}

// taken is the mesh port's side of ask.
func (l *limits) taken(ctx context.Context, q limitsQuestion) (limitsAnswer, error) {
	if l.memory == nil {
		return limitsAnswer{}, status.Error(codes.Unimplemented, "this server counts in a Redis")
	}
	decisions, err := l.memory.Take(ctx, q.Asks, time.Now())
	return limitsAnswer{decisions}, err
}
