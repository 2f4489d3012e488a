package compile

import (
	"encoding/json"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// Inputs are the rows that views follow from.
type Inputs struct {
	Services       *flow.Collection[model.Service]
	Workloads      *flow.Collection[model.Workload]
	RouteTables    *flow.Collection[model.RouteTable]
	Policies       *flow.Collection[model.Policy]
	Splits         *flow.Collection[model.Split]
	Fallbacks      *flow.Collection[model.Fallback]
	Gateways       *flow.Collection[model.Gateway]
	PeerAuths      *flow.Collection[model.PeerAuth]
	Authorizations *flow.Collection[model.Authorization]
}

// Options hold for the whole mesh.
type Options struct {
	TrustDomain string // of the identities, e.g. "cluster.local"
}

// Compiled is what follows from the inputs.
type Compiled struct {
	Views    *flow.Collection[*model.View]      // by scope
	ScopeOf  *flow.Collection[model.Assignment] // by workload
	Problems *flow.Collection[model.Problem]
}

// compiler holds what the derivations share. Its fields stand in the order in
// which they are made, which is the order in which a change passes them.
type compiler struct {
	Inputs
	Options
	intern *interner

	workloadsByLabel *flow.Index[model.Workload]
	policiesByHost   *flow.Index[model.Policy]
	tablesByHost     *flow.Index[model.RouteTable]
	tablesByGateway  *flow.Index[model.RouteTable]
	guardsByScope    *flow.Index[model.Authorization] // by namespace
	peersByScope     *flow.Index[model.PeerAuth]      // by namespace

	accounts     *flow.Collection[accounts]
	destinations *flow.Collection[destination]
	hosts        *flow.Collection[virtualHost]
	callers      *flow.Collection[caller]
	placements   *flow.Collection[placement]
	scopes       *flow.Collection[scope]
}

// New wires the derivations of the inputs' graph.
func New(in Inputs, o Options) *Compiled {
	c := &compiler{Inputs: in, Options: o, intern: newInterner()}
	c.index()
	c.accounts = flow.Derive(in.Services, "compile/accounts", c.serviceAccounts)
	c.destinations = flow.Derive(in.Services, "compile/destinations", c.serviceDestinations)
	clusters := flow.Derive(c.destinations, "compile/clusters", c.clusterOf)
	endpoints := flow.Derive(c.destinations, "compile/endpoints", c.endpointsOf)
	c.hosts = flow.Derive(in.Services, "compile/hosts", c.serviceHosts)
	c.callers = flow.Group(flow.NewIndex(in.RouteTables, conditionKeys), "compile/callers", callerOf)
	c.placements = flow.Derive(in.Workloads, "compile/placements", c.placeWorkload)
	c.scopes = flow.Group(flow.NewIndex(c.placements, func(p placement) []string { return []string{p.Scope.Key()} }),
		"compile/scopes", func(_ *flow.Ctx, _ string, all []placement) *scope { return &all[0].Scope })
	layers := c.layers(clusters, endpoints)
	return &Compiled{
		Views: flow.Derive(c.scopes, "compile/views", layers.view),
		ScopeOf: flow.Derive(c.placements, "compile/scopeof", func(_ *flow.Ctx, p placement) []model.Assignment {
			return []model.Assignment{{Proxy: p.Proxy, Scope: p.Scope.Key()}}
		}),
		Problems: problems(
			flow.Derive(c.hosts, "compile/reports/hosts", func(_ *flow.Ctx, v virtualHost) []report { return reportOf(v.Key(), v.Problems) }),
			flow.Derive(layers.outbound, "compile/reports/outbound", reportLayer),
			flow.Derive(layers.gateway, "compile/reports/gateway", reportLayer),
		),
	}
}

func (c *compiler) index() {
	c.workloadsByLabel = flow.NewIndex(c.Workloads, func(w model.Workload) []string {
		var all []string
		for k, v := range w.Labels {
			all = append(all, labelKey(w.Namespace, k, v))
		}
		return all
	})
	c.policiesByHost = flow.NewIndex(c.Policies, func(p model.Policy) []string { return []string{p.Host} })
	c.tablesByHost = flow.NewIndex(c.RouteTables, func(t model.RouteTable) []string {
		if !slices.Contains(t.Gateways, model.Mesh) {
			return nil
		}
		return t.Hosts
	})
	c.tablesByGateway = flow.NewIndex(c.RouteTables, func(t model.RouteTable) []string { return t.Gateways })
	c.guardsByScope = flow.NewIndex(c.Authorizations, func(a model.Authorization) []string { return []string{a.Namespace} })
	c.peersByScope = flow.NewIndex(c.PeerAuths, func(p model.PeerAuth) []string { return []string{p.Namespace} })
}

func labelKey(namespace, label, value string) string { return namespace + "|" + label + "=" + value }

// candidatesFor may serve the service: those that have one label of its selector.
func (c *compiler) candidatesFor(x *flow.Ctx, s model.Service) []model.Workload {
	if s.Resolution != model.ByWorkload || len(s.Selector) == 0 {
		return nil
	}
	label := "app"
	if _, ok := s.Selector[label]; !ok {
		label = model.SortedKeys(s.Selector)[0]
	}
	return flow.Lookup(x, c.workloadsByLabel, labelKey(s.Namespace, label, s.Selector[label]))
}

// world is what routes may ask, each answer being a recorded read.
func (c *compiler) world(x *flow.Ctx) world {
	return world{
		service: func(host string) (model.Service, bool) { return flow.Get(x, c.Services, host) },
		policy:  func(host string) model.Policy { return c.policyOf(x, host) },
		split:   func(host string) *model.Split { return found(flow.Get(x, c.Splits, host)) },
		fallback: func(host string) *model.Fallback {
			return found(flow.Get(x, c.Fallbacks, host))
		},
	}
}

func found[V any](v V, ok bool) *V {
	if !ok {
		return nil
	}
	return &v
}

func (c *compiler) policyOf(x *flow.Ctx, host string) model.Policy {
	for _, pattern := range patterns(host) {
		if all := flow.Lookup(x, c.policiesByHost, pattern); len(all) > 0 {
			return mergePolicies(all)
		}
	}
	return model.Policy{}
}

// meshTables are those of the most specific pattern that names the host.
func (c *compiler) meshTables(x *flow.Ctx, host string) []model.RouteTable {
	for _, pattern := range patterns(host) {
		if all := flow.Lookup(x, c.tablesByHost, pattern); len(all) > 0 {
			return all
		}
	}
	return nil
}

// accounts are the identities behind a host. Key: host.
type accounts struct {
	Host string
	IDs  []string
}

func (a accounts) Key() string           { return a.Host }
func (a accounts) Equal(o accounts) bool { return slices.Equal(a.IDs, o.IDs) }

func (c *compiler) serviceAccounts(x *flow.Ctx, s model.Service) []accounts {
	return []accounts{{Host: s.Host, IDs: accountsOf(c.TrustDomain, s, c.candidatesFor(x, s))}}
}

func (c *compiler) serviceDestinations(x *flow.Ctx, s model.Service) []destination {
	return destinations(s, c.policyOf(x, s.Host), found(flow.Get(x, c.Splits, s.Host)))
}

func (c *compiler) clusterOf(x *flow.Ctx, d destination) []piece {
	a, _ := flow.Get(x, c.accounts, d.Service.Host)
	return []piece{{c.intern.resource(model.TypeCluster, d.Key(), cluster(d, a.IDs), nil, d.From...)}}
}

func (c *compiler) endpointsOf(x *flow.Ctx, d destination) []piece {
	if d.Service.Resolution == model.ByDNS {
		return nil
	}
	return []piece{{c.intern.resource(model.TypeEndpoint, d.Key(), endpoints(d, c.candidatesFor(x, d.Service)), nil, d.From...)}}
}

func (c *compiler) serviceHosts(x *flow.Ctx, s model.Service) []virtualHost {
	return virtualHosts(c.world(x), s, c.meshTables(x, s.Host))
}

// caller is a condition that some mesh route has. Key: its content.
type caller struct {
	key  string
	When condition
}

func (c caller) Key() string         { return c.key }
func (c caller) Equal(o caller) bool { return c == o }

func conditionKeys(t model.RouteTable) []string {
	var all []string
	for _, rule := range t.Rules {
		for _, m := range rule.Matches {
			if when := conditionOf(m); !when.isZero() {
				key, _ := json.Marshal(when) // three strings
				all = append(all, string(key))
			}
		}
	}
	return all
}

func callerOf(_ *flow.Ctx, key string, _ []model.RouteTable) *caller {
	c := caller{key: key}
	if json.Unmarshal([]byte(key), &c.When) != nil {
		return nil
	}
	return &c
}

func (c *compiler) placeWorkload(x *flow.Ctx, w model.Workload) []placement {
	s := selectors{trust: c.TrustDomain}
	for _, namespace := range []string{"", w.Namespace} {
		s.guards = append(s.guards, flow.Lookup(x, c.guardsByScope, namespace)...)
		s.peers = append(s.peers, flow.Lookup(x, c.peersByScope, namespace)...)
	}
	for _, caller := range flow.All(x, c.callers) {
		s.callers = append(s.callers, caller.When)
	}
	if w.Gateway != "" {
		s.gateways = flow.All(x, c.Gateways)
	}
	return []placement{s.place(w)}
}
