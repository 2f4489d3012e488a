package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
	"weft.dev/release/judge"
	provider "weft.dev/release/provider/mesh"
	"weft.dev/release/strategy"
	"weft.dev/source/host"
	objectsource "weft.dev/source/store"
	"weft.dev/store"
	"weft.dev/translate"
	"weft.dev/translate/join"
	"weft.dev/xds"
)

// mesh is the wired control plane. The order of its construction is the order
// of the data: objects, rows, views, sessions.
type mesh struct {
	log       *slog.Logger
	client    *store.Client
	authority identity.Authority
	graph     *flow.Graph
	objects   *objectsource.Source
	rows      *join.Mesh
	compiled  *compile.Compiled
	proxies   *flow.Source[model.Proxy]
	problems  *flow.Collection[model.Problem]
	statuses  *store.StatusWriter
	sessions  *xds.Server
	hosts     *host.Server
	edges     *metrics.Edges
	releases  *release.Engine
	serving   chan struct{} // closed once agents can come
}

func newMesh(client *store.Client, authority identity.Authority, trustDomain string, log *slog.Logger) *mesh {
	m := &mesh{log: log, client: client, authority: authority, serving: make(chan struct{})}
	m.graph = flow.New(flow.Options{KeepLastGood: true})
	m.objects = objectsource.New(client, m.graph, kinds()...)
	m.rows = translate.New(m.objects.Collection, translate.Options{TrustDomain: trustDomain})
	m.compiled = compile.New(m.graph, compile.Inputs{
		Services: m.rows.Services, Workloads: m.rows.Workloads, RouteTables: m.rows.Routes,
		Policies: m.rows.Policies, Splits: m.rows.Splits, Fallbacks: m.rows.Fallbacks,
		Gateways: m.rows.Gateways, PeerAuths: m.rows.PeerAuths, Authorizations: m.rows.Authorizations,
	}, compile.Options{TrustDomain: trustDomain})
	m.edges = metrics.NewEdges(m.hidden)
	m.proxies = flow.NewSource[model.Proxy](m.graph, "proxies")
	m.problems = flow.Union("all problems", m.rows.Problems, m.compiled.Problems, refusals(m.proxies.Collection))
	m.statuses = store.NewStatusWriter(client, time.Now, log)
	writeProblems(m.problems, m.statuses)
	m.sessions = m.newSessions()
	m.hosts = m.newHosts()
	m.releases = m.newReleases()
	return m
}

// kinds are those that the mesh is made of; releases watch theirs themselves.
func kinds() []api.Kind {
	var all []api.Kind
	for _, info := range api.Kinds() {
		switch info.Kind {
		case api.Release, api.ConfigMap, api.EndpointSlice:
		default:
			all = append(all, info.Kind)
		}
	}
	return all
}

func (m *mesh) newSessions() *xds.Server {
	return xds.NewServer(xds.Options{
		Views:        xds.GraphViews(m.graph, m.compiled.Outlines, m.compiled.Layers, m.compiled.ScopeOf),
		Authenticate: m.authenticate,
		Graph:        m.graph,
		Proxies:      m.proxies,
	})
}

// authenticate lets an agent have the configuration of the workload that it
// registered, and of no other.
func (m *mesh) authenticate(ctx context.Context, node string) (string, error) {
	namespace, name, _ := strings.Cut(node, "/")
	return node, m.hosts.Proxy(ctx, namespace, name)
}

func (m *mesh) newHosts() *host.Server {
	return host.New(host.Options{
		Authority: m.authority,
		Workloads: newWorkloads(m.client),
		Traffic: func(w model.Registration, r model.TrafficReport) {
			source := metrics.End{Namespace: w.Namespace, App: w.App, Version: w.Version}
			if w.Gateway != "" {
				source.App = w.Gateway
			}
			m.edges.Record(source, r, time.Now())
		},
		Problem: func(group, text string) {
			if text != "" {
				m.log.Warn(text, "workloads", group)
			}
		},
		Now: time.Now,
		Log: m.log,
	})
}

// hidden are the statuses that a fallback of the host keeps from its callers.
func (m *mesh) hidden(host string) []uint32 {
	fallback, _ := m.rows.Fallbacks.Get(host)
	return fallback.On
}

func (m *mesh) newReleases() *release.Engine {
	known := facts{newArrivals(m.objects.Collection), m.edges, m.sessions.Applied}
	errors := judge.ErrorRate{}
	return release.NewEngine(release.Options{
		Releases:     store.For[v1alpha1.Release](m.client, api.Release),
		Applications: store.For[v1alpha1.Application](m.client, api.Application),
		Strategies: map[v1alpha1.StrategyType]release.Strategy{
			v1alpha1.Canary:    strategy.Canary(errors),
			v1alpha1.BlueGreen: strategy.BlueGreen(errors),
		},
		Provider: provider.New(
			store.For[v1alpha1.TrafficSplit](m.client, api.TrafficSplit),
			store.For[v1alpha1.Workload](m.client, api.Workload),
			known),
		Now: time.Now,
		Log: m.log,
	})
}

// run works until ctx ends. Nothing is served to proxies before everything
// that is stored has been read: half of a mesh would be an outage.
func (m *mesh) run(ctx context.Context, meshAddress string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return m.objects.Run(ctx) })
	group.Go(func() error { return m.statuses.Run(ctx) })
	group.Go(func() error {
		select {
		case <-m.objects.Synced():
		case <-ctx.Done():
			return ctx.Err()
		}
		time.AfterFunc(settleTime, debug.FreeOSMemory) // what starting took and serving does not need
		group.Go(func() error { return m.hosts.Run(ctx) })
		group.Go(func() error { return m.releases.Run(ctx) })
		return m.serveAgents(ctx, meshAddress)
	})
	return group.Wait()
}

// settleTime is how long the store's own start-up work goes on.
const settleTime = 8 * time.Second

func (m *mesh) serveAgents(ctx context.Context, address string) error {
	server := grpc.NewServer(append(xds.ServerOptions(), grpc.Creds(credentials.NewTLS(m.authority.CA.ServerTLS())))...)
	m.hosts.Register(server)
	m.sessions.Register(server)
	return serveGRPC(ctx, server, address, func() { close(m.serving) })
}
