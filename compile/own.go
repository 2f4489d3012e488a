package compile

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// gatewayPart is the layer of a gateway's routes, and what is wrong with them.
type gatewayPart struct {
	*model.Layer
	problems []model.Problem
}

func (g gatewayPart) Equal(o gatewayPart) bool {
	return g.Layer.Equal(o.Layer) && slices.Equal(g.problems, o.problems)
}

// needs are the clusters to which the routes lead.
func (g gatewayPart) needs() (all []string) {
	for _, r := range g.Resources[model.TypeVirtualHost] {
		all = append(all, r.Needs...)
	}
	return all
}

func (c *compiler) gatewayPartOf(x *flow.Ctx, s scope) []gatewayPart {
	if s.Gateway == "" {
		return nil
	}
	gateways := allFound(x, c.Gateways, s.Gateways)
	ports, problems := gatewayPorts(gateways)
	tables := c.gatewayTables(x, gateways)
	var resources []*model.Resource
	for _, p := range ports {
		hosts, found := c.gatewayHosts(x, p, tables)
		resources, problems = append(resources, hosts...), append(problems, found...)
		if _, problem := boundPort(p, s.mapped()); problem != nil {
			problems = append(problems, *problem)
		}
	}
	return []gatewayPart{{Layer: model.NewLayer(s.gatewayKey(), resources...), problems: problems}}
}

// gatewayHosts are a port's table and its virtual hosts.
func (c *compiler) gatewayHosts(x *flow.Ctx, p gatewayPort, tables []model.RouteTable) (resources []*model.Resource, problems []model.Problem) {
	name := GatewayName(p.number)
	ready := readyHost(name)
	resources = append(resources,
		c.intern.resource(model.TypeRoute, name, gatewayTable(p.number), nil, gatewayKeys(p)...),
		c.intern.resource(model.TypeVirtualHost, ready.Name, ready, nil))
	by := candidatesByDomain(p, tables)
	for _, domain := range model.SortedKeys(by) {
		h := newGatewayHost(c.world(x), p, domain, by[domain])
		problems = append(problems, h.problems...)
		if h.config != nil {
			resources = append(resources, c.intern.share(model.NewResource(model.Resource{
				Type: model.TypeVirtualHost, Name: h.config.Name, Aliases: []string{h.config.Name},
				Body: encode(h.config), Needs: h.needs, From: h.from,
			})))
		}
	}
	return resources, problems
}

// gatewayTables are the route tables that name one of the gateways, each once.
func (c *compiler) gatewayTables(x *flow.Ctx, gateways []model.Gateway) []model.RouteTable {
	var all []model.RouteTable
	for _, g := range gateways {
		for _, t := range flow.Lookup(x, c.tablesByGateway, g.Name) {
			if !slices.ContainsFunc(all, func(o model.RouteTable) bool { return o.Key() == t.Key() }) {
				all = append(all, t)
			}
		}
	}
	return all
}

func (s scope) mapped() []model.WorkloadPort {
	all := make([]model.WorkloadPort, len(s.Ports))
	for i, p := range s.Ports {
		all[i] = p.WorkloadPort
	}
	return all
}

func (c *compiler) inboundLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	guards := allFound(x, c.Authorizations, s.Guards)
	var resources []*model.Resource
	for _, port := range s.httpPorts() {
		resources = append(resources, c.table(inboundTable(port, guards)))
	}
	return model.NewLayer(key, resources...)
}

// ownLayer has what addresses and port numbers are in: the listeners, and the
// clusters of the application beside the proxy.
func (c *compiler) ownLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	var resources []*model.Resource
	add := func(r *model.Resource) { resources = append(resources, r) }
	identity := model.SPIFFE(c.TrustDomain, s.Namespace, s.Account)
	if s.Outbound != 0 {
		add(c.intern.resource(model.TypeListener, OutboundListener, outboundListener(s.Outbound, identity, s.learns()), nil))
	}
	if s.Gateway != "" {
		ports, _ := gatewayPorts(allFound(x, c.Gateways, s.Gateways))
		for _, p := range ports {
			if bound, problem := boundPort(p, s.mapped()); problem == nil {
				l := gatewayListenerConfig(s.Address, p.number, bound, identity)
				add(c.intern.resource(model.TypeListener, l.Name, l, nil, gatewayKeys(p)...))
			}
		}
		return model.NewLayer(key, resources...)
	}
	for _, p := range s.Ports {
		name := InboundName(p.Number)
		add(c.intern.resource(model.TypeCluster, name, localCluster(name, p.AppPort, p.Protocol), nil))
		var guards []model.Authorization
		var needs []string
		if !p.Protocol.IsHTTP() {
			guards, needs = allFound(x, c.Authorizations, s.Guards), []string{name}
		}
		add(c.intern.resource(model.TypeListener, name, inboundListener(s.Address, p.WorkloadPort, p.Mode, guards), needs, append(guardKeys(guards), p.ModeFrom...)...))
	}
	return model.NewLayer(key, resources...)
}

func gatewayKeys(p gatewayPort) []model.Key {
	var all []model.Key
	for _, l := range p.listeners {
		all = append(all, keysOf(l.gateway.From)...)
	}
	return all
}

func guardKeys(guards []model.Authorization) []model.Key {
	var all []model.Key
	for _, a := range guards {
		all = append(all, keysOf(a.From)...)
	}
	return all
}

func (c *compiler) table(t table) *model.Resource {
	return c.intern.resource(model.TypeRoute, t.config.Name, t.config, t.needs, t.from...)
}

// allFound are the rows of these keys, those that are still there.
func allFound[V flow.Row[V]](x *flow.Ctx, rows *flow.Collection[V], keys []string) []V {
	var all []V
	for _, key := range keys {
		if row, ok := flow.Get(x, rows, key); ok {
			all = append(all, row)
		}
	}
	return all
}
