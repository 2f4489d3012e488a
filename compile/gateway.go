package compile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// gate is a set of gateways that some proxies of a namespace are: its replicas
// share all routes. Key: digest.
type gate struct {
	key       string
	Namespace string
	Gateways  []string // keys
}

func (g gate) Key() string { return g.key }
func (g gate) Equal(o gate) bool {
	return g.Namespace == o.Namespace && slices.Equal(g.Gateways, o.Gateways)
}

// attachment is a route table at one domain and chain of a gate. Key: all of it
// but where requests come in.
type attachment struct {
	Gate     string
	Chain    string
	Domain   string
	Table    string // key
	At       entrance
	Limits   string // where those of its gateway are, see placeOfGateway
	Section  string // its listener, where limits can name it
	ToHTTPS  bool
	TLS      bool // what comes there is encrypted until it is there
	Nameless bool // and callers prove no name by their certificates
}

func (a attachment) place() string           { return a.Gate + "|" + a.Chain + "|" + a.Domain }
func (a attachment) Key() string             { return a.place() + "|" + a.Table }
func (a attachment) Equal(o attachment) bool { return a == o }

// gateHost is the virtual host of one place. Key: the place.
type gateHost struct {
	key, gate string
	resource  *model.Resource // nil: none of the routes is any good
	problems  []model.Problem
}

func (h gateHost) Key() string { return h.key }
func (h gateHost) Equal(o gateHost) bool {
	same := h.resource == o.resource || h.resource != nil && o.resource != nil && h.resource.Equal(o.resource)
	return same && slices.Equal(h.problems, o.problems)
}

// gateways is the way from route tables to the routes of gateways: a change of
// one table makes the virtual hosts of its domains anew.
type gateways struct {
	*compiler
	gates      *flow.Collection[gate]
	showings   *flow.Collection[showing]
	byName     *flow.Index[model.Gateway]
	gatesOf    *flow.Index[gate] // by gateway
	attached   *flow.Collection[attachment]
	hosts      *flow.Collection[gateHost]
	hostsOf    *flow.Index[gateHost] // by gate
	secrets    *flow.Index[piece]    // by name
	routeLayer *flow.Collection[*model.Layer]
	datagrams  *flow.Collection[*model.Layer]
	problems   [2]*flow.Collection[report]
}

func (c *compiler) gateways() *gateways {
	g := &gateways{compiler: c}
	g.gates = flow.Group(flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(s.gate) }), "compile/gates",
		func(_ *flow.Ctx, key string, sharing []scope) *gate {
			return &gate{key: key, Namespace: sharing[0].Namespace, Gateways: sharing[0].Gateways}
		})
	g.showings = c.showings()
	g.byName = flow.NewIndex(c.Gateways, func(w model.Gateway) []string { return []string{w.Name} })
	g.gatesOf = flow.NewIndex(g.gates, func(w gate) []string { return w.Gateways })
	g.attached = flow.Derive(c.RouteTables, "compile/attachments", g.attach)
	g.hosts = flow.Group(flow.NewIndex(g.attached, func(a attachment) []string { return []string{a.place()} }), "compile/gate hosts", g.host)
	g.hostsOf = flow.NewIndex(g.hosts, func(h gateHost) []string { return []string{h.gate} })
	g.secrets = flow.NewIndex(flow.Derive(c.Certificates, "compile/certificates", c.certificateSecrets), func(p piece) []string { return []string{p.Name} })
	g.routeLayer = flow.Derive(g.gates, "compile/layers/gateway", g.layer)
	g.datagrams = flow.Derive(g.gates, "compile/layers/datagrams", g.datagramLayer)
	g.problems = [2]*flow.Collection[report]{
		flow.Derive(g.hosts, "compile/reports/gate hosts", func(_ *flow.Ctx, h gateHost) []report { return reportOf("gate host "+h.key, h.problems) }),
		flow.Derive(c.scopes, "compile/reports/gateways", g.unserved),
	}
	return g
}

// attach finds the places of a route table. What is not opened has no requests.
func (g *gateways) attach(x *flow.Ctx, t model.RouteTable) []attachment {
	if t.Connections != "" {
		return nil
	}
	found := map[string]attachment{}
	for _, name := range t.Gateways {
		for _, gateway := range flow.Lookup(x, g.byName, name) {
			for _, at := range flow.Lookup(x, g.gatesOf, gateway.Key()) {
				g.attachAt(x, at, t, found)
			}
		}
	}
	all := make([]attachment, 0, len(found))
	for _, key := range model.SortedKeys(found) {
		all = append(all, found[key])
	}
	return all
}

func (g *gateways) attachAt(x *flow.Ctx, at gate, t model.RouteTable, found map[string]attachment) {
	ports, _ := g.gatewayPorts(x, at)
	for _, p := range ports {
		for _, c := range p.chains {
			for _, l := range c.listeners {
				in := entrance{gateway: l.gateway.Name, section: l.listener.Name, port: p.number}
				if !tableAppliesAt(t, in) || !mayAttach(l.listener, t) {
					continue
				}
				for _, domain := range c.domains(l, t) {
					a := attachment{Gate: at.key, Chain: c.name, Domain: domain, Table: t.Key(), At: in, Limits: placeOfGateway(l.gateway), ToHTTPS: l.listener.ToHTTPS, TLS: c.tls.Secret != "", Nameless: c.tls.Callers == model.CallerUnproven}
					if l.gateway.Home == "" {
						a.Section = l.listener.Name
					}
					if _, earlier := found[a.Key()]; !earlier {
						found[a.Key()] = a
					}
				}
			}
		}
	}
}

// host makes the virtual host of a place.
func (g *gateways) host(x *flow.Ctx, place string, attached []attachment) *gateHost {
	first := attached[0]
	entrances := map[string]entrance{}
	var tables []model.RouteTable
	for _, a := range attached {
		if t, ok := flow.Get(x, g.RouteTables, a.Table); ok {
			tables, entrances[a.Table] = append(tables, t), a.At
		}
	}
	at, _ := flow.Get(x, g.gates, first.Gate)
	tables, refused := rightful(tables, entrances, at.Namespace, first.Domain)
	r := newRouter(g.world(x).atGate(), first.Domain, first.At.port)
	r.from, r.problems = g.origins(x, first), refused
	r.private = g.previewedAt(x, first.Domain)
	limits := g.hostLimits(x, attached)
	r.limits, r.from = limits.of, append(r.from, limitKeys(limits.ofRoutes)...)
	config := gatewayHost(r, first.Chain, first.Domain, merged(tables, func(t model.RouteTable) entrance { return entrances[t.Key()] }))
	h := &gateHost{key: place, gate: first.Gate, problems: r.problems}
	if config != nil {
		if slices.ContainsFunc(attached, func(a attachment) bool { return a.ToHTTPS }) {
			config.RequireTls = routev3.VirtualHost_ALL
		}
		limits.put(config)
		if r.private != nil {
			previewing(config, first.Domain, first.TLS)
		}
		if first.Nameless {
			config = withoutCaller(config)
		}
		h.resource = g.gateHostResource(config, clustersOf(config.Routes...), r.from)
	}
	return h
}

// rightful leaves of the tables for a domain those that came by the gateway of one
// namespace: that of the proxies, else the oldest table's. Anybody's Gateway may
// select the proxies, and must not take from others what they serve there. Routes
// that merge came by a gateway that says itself whose routes it takes.
func rightful(tables []model.RouteTable, entrances map[string]entrance, home, domain string) (left []model.RouteTable, problems []model.Problem) {
	written := slices.DeleteFunc(slices.Clone(tables), func(t model.RouteTable) bool { return t.Order != model.AsWritten })
	if len(written) < 2 {
		return tables, nil
	}
	first := slices.MinFunc(written, func(a, b model.RouteTable) int {
		return cmp.Or(-model.CompareBool(a.Object.Namespace == home, b.Object.Namespace == home), compareTables(a, b))
	})
	for _, t := range tables {
		if t.Order != model.AsWritten || t.Object.Namespace == first.Object.Namespace || entrances[t.Key()].gateway == entrances[first.Key()].gateway {
			left = append(left, t)
			continue
		}
		problems = append(problems, model.Problem{
			Object: t.Object, Code: model.ProblemHostConflict, Path: "spec.hosts",
			Message: fmt.Sprintf("%s routes the host %s at the same proxies, and another namespace may not; choose another host, or move the object to %s", first.Object, domain, first.Object.Namespace),
		})
	}
	return left, problems
}

func (c *compiler) gateHostResource(config *routev3.VirtualHost, needs []string, from []model.Key) *model.Resource {
	return c.intern.share(model.NewResource(model.Resource{
		Type: model.TypeVirtualHost, Name: config.Name, Aliases: []string{config.Name},
		Body: encode(config), Needs: needs, From: from,
	}))
}

// origins are the gateways that listen at the port of a place.
func (g *gateways) origins(x *flow.Ctx, a attachment) []model.Key {
	at, _ := flow.Get(x, g.gates, a.Gate)
	ports, _ := g.gatewayPorts(x, at)
	for _, p := range ports {
		if p.number == a.At.port && !p.udp {
			return gatewayKeys(p)
		}
	}
	return nil
}

// layer has the tables of a gate, their virtual hosts, and its certificates.
func (g *gateways) layer(x *flow.Ctx, at gate) []*model.Layer {
	ports, _ := g.gatewayPorts(x, at)
	resources := map[string]*model.Resource{}
	add := func(r *model.Resource) { resources[r.Type.String()+" "+r.Name] = r }
	for _, p := range ports {
		for _, c := range p.chains {
			ready := readyHost(c.name)
			add(g.intern.resource(model.TypeVirtualHost, ready.Name, ready, nil))
			for _, host := range c.silent() {
				add(g.gateHostResource(host, nil, gatewayKeys(p)))
			}
		}
		if slices.Contains(p.leadsTo(), refusedName) {
			add(g.intern.resource(model.TypeCluster, refusedName, nowhere(refusedName), nil))
		}
		for _, secret := range p.secrets() {
			for _, s := range flow.Lookup(x, g.secrets, secret) {
				add(s.Resource)
			}
		}
	}
	for _, s := range flow.Lookup(x, g.secrets, g.shown(x, at.Gateways)) {
		add(s.Resource)
	}
	for _, h := range flow.Lookup(x, g.hostsOf, at.key) {
		if h.resource != nil {
			add(h.resource)
		}
	}
	return []*model.Layer{model.NewLayer(gatewayLayer(at.key), slices.Collect(maps.Values(resources))...)}
}

// needs are the hosts to which the routes of a gate lead.
func (g *gateways) needs(x *flow.Ctx, key string) []string {
	var clusters []string
	layer, ok := flow.Get(x, g.routeLayer, gatewayLayer(key))
	if !ok {
		return nil
	}
	for _, r := range layer.Resources[model.TypeVirtualHost] {
		clusters = append(clusters, r.Needs...)
	}
	at, _ := flow.Get(x, g.gates, key)
	ports, _ := g.gatewayPorts(x, at)
	for _, p := range ports {
		clusters = append(clusters, p.leadsTo()...)
	}
	return servicesOf(clusters...)
}

// unserved are the listeners that a gateway's proxy cannot have.
func (g *gateways) unserved(x *flow.Ctx, s scope) []report {
	if s.Gateway == "" {
		return nil
	}
	ports, problems := g.gatewayPorts(x, s.asGate())
	for _, p := range ports {
		if _, problem := boundPort(p, s); problem != nil {
			problems = append(problems, *problem)
		}
		problems = append(problems, g.uncertified(x, p)...)
	}
	return reportOf("gateway "+s.Key(), problems)
}

// uncertified are the listeners without a certificate, which was looked for where their proxies are.
func (g *gateways) uncertified(x *flow.Ctx, p gatewayPort) (problems []model.Problem) {
	check := func(l gatewayListener, secret, ca string) {
		report := func(message string) {
			problems = append(problems, model.Problem{Object: l.gateway.Object, Code: model.ProblemMissingSecret, Path: l.listener.Origin.Path, Message: message})
		}
		certificate, _ := flow.Get(x, g.Certificates, secret)
		if secret != "" && secret != model.MeshCertificate && len(certificate.Chain) == 0 && len(l.gateway.Selector) > 0 {
			report(certificate.Missing(secret))
		}
		if ca != "" && len(flow.Lookup(x, g.secrets, ca)) == 0 {
			report(fmt.Sprintf("the Secret %s says not whom to trust, so every caller is refused; put ca.crt into it", secret))
		}
	}
	for _, c := range p.chains {
		for _, l := range c.listeners {
			check(l, c.tls.Secret, c.ca)
		}
	}
	for _, l := range p.leading {
		check(l, l.listener.TLS.Secret, l.ca)
	}
	return problems
}

// gatewayListeners are the listeners and tables of a gateway. Whose rules guard it, tables say as
// a whole, so that their virtual hosts are all gateways'.
func (c *compiler) gatewayListeners(x *flow.Ctx, s scope, identity string) []*model.Resource {
	ports, _ := c.gatewayPorts(x, s.asGate())
	g := c.guards(x, s)
	all := c.extensions(x, g)
	for _, p := range ports {
		bound, problem := boundPort(p, s)
		if p.udp {
			if problem == nil {
				l := datagramListener(s.Address, p.number, bound, identity)
				all = append(all, c.intern.resource(model.TypeListener, l.Name, l, []string{l.Name}, gatewayKeys(p)...))
			}
			continue
		}
		for _, chain := range p.chains {
			table, limits := c.limitedTable(x, chain, p.number, g.at(chain.tls))
			if g.at(chain.tls).nameless {
				table = withoutCaller(table)
			}
			if chain.http3() {
				table.ResponseHeadersToAdd = announced(p.number)
			}
			all = append(all, c.intern.resource(model.TypeRoute, chain.name, table, nil, distinct(slices.Concat(gatewayKeys(p), guardKeys(g.rules), limits))...))
		}
		if l := gatewayListenerConfig(s.Address, p, bound, identity, c.previewKeys(x), g, s.Calls); problem == nil && len(l.FilterChains) > 0 {
			needs, from := p.leadsTo(), gatewayKeys(p)
			if len(p.connectionRoutes) > 0 {
				_, more := g.onConnections(p.number, "")
				needs, from = append(needs, more...), append(from, guardKeys(g.rules)...)
			}
			all = append(all, c.intern.resource(model.TypeListener, l.Name, l, needs, from...))
			if twin := http3Listener(l, p, c.previewKeys(x), g, s.Calls); twin != nil {
				all = append(all, c.intern.resource(model.TypeListener, twin.Name, twin, nil, gatewayKeys(p)...))
			}
		}
	}
	return all
}

func (c *compiler) gatewayPorts(x *flow.Ctx, at gate) ([]gatewayPort, []model.Problem) {
	ports, problems := portsOf(allFound(x, c.Gateways, at.Gateways), at.Namespace)
	for i := range ports {
		p := &ports[i]
		for j := range p.chains {
			p.chains[j].ca = c.trusted(x, p.chains[j].tls)
		}
		for j := range p.leading {
			p.leading[j].ca = c.trusted(x, p.leading[j].listener.TLS)
		}
		problems = append(problems, c.routeConnections(x, p)...)
	}
	return ports, problems
}

// trusted is the secret that says which callers a listener trusts, "" for one that does not ask.
func (c *compiler) trusted(x *flow.Ctx, tls model.ServerTLS) string {
	if tls.Callers == model.CallerUnasked || tls.OfMesh() {
		return ""
	}
	if tls.Trust != "" {
		return caName(tls.Trust)
	}
	if _, ok := flow.Get(x, c.Certificates, tls.Secret+caSuffix); ok {
		return caName(tls.Secret + caSuffix)
	}
	return caName(tls.Secret)
}

func (s scope) asGate() gate { return gate{key: s.gate, Namespace: s.Namespace, Gateways: s.Gateways} }

func gatewayLayer(gate string) string { return "gateway/" + gate }

func gatewayKeys(p gatewayPort) []model.Key {
	var all []model.Key
	for _, c := range p.chains {
		for _, l := range c.listeners {
			all = append(all, keysOf(l.gateway.From)...)
		}
	}
	for _, l := range p.leading {
		all = append(all, keysOf(l.gateway.From)...)
	}
	for _, t := range p.connectionRoutes {
		all = append(all, t.from.Key)
	}
	return all
}
