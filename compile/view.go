package compile

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// piece is a resource as a row. Key: its name; a collection has one type.
type piece struct{ *model.Resource }

func (p piece) Key() string        { return p.Name }
func (p piece) Equal(o piece) bool { return p.Resource.Equal(o.Resource) }

// built is a layer and the problems that were found on the way. Key: the layer's.
type built struct {
	*model.Layer
	problems []model.Problem
}

func (b built) Equal(o built) bool {
	return b.Layer.Equal(o.Layer) && slices.Equal(b.problems, o.problems)
}

// layers are the parts that views are put together from.
type layers struct {
	*compiler
	clusters, endpoints *flow.Collection[built] // of the whole mesh, shared by all
	outbound            *flow.Collection[built] // by namespace and caller
	inbound             *flow.Collection[built] // by what guards it
	gateway             *flow.Collection[built] // routes of a gateway, by scope
	own                 *flow.Collection[built] // what no other workload has, by scope
}

func (c *compiler) layers(clusters, endpoints *flow.Collection[piece]) *layers {
	return &layers{
		compiler:  c,
		clusters:  meshLayer(clusters, "clusters"),
		endpoints: meshLayer(endpoints, "endpoints"),
		outbound:  flow.Group(flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(s.outbound) }), "compile/layers/outbound", c.outboundLayer),
		inbound:   flow.Group(flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(s.inbound) }), "compile/layers/inbound", c.inboundLayer),
		gateway:   flow.Derive(c.scopes, "compile/layers/gateway", c.gatewayLayer),
		own:       flow.Derive(c.scopes, "compile/layers/own", c.ownLayer),
	}
}

func keyOrNone(key string) []string {
	if key == "" {
		return nil
	}
	return []string{key}
}

// meshLayer is one layer of all rows.
func meshLayer(rows *flow.Collection[piece], name string) *flow.Collection[built] {
	all := flow.NewIndex(rows, func(piece) []string { return []string{name} })
	return flow.Group(all, "compile/layers/"+name, func(_ *flow.Ctx, _ string, rows []piece) *built {
		resources := make([]*model.Resource, len(rows))
		for i, r := range rows {
			resources[i] = r.Resource
		}
		return &built{Layer: model.NewLayer(name, resources...)}
	})
}

func (c *compiler) outboundLayer(x *flow.Ctx, key string, sharing []scope) *built {
	t := outboundTable(sharing[0].Namespace, sharing[0].Callers, flow.All(x, c.hosts))
	return &built{
		Layer: model.NewLayer(key,
			c.intern.resource(model.TypeCluster, connectName, connectCluster(), nil),
			c.intern.resource(model.TypeListener, connectName, connectListener(), nil),
			c.table(t),
		),
		problems: t.problems,
	}
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

func (c *compiler) inboundLayer(x *flow.Ctx, key string, sharing []scope) *built {
	s := sharing[0]
	guards := allFound(x, c.Authorizations, s.Guards)
	var resources []*model.Resource
	for _, port := range s.httpPorts() {
		resources = append(resources, c.table(inboundTable(port, guards)))
	}
	return &built{Layer: model.NewLayer(key, resources...)}
}

func (c *compiler) gatewayLayer(x *flow.Ctx, s scope) []built {
	if s.Gateway == "" {
		return nil
	}
	gateways := allFound(x, c.Gateways, s.Gateways)
	ports, problems := gatewayPorts(gateways)
	tables := c.gatewayTables(x, gateways)
	var resources []*model.Resource
	for _, p := range ports {
		t := gatewayTable(c.world(x), p, tables)
		resources = append(resources, c.table(t))
		problems = append(problems, t.problems...)
		if _, problem := boundPort(p, s.mapped()); problem != nil {
			problems = append(problems, *problem)
		}
	}
	return []built{{Layer: model.NewLayer(s.gatewayKey(), resources...), problems: problems}}
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

// ownLayer has what addresses and port numbers are in: the listeners, and the
// clusters of the application beside the proxy.
func (c *compiler) ownLayer(x *flow.Ctx, s scope) []built {
	var resources []*model.Resource
	add := func(r *model.Resource) { resources = append(resources, r) }
	identity := model.SPIFFE(c.TrustDomain, s.Namespace, s.Account)
	if s.Outbound != 0 {
		add(c.intern.resource(model.TypeListener, OutboundListener, outboundListener(s.Outbound, identity), nil))
	}
	if s.Gateway != "" {
		ports, _ := gatewayPorts(allFound(x, c.Gateways, s.Gateways))
		for _, p := range ports {
			if bound, problem := boundPort(p, s.mapped()); problem == nil {
				l := gatewayListenerConfig(s.Address, p.number, bound, identity)
				add(c.intern.resource(model.TypeListener, l.Name, l, nil, gatewayKeys(p)...))
			}
		}
		return []built{{Layer: model.NewLayer(s.ownKey(), resources...)}}
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
	return []built{{Layer: model.NewLayer(s.ownKey(), resources...)}}
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

// view puts the layers of a scope together; what is its own comes first.
func (l *layers) view(x *flow.Ctx, s scope) []*model.View {
	v := &model.View{Scope: s.Key()}
	add := func(from *flow.Collection[built], key string) {
		if b, ok := flow.Get(x, from, key); ok {
			v.Layers = append(v.Layers, b.Layer)
		}
	}
	add(l.own, s.ownKey())
	add(l.gateway, s.gatewayKey())
	add(l.inbound, s.inbound)
	add(l.outbound, s.outbound)
	add(l.clusters, "clusters")
	add(l.endpoints, "endpoints")
	return []*model.View{v}
}
