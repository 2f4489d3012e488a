package compile

import (
	"encoding/json"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// Options hold for the whole mesh.
type Options struct {
	TrustDomain string // of the identities, e.g. "cluster.local"
	// Alone: there is no server that gives proxies an identity. They speak plain
	// text to each other, and no view names a certificate of the mesh.
	Alone bool
	// Tracing is what proxies do that nobody says more of.
	Tracing model.Tracing
}

// Compiled is what follows from the inputs.
type Compiled struct {
	Outlines *flow.Collection[*model.Outline]   // of views, by scope
	Layers   *flow.Collection[*model.Layer]     // of which views are made, by name
	ScopeOf  *flow.Collection[model.Assignment] // by replicas
	Families *flow.Index[model.Assignment]      // of ScopeOf: see model.ScopeOf
	Problems *flow.Collection[model.Problem]

	graph        *flow.Graph
	layers       *layers
	destinations *flow.Collection[destination]
	accounts     *flow.Collection[accounts]
	peers        *flow.Index[model.PeerAuth] // by namespace
}

// compiler holds what the derivations share. Its fields stand in the order in
// which they are made, which is the order in which a change passes them.
type compiler struct {
	Inputs
	Options
	intern *interner

	replicasByLabel *flow.Index[model.Replicas]
	replicasNear    *flow.Index[model.Replicas] // by neighbourhood of their proxies
	policiesByHost  *flow.Index[model.Policy]
	tablesByHost    *flow.Index[model.RouteTable]
	connectionsAt   *flow.Index[model.RouteTable]    // by gateway
	guardsByScope   *flow.Index[model.Authorization] // by namespace
	tokensByScope   *flow.Index[model.RequestAuth]   // by namespace
	tellsByScope    *flow.Index[model.Telemetry]     // by namespace
	peersByScope    *flow.Index[model.PeerAuth]      // by namespace
	concurrencies   *flow.Index[model.Concurrency]   // by namespace
	inbounds        *flow.Index[model.Inbound]       // by namespace
	limitsAt        *flow.Index[model.RateLimit]     // by what they are for
	filtersByScope  *flow.Index[model.EnvoyFilter]   // by namespace
	pluginsByScope  *flow.Index[model.Plugin]        // by namespace

	shapes       *flow.Collection[shape]
	accounts     *flow.Collection[accounts]
	destinations *flow.Collection[destination]
	interests    *flow.Collection[interest]
	scattered    *flow.Collection[scattered]
	scatteredOf  *flow.Index[destination] // by host

	hosts        *flow.Collection[virtualHost]
	hostsOf      *flow.Index[virtualHost] // by service
	hostsOnShelf *flow.Index[virtualHost] // by place on a shelf
	claims       *flow.Index[virtualHost] // by domain, those for all callers
	shortNames   *flow.Index[virtualHost] // by domain, those for callers of one namespace
	contests     *flow.Collection[contest]
	hostsFor     [2]*flow.Collection[piece] // by whether the caller is at home in the service's namespace
	facts        *flow.Collection[facts]
	passages     *flow.Collection[passage]
	passagesOf   *flow.Index[passage] // by service
	httpPorts    *flow.Collection[httpPort]

	callers     *flow.Collection[caller]
	placements  *flow.Collection[placement]
	scopes      *flow.Collection[scope]
	credentials *flow.Collection[credential]
	provenTo    *flow.Index[destination] // that name a credential, by host
	spaces      *flow.Collection[space]
	callerSets  *flow.Collection[callerSet]
	places      *flow.Collection[place]
}

// New wires the derivations of the inputs' graph.
func New(g *flow.Graph, in Inputs, o Options) *Compiled {
	in = in.whole(g)
	c := &compiler{Inputs: in, Options: o, intern: newInterner()}
	c.index()
	c.shapes = flow.Derive(in.Services, "compile/shapes", shapeOf)
	c.accounts = flow.Derive(in.Services, "compile/accounts", c.serviceAccounts)
	c.destinations = flow.Derive(c.shapes, "compile/destinations", c.serviceDestinations)
	c.wireScattered()
	c.wireHosts()
	c.wireScopes()
	c.wireCredentials()
	layers := c.layers()
	outlines := flow.Derive(c.scopes, "compile/outlines", layers.outline)
	variants := layers.variants(outlines)
	scopeOf := flow.Derive(c.Replicas, "compile/scopeof", c.assign)
	return &Compiled{
		Outlines: outlines,
		Layers: flow.Union("compile/layers of all", layers.all,
			flow.Derive(variants, "compile/layers/patched", func(_ *flow.Ctx, v variant) []*model.Layer { return []*model.Layer{v.Layer} })),
		ScopeOf:  scopeOf,
		Families: flow.NewIndex(scopeOf, model.Assignment.Families),
		Problems: problems(
			flow.Derive(c.hosts, "compile/reports/hosts", func(_ *flow.Ctx, v virtualHost) []report { return reportOf(v.Key(), v.Problems) }),
			flow.Derive(c.hosts, "compile/reports/domains", c.lostDomains),
			flow.Derive(c.scopes, "compile/reports/patches", c.lostPatches),
			flow.Derive(variants, "compile/reports/variants", func(_ *flow.Ctx, v variant) []report { return reportOf(v.Key(), v.problems) }),
			flow.Derive(c.scopes, "compile/reports/authorizers", c.unasked),
			layers.gateways.problems[0], layers.gateways.problems[1],
			flow.Derive(outlines, "compile/reports/credentials", func(x *flow.Ctx, o *model.Outline) []report { return layers.unproven(x, o) }),
			flow.Derive(c.RequestAuths, "compile/reports/tokens", c.tokenReports),
			flow.Derive(c.Plugins, "compile/reports/plugins", c.pluginReports),
		),
		graph: g, layers: layers, destinations: c.destinations, accounts: c.accounts, peers: c.peersByScope,
	}
}

// wireHosts is the way from services and routes to virtual hosts.
func (c *compiler) wireHosts() {
	c.hosts = flow.Derive(c.shapes, "compile/hosts", c.serviceHosts)
	c.hostsOf = flow.NewIndex(c.hosts, func(v virtualHost) []string { return []string{v.Service.Host} })
	c.hostsOnShelf = flow.NewIndex(c.hosts, func(v virtualHost) []string { return []string{shelfPlace(model.ShelfIndex(v.resourceName()))} })
	c.claims = flow.NewIndex(c.hosts, virtualHost.everywhere)
	c.shortNames = flow.NewIndex(c.hosts, virtualHost.withinNamespace)
	c.contests = flow.Group(c.claims, "compile/contests", c.decide)
	c.hostsFor = [2]*flow.Collection[piece]{
		everywhere: flow.Derive(c.hosts, "compile/hosts everywhere", func(x *flow.Ctx, v virtualHost) []piece {
			return pieceOf(c.hostResource(x, v, false, nil))
		}),
		atHome: flow.Derive(c.hosts, "compile/hosts at home", func(x *flow.Ctx, v virtualHost) []piece {
			if !v.Service.hasShortName() {
				return nil
			}
			return pieceOf(c.hostResource(x, v, true, nil))
		}),
	}
	c.facts = flow.Derive(c.shapes, "compile/facts", c.factsOf)
	c.wireRedirection()
}

// wireScopes is the way from workloads to scopes.
func (c *compiler) wireScopes() {
	c.callers = flow.Group(flow.NewIndex(c.RouteTables, conditionKeys), "compile/callers", callerOf)
	c.placements = flow.Derive(c.Cohorts, "compile/placements", c.placeCohort)
	c.scopes = flow.Group(flow.NewIndex(c.placements, func(p placement) []string { return []string{p.Scope.Key()} }),
		"compile/scopes", func(_ *flow.Ctx, _ string, all []placement) *scope { return &all[0].Scope })
	alike := flow.NewIndex(c.scopes, func(s scope) []string {
		if len(s.Callers) == 0 {
			return nil
		}
		return []string{digest(s.Callers)}
	})
	c.callerSets = flow.Group(alike, "compile/caller sets", func(_ *flow.Ctx, key string, sharing []scope) *callerSet {
		return &callerSet{key: key, Holding: sharing[0].Callers}
	})
	c.places = c.placesOf()
}

func pieceOf(r *model.Resource) []piece {
	if r == nil {
		return nil
	}
	return []piece{{r}}
}

func (c *compiler) index() {
	c.replicasByLabel = flow.NewIndex(c.Replicas, func(w model.Replicas) []string {
		var all []string
		for k, v := range w.Labels {
			all = append(all, labelKey(w.Namespace, k, v))
		}
		return all
	})
	c.replicasNear = flow.NewIndex(c.Replicas, model.Replicas.Neighbourhoods)
	c.policiesByHost = flow.NewIndex(c.Policies, func(p model.Policy) []string { return []string{p.Host} })
	c.tablesByHost = flow.NewIndex(c.RouteTables, func(t model.RouteTable) []string {
		if !slices.Contains(t.Gateways, model.Mesh) {
			return nil
		}
		return t.Hosts
	})
	c.connectionsAt = flow.NewIndex(c.RouteTables, func(t model.RouteTable) []string {
		if t.Connections == "" {
			return nil
		}
		return t.Gateways
	})
	c.guardsByScope = flow.NewIndex(c.Authorizations, func(a model.Authorization) []string { return []string{a.Namespace} })
	c.limitsAt = flow.NewIndex(c.RateLimits, func(r model.RateLimit) []string { return []string{limitsPlace(r)} })
	c.tokensByScope = flow.NewIndex(c.RequestAuths, func(a model.RequestAuth) []string { return []string{a.Namespace} })
	c.tellsByScope = flow.NewIndex(c.Telemetries, func(t model.Telemetry) []string { return []string{t.Namespace} })
	c.peersByScope = flow.NewIndex(c.PeerAuths, func(p model.PeerAuth) []string { return []string{p.Namespace} })
	c.concurrencies = flow.NewIndex(c.Concurrencies, func(l model.Concurrency) []string { return []string{l.Namespace} })
	c.inbounds = flow.NewIndex(c.Inbounds, func(i model.Inbound) []string { return []string{i.Namespace} })
	c.pluginsByScope = flow.NewIndex(c.Plugins, func(p model.Plugin) []string { return []string{p.Namespace} })
	c.filtersByScope = flow.NewIndex(c.EnvoyFilters, func(f model.EnvoyFilter) []string { return []string{f.Namespace} })
}

func labelKey(namespace, label, value string) string { return namespace + "|" + label + "=" + value }

// candidatesFor may serve the service: those that have one label of its selector.
func (c *compiler) candidatesFor(x *flow.Ctx, s model.Service) []model.Replicas {
	if s.Resolution != model.ByWorkload || len(s.Selector) == 0 {
		return nil
	}
	label := "app"
	if _, ok := s.Selector[label]; !ok {
		label = model.SortedKeys(s.Selector)[0]
	}
	return flow.Lookup(x, c.replicasByLabel, labelKey(s.Namespace, label, s.Selector[label]))
}

// world is what routes may ask, each answer being a recorded read.
func (c *compiler) world(x *flow.Ctx) world {
	return world{
		service: func(host string) (shape, bool) { return flow.Get(x, c.shapes, host) },
		policy:  func(host string) model.Policy { return c.policyOf(x, host) },
		split:   func(host string) *model.Split { return found(flow.Get(x, c.Splits, host)) },
	}
}

func found[V any](v V, ok bool) *V {
	if !ok {
		return nil
	}
	return &v
}

func (c *compiler) policyOf(x *flow.Ctx, host string) model.Policy {
	all := speaking(x, c, c.policiesByHost, host, func(p model.Policy) model.Key { return p.Object })
	if len(all) == 0 {
		return model.Policy{}
	}
	return mergePolicies(all)
}

// meshTables are those of the most specific pattern that names the host.
func (c *compiler) meshTables(x *flow.Ctx, host string) []model.RouteTable {
	return speaking(x, c, c.tablesByHost, host, func(t model.RouteTable) model.Key { return t.Object })
}

// speaking are the rows of the most specific pattern that says something of a host.
func speaking[V flow.Row[V]](x *flow.Ctx, c *compiler, by *flow.Index[V], host string, object func(V) model.Key) []V {
	s, _ := flow.Get(x, c.shapes, host)
	for _, pattern := range patterns(host) {
		all := flow.Lookup(x, by, pattern)
		if pattern != host {
			all = model.Speaking(all, s.Namespace, object)
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// accounts are the identities behind a host. Key: host.
type accounts struct {
	Host  string
	IDs   []string
	Mixed bool // some instances have no proxy
	Edge  bool // all instances are gateways
}

func (a accounts) Key() string { return a.Host }
func (a accounts) Equal(o accounts) bool {
	return a.Mixed == o.Mixed && a.Edge == o.Edge && slices.Equal(a.IDs, o.IDs)
}

func (c *compiler) serviceAccounts(x *flow.Ctx, s model.Service) []accounts {
	all := c.candidatesFor(x, s)
	gateways, mixed, others := false, false, false
	for _, r := range all {
		if serves(s, r.Workload) {
			gateways = gateways || r.Gateway != ""
			mixed = mixed || r.Gateway != "" || r.Interception == model.NoProxy
			others = others || r.Gateway == ""
		}
	}
	edge := gateways && !others
	return []accounts{{Host: s.Host, IDs: accountsOf(c.TrustDomain, s, all), Mixed: mixed && !edge, Edge: edge}}
}

// behind says what stands before the instances of a destination.
func (c *compiler) behind(x *flow.Ctx, d destination) (destination, accounts) {
	a, _ := flow.Get(x, c.accounts, d.Service.Host)
	d.Mixed, d.Edge = d.Mixed || a.Mixed, a.Edge
	return d, a
}

func (c *compiler) serviceDestinations(x *flow.Ctx, s shape) []destination {
	all := destinations(s, c.policyOf(x, s.Host), found(flow.Get(x, c.Splits, s.Host)))
	for i := range all {
		all[i].Alone = c.Alone
	}
	return all
}

// clusterOf is empty where a cluster is not the same for all callers.
func (c *compiler) clusterOf(x *flow.Ctx, d destination) (all []piece) {
	d, a := c.behind(x, d)
	if d.Traffic.Local == nil || d.Service.Resolution != model.ByDNS {
		all = append(all, c.clusterPiece(d, a))
	}
	if d.Subset == "" && d.byPort() && len(d.Port.TLS.CA) > 0 {
		secret := trustSecret(d.trustName(), model.Certificate{CA: d.Port.TLS.CA})
		all = append(all, piece{c.intern.resource(model.TypeSecret, secret.Name, secret, nil, d.From...)})
	}
	return all
}

func (c *compiler) clusterPiece(d destination, a accounts) piece {
	return piece{c.intern.resource(model.TypeCluster, d.Key(), cluster(d, a.IDs), nil, d.From...)}
}

// endpointsOf are those that all callers have.
func (c *compiler) endpointsOf(x *flow.Ctx, d destination) []piece {
	if d.Traffic.Local != nil {
		return nil
	}
	return c.located(x, d)
}

// located is what of a destination says where it leads.
func (c *compiler) located(x *flow.Ctx, d destination) []piece {
	switch d.Service.Resolution {
	case model.Dynamic:
		return nil
	case model.ByDNS:
		if d.Traffic.Local == nil {
			return nil // it is in the cluster
		}
		d, a := c.behind(x, d)
		return []piece{c.clusterPiece(d, a)}
	}
	s, _ := flow.Get(x, c.Services, d.Service.Host)
	d, _ = c.behind(x, d)
	return []piece{{c.intern.resource(model.TypeEndpoint, d.Key(), endpoints(d, s.Addresses, c.candidatesFor(x, d.Service)), nil, d.From...)}}
}

func (c *compiler) serviceHosts(x *flow.Ctx, s shape) []virtualHost {
	return virtualHosts(c.world(x), s, c.meshTables(x, s.Host))
}

func (c *compiler) factsOf(x *flow.Ctx, s shape) []facts {
	f := facts{Host: s.Host, Namespace: s.Namespace, Short: s.hasShortName(), TLS: s.saysTLS()}
	clusters := map[condition][]string{}
	for _, v := range flow.Lookup(x, c.hostsOf, s.Host) {
		for _, r := range v.Routes {
			clusters[r.when] = append(clusters[r.when], clustersOf(r.route)...)
		}
		for _, when := range v.when() {
			if !slices.Contains(f.When, when) {
				f.When = append(f.When, when)
			}
		}
	}
	for _, when := range append([]condition{{}}, f.When...) {
		f.Needs = append(f.Needs, leading{when, servicesOf(clusters[when]...)})
	}
	return []facts{f}
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

// assign gives replicas the scope of their cohort.
func (c *compiler) assign(x *flow.Ctx, r model.Replicas) []model.Assignment {
	p, ok := flow.Get(x, c.placements, r.Cohort())
	if !ok {
		return nil
	}
	return []model.Assignment{{Replicas: r.ID, Scope: p.Scope.Key(), Instances: r.Instances}}
}

func (c *compiler) placeCohort(x *flow.Ctx, w model.Cohort) []placement {
	s := selectors{trust: c.TrustDomain, alone: c.Alone, tracing: c.Tracing}
	s.service = func(host string) (model.Service, bool) { return flow.Get(x, c.Services, host) }
	for _, namespace := range []string{"", w.Namespace} {
		s.guards = append(s.guards, flow.Lookup(x, c.guardsByScope, namespace)...)
		s.tokens = append(s.tokens, flow.Lookup(x, c.tokensByScope, namespace)...)
		s.telemetries = append(s.telemetries, flow.Lookup(x, c.tellsByScope, namespace)...)
		s.peers = append(s.peers, flow.Lookup(x, c.peersByScope, namespace)...)
		s.plugins = append(s.plugins, flow.Lookup(x, c.pluginsByScope, namespace)...)
		s.filters = append(s.filters, flow.Lookup(x, c.filtersByScope, namespace)...)
		s.inbounds = append(s.inbounds, flow.Lookup(x, c.inbounds, namespace)...)
	}
	for _, label := range flow.All(x, c.interests) {
		s.interests = append(s.interests, string(label))
	}
	s.concurrencies = flow.Lookup(x, c.concurrencies, w.Namespace)
	if w.Gateway == "" {
		s.limits = flow.Lookup(x, c.limitsAt, placeOfService(w.Namespace))
	}
	for _, caller := range flow.All(x, c.callers) {
		s.callers = append(s.callers, caller.When)
	}
	if w.Gateway != "" {
		s.gateways = flow.All(x, c.Gateways)
	}
	known := model.Known{All: true}
	if c.Known != nil && !w.InlineRoutes {
		if k, ok := flow.Get(x, c.Known, w.ID); ok {
			known = k
		}
	}
	return []placement{s.place(w, known)}
}
