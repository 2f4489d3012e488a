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
	graph     *flow.Graph
	objects   *flow.Collection[api.Object]
	rows      *join.Mesh
	workloads *flow.Collection[model.Workload] // those that are registered, and more
	asks      *flow.Source[model.Ask]
	learned   *flow.Source[model.Learned]
	scopes    *scope.Scopes
	compiled  *compile.Compiled
}

// streetOptions hold for the whole mesh.
type streetOptions struct {
	translate.Options
	alone bool // no server will serve it: see compile.Options and scope.Inputs
}

// newStreet wires it; more, if not nil, are workloads that did not register.
func newStreet(graph *flow.Graph, objects *flow.Collection[api.Object], options streetOptions, more func(registered *flow.Collection[model.Workload]) *flow.Collection[model.Workload]) street {
	s := street{graph: graph, objects: objects, rows: translate.New(objects, options.Options)}
	s.workloads = s.rows.Workloads
	if more != nil {
		s.workloads = flow.Union("all workloads", s.rows.Workloads, more(s.rows.Workloads))
	}
	s.asks = flow.NewSource[model.Ask](graph, "asks")
	s.learned = flow.NewSource[model.Learned](graph, "learned")
	s.scopes = scope.New(scope.Inputs{
		Workloads: s.workloads, Services: s.rows.Services, Routes: s.rows.Routes,
		Egresses: s.rows.Egresses, Declared: s.rows.Declared, Learned: s.learned.Collection, Asks: s.asks.Collection,
		Alone: options.alone,
	})
	s.compiled = compile.New(graph, compile.Inputs{
		Services: s.rows.Services, Workloads: s.workloads, Cohorts: s.scopes.Cohorts, RouteTables: s.rows.Routes,
		Policies: s.rows.Policies, Splits: s.rows.Splits, Fallbacks: s.rows.Fallbacks,
		Gateways: s.rows.Gateways, Certificates: s.rows.Certificates, PeerAuths: s.rows.PeerAuths, Authorizations: s.rows.Authorizations,
		Known: s.scopes.Known,
	}, compile.Options{TrustDomain: options.TrustDomain, Alone: options.alone})
	return s
}
