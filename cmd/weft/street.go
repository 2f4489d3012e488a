package main

import (
	"weft.dev/api"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/translate"
	"weft.dev/translate/join"
)

// street is the way from objects to views: the one that `weft serve` serves and
// `weft plan` compares. The order of its construction is the order of the data.
type street struct {
	graph    *flow.Graph
	objects  *flow.Collection[api.Object]
	rows     *join.Mesh
	replicas *flow.Collection[model.Replicas] // of the workloads that are registered, and of more
	asks     *flow.Source[model.Ask]
	learned  *flow.Source[model.Learned]
	spoiled  *flow.Source[model.Spoiled]
	scopes   *scope.Scopes
	compiled *compile.Compiled
}

// streetOptions hold for the whole mesh.
type streetOptions struct {
	translate.Options
	previews *flow.Collection[model.PreviewKey] // nil: no gateway verifies any
	tracing  model.Tracing                      // of proxies of which nobody says more
	keySets  *flow.Collection[model.KeySet]     // of those who issue tokens; nil: nobody asks for any
	modules  *flow.Collection[model.Module]     // code of plugins; nil: nobody asks for any
	alone    bool                               // no server will serve it: see compile.Options and scope.Inputs
}

// newStreet wires it; more, if not nil, are workloads that did not register.
func newStreet(graph *flow.Graph, objects *flow.Collection[api.Object], options streetOptions, more *flow.Source[model.Workload]) street {
	s := street{graph: graph, objects: objects, rows: translate.New(objects, options.Options)}
	s.replicas = s.rows.Replicas
	if more != nil {
		s.replicas = flow.Union("all replicas", s.rows.Replicas, scope.Singles(more.Collection))
	}
	s.asks = flow.NewSource[model.Ask](graph, "asks")
	s.learned = flow.NewSource[model.Learned](graph, "learned")
	s.spoiled = flow.NewSource[model.Spoiled](graph, "spoiled")
	s.scopes = scope.New(scope.Inputs{
		Replicas: s.replicas, Services: s.rows.Services, Routes: s.rows.Routes,
		Egresses: s.rows.Egresses, Declared: s.rows.Declared, Learned: s.learned.Collection, Asks: s.asks.Collection,
		Alone: options.alone,
	})
	s.compiled = compile.New(graph, compile.Inputs{
		Services: s.rows.Services, Replicas: s.replicas, Cohorts: s.scopes.Cohorts, RouteTables: s.rows.Routes,
		Policies: s.rows.Policies, Splits: s.rows.Splits, Concurrencies: s.rows.Concurrencies, Inbounds: s.rows.Inbounds,
		Gateways: s.rows.Gateways, Certificates: s.rows.Certificates, PeerAuths: s.rows.PeerAuths, RateLimits: s.rows.RateLimits, EnvoyFilters: s.rows.EnvoyFilters, Authorizations: s.rows.Authorizations,
		RequestAuths: s.rows.RequestAuths, Telemetries: s.rows.Telemetries, Authorizers: s.rows.Authorizers, Plugins: s.rows.Plugins,
		KeySets: options.keySets, Modules: options.modules, Known: s.scopes.Known, Previews: options.previews, Spoiled: s.spoiled.Collection,
	}, compile.Options{TrustDomain: options.TrustDomain, Alone: options.alone, Tracing: options.tracing})
	return s
}

// workload is one by its key.
func (s street) workload(key string) (model.Workload, bool) {
	return among(s.graph, s.scopes.Families, key)
}

// workloads are all of them, by key.
func (s street) workloads() []model.Workload { return model.Workloads(s.replicas.All()) }

// among finds a workload by its key.
func among(g *flow.Graph, families *flow.Index[model.Replicas], key string) (w model.Workload, ok bool) {
	g.View(func(x *flow.Ctx) { w, ok = model.Among(flow.Lookup(x, families, model.Family(key)), key) })
	return w, ok
}
