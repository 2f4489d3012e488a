package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"weft.dev/agent/notify"
	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/release/judge"
	provider "weft.dev/release/provider/mesh"
	"weft.dev/release/strategy"
	"weft.dev/scope"
	"weft.dev/source/host"
	"weft.dev/store"
	"weft.dev/store/serve"
	"weft.dev/tap"
	"weft.dev/topology"
	"weft.dev/trace"
	"weft.dev/translate"
	"weft.dev/xds"
)

// mesh is the wired control plane. The order of its construction is the order
// of the data: objects, rows, views, sessions.
type mesh struct {
	street
	log       *slog.Logger
	front     front
	authority identity.Authority
	guests    *guests // nil: every proxy has an agent
	recorder  *scope.Recorder
	proxies   *flow.Source[model.Proxy]
	problems  *flow.Collection[model.Problem]
	sessions  *xds.Server
	hosts     *host.Server
	edges     *metrics.Edges // what the proxies say that are connected here
	seen      *metrics.Edges // what people see: the same, and what other replicas hear
	strangers *metrics.Strangers
	past      topology.History // of what is seen
	taps      *tap.Hub
	limits    *limits
	verdicts  *metrics.Verdicts
	full      *fullStats
	shared    *shared // nil: this is the only server
	others    func() map[string]other
	changes   changes
	traces    *trace.Store
	spans     *trace.Intake

	previewKeys *flow.Source[model.PreviewKey]
	record      func(serve.Mutation) error // of what is no object's change; nil: there is no audit
	// applications are those of a namespace. The function is nil where there are files: who asks there is an administrator.
	applications func(ctx context.Context, namespace string) ([]*v1alpha1.Application, error)

	named    map[string]instances.Provider // programs that run versions
	known    facts                         // what this server knows of them, for releases
	releases *release.Engine               // nil: nobody writes releases
	lists    *lists                        // the same for people, in short
	may      may                           // who asks; not where nobody writes releases
	more     []func(context.Context) error // duties of the leader
	served   []func(context.Context) error // what each server does
	serving  chan struct{}                 // closed once agents can come
}

func newMesh(graph *flow.Graph, from front, authority identity.Authority, flags serveFlags, log *slog.Logger) *mesh {
	m := &mesh{strangers: metrics.NewStrangers(), verdicts: metrics.NewVerdicts(), log: log, front: from, authority: authority, named: flags.named, lists: newLists(), serving: make(chan struct{})}
	var more *flow.Source[model.Workload]
	if flags.plaintext != "" {
		more = flow.NewSource[model.Workload](graph, "workloads without agent")
	}
	m.previewKeys = flow.NewSource[model.PreviewKey](graph, "keys of previews")
	named := newFetched(graph)
	m.street = newStreet(graph, from.objects, streetOptions{
		Options: translate.Options{TrustDomain: flags.trustDomain, Pods: from.pods}, previews: m.previewKeys.Collection, keySets: named.keySets.Collection, modules: named.modules.Collection,
		tracing: model.Tracing{Percent: flags.traces.sample, B3: flags.traces.b3},
	}, more)
	if more != nil {
		m.guests = newGuests(graph, more, m.rows.Replicas)
	}
	m.edges = metrics.NewEdges(m.hidden)
	m.seen = m.edges
	if from.pods != nil {
		m.shareReports()
	}
	m.recorder = scope.NewRecorder(scope.RecorderOptions{
		Graph: m.graph, Scopes: m.scopes, Learned: m.learned, Memory: from.memory,
		Calls: m.calls, Now: time.Now, Log: m.log,
	})
	m.proxies = flow.NewSource[model.Proxy](m.graph, "proxies")
	newBlame(m.street).follow(m.proxies.Collection)
	m.problems = flow.Union("all problems", m.rows.Problems, m.compiled.Problems, refusals(m.proxies.Collection), from.problems)
	from.tell(m.problems)
	if from.state != nil {
		from.state(m.rows.Statuses(from.addresses))
	}
	m.wireTraces(flags)
	m.sessions = m.newSessions()
	m.wireLimits(flags.limits)
	m.hosts = m.newHosts()
	m.taps = tap.NewHub(m.askToTell)
	m.full = newFullStats(m.hosts.Full)
	m.served = append(m.served, m.renewKeys, m.remember, m.askAgain)
	m.wireFetched(named, flags)
	return m
}

func (m *mesh) newSessions() *xds.Server {
	return xds.NewServer(xds.Options{
		Views:        xds.GraphViews(m.graph, m.compiled.Outlines, m.compiled.Layers, m.compiled.ScopeOf, m.compiled.Families),
		Authenticate: m.authenticate,
		Graph:        m.graph,
		Proxies:      m.proxies,
		Asks:         m.asks,
		CrowdServed:  collect,
		Limits:       xds.Limits{Linger: xds.Linger},
	})
}

// remember keeps who calls whom, for those who look later.
func (m *mesh) remember(ctx context.Context) error {
	return every(ctx, topology.Pace, func() {
		now := time.Now()
		m.past.Record(m.seen.Recent(topology.Pace, now), now)
	})
}

// calls are those that the proxies reported since a time.
func (m *mesh) calls(since time.Time) []scope.Call {
	accounts := m.serviceAccounts()
	var all []scope.Call
	for _, c := range m.edges.Calls(since) {
		called := scope.Account{Namespace: c.Namespace, Name: c.App}
		named := accounts[called]
		if len(named) == 0 {
			named = []string{c.App}
		}
		for _, called.Name = range named {
			all = append(all, scope.Call{Account: called, Host: c.Host})
		}
	}
	return all
}

// serviceAccounts are those of applications in pods.
func (m *mesh) serviceAccounts() map[scope.Account][]string {
	all := map[scope.Account][]string{}
	for _, w := range m.replicas.All() {
		app := scope.Account{Namespace: w.Namespace, Name: w.App}
		if w.ServiceAccount != "" && w.App != "" && !slices.Contains(all[app], w.ServiceAccount) {
			all[app] = append(all[app], w.ServiceAccount)
		}
	}
	return all
}

// authenticate lets an agent have the configuration of the workload that it
// registered, and of no other.
func (m *mesh) authenticate(ctx context.Context, node xds.Node) (string, error) {
	if isPlaintext(ctx) {
		return m.guests.welcome(ctx, node)
	}
	namespace, name, _ := strings.Cut(node.ID, "/")
	return node.ID, m.hosts.Proxy(ctx, namespace, name)
}

func (m *mesh) newHosts() *host.Server {
	var machines host.Machines
	if m.front.hosted != nil {
		machines = m.front.hosted
		m.more = append(m.more, m.front.hosted.Run)
	}
	return host.New(host.Options{
		Machines:  machines,
		Authority: m.authority,
		Cluster:   m.front.cluster,
		Workloads: m.front.workloads,
		Traffic: func(w model.Registration, r model.TrafficReport) {
			r.Limits = m.limits.trusted(w.Namespace+"/"+w.Name, r.Limits)
			m.reported(heardReport{m.sourceOf(w), w.Namespace + "/" + w.Name, r})
		},
		Spans:  m.told,
		Limits: m.limits.answer,
		Tapped: func(workload string, t model.Tapped) { m.taps.Heard(workload, t, m.complete) },
		Problem: func(group, text string) {
			if text != "" {
				m.log.Warn(text, "workloads", group)
			}
		},
		Now: time.Now,
		Log: m.log,
	})
}

// sourceOf is whose calls a workload's proxy counts. A pod says nothing of
// itself: its labels do.
func (m *mesh) sourceOf(r model.Registration) metrics.End {
	source := metrics.End{Namespace: r.Namespace, App: cmp.Or(r.Gateway, r.App), Version: r.Version}
	if r.ServiceAccount == "" {
		return source
	}
	w, _ := m.workload(r.Namespace + "/" + r.Name)
	source.App, source.Version = cmp.Or(w.Gateway, w.App, r.ServiceAccount), w.Version
	return source
}

// hidden are the statuses that a fallback of the host keeps from its callers.
func (m *mesh) hidden(host string) []uint32 {
	fallback, _ := m.rows.Fallbacks.Get(host)
	return fallback.Replaces()
}

// newReleases is part of the wiring.
func (m *mesh) newReleases(client *store.Client) *release.Engine {
	m.known = facts{newArrivals(m.objects), newRunning(m.graph, m.replicas), m.edges, m.sessions.Applied}
	var known provider.Mesh = m.known
	if m.front.pods != nil {
		replicas := m.newReplicas(m.known)
		m.more = append(m.more, replicas.run)
		known = replicas
	}
	known = returning{known, func() int { _, healthy := m.instances(); return healthy }, time.Now().Add(comeBack), time.Now}
	errors, rails := judge.ErrorRate{}, m.newRails(client)
	m.applications = rails.applications.List
	m.may = may{rails}
	all := store.For[v1alpha1.Release](client, api.Release)
	m.served = append(m.served, m.lists.follow(client)...)
	return release.NewEngine(release.Options{
		Releases:     all,
		Applications: store.For[v1alpha1.Application](client, api.Application),
		Strategies: map[v1alpha1.StrategyType]release.Strategy{
			v1alpha1.Canary:     strategy.Canary(errors),
			v1alpha1.BlueGreen:  strategy.BlueGreen(errors),
			v1alpha1.Rolling:    strategy.Rolling(errors),
			v1alpha1.Highlander: strategy.Highlander(errors),
			v1alpha1.Recreate:   strategy.Recreate(errors),
			release.Undo:        strategy.Undo(),
		},
		Versions: newRecords(client),
		Provider: provider.New(
			store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit),
			known),
		Instances: m.newPlaces(client),
		Hold:      rails.hold,
		Object:    rails.object,
		Delete:    all.Delete,
		Now:       time.Now,
		Log:       m.log,
	})
}

// run works until ctx ends. Nothing is served to proxies before everything
// that is stored has been read: half of a mesh would be an outage.
func (m *mesh) run(ctx context.Context, flags serveFlags) error {
	m.showKeys()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.front.run(ctx) })
	group.Go(func() error {
		select {
		case <-m.front.synced:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := m.recorder.Load(ctx); err != nil {
			return err
		}
		time.AfterFunc(m.front.settles, debug.FreeOSMemory) // what starting took and serving does not need
		group.Go(func() error { return m.front.lead(ctx, m.duties) })
		group.Go(func() error { return m.recorder.Run(ctx) })
		for _, serve := range m.served {
			group.Go(func() error { return serve(ctx) })
		}
		if m.guests != nil {
			group.Go(func() error { return m.servePlaintext(ctx, flags.plaintext) })
		}
		return m.serveAgents(ctx, flags.mesh)
	})
	return group.Wait()
}

// duties are what one server does for all, until ctx ends.
func (m *mesh) duties(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.hosts.Run(ctx) })
	if m.front.duties != nil {
		group.Go(func() error { return m.front.duties(ctx) })
	}
	for _, duty := range m.more {
		group.Go(func() error { return duty(ctx) })
	}
	if m.releases != nil {
		group.Go(func() error { return m.releases.Run(ctx) })
	}
	return group.Wait()
}

// alone leads without asking anybody.
func alone(ctx context.Context, duties func(context.Context) error) error { return duties(ctx) }

// announce says that the mesh serves, once it does.
func (m *mesh) announce(ctx context.Context, text string) {
	select {
	case <-m.serving:
		fmt.Fprintln(os.Stderr, text)
		if err := notify.Send(notify.Ready); err != nil {
			m.log.Warn("nobody knows that the server is ready", "why", err)
		}
	case <-ctx.Done():
	}
}

func (m *mesh) serveAgents(ctx context.Context, address string) error {
	server := grpc.NewServer(append(xds.ServerOptions(), grpc.Creds(credentials.NewTLS(m.authority.CA.ServerTLS())))...)
	m.hosts.Register(server)
	m.sessions.Register(server)
	if m.front.pods != nil {
		registerFacts(server, m.known, m.shared, m.limits)
	}
	return serveGRPC(ctx, server, address, "--mesh", func() { close(m.serving) }, m.front.callers)
}
