package compile

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

func (c *compiler) inboundLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	g := c.guards(x, s)
	resources := c.extensions(x, g)
	for _, port := range s.httpPorts() {
		resources = append(resources, c.table(inboundTable(port, g, c.limitsOn(x, s, port))))
	}
	return model.NewLayer(key, resources...)
}

// ownLayer has what addresses and port numbers are in: the listeners, and the
// clusters of the application beside the proxy.
func (c *compiler) ownLayer(x *flow.Ctx, key string, s scope) *model.Layer {
	resources, _ := c.patched(x, s, c.ownResources(x, s))
	added, _ := c.addedClusters(x, s)
	resources = append(resources, added...)
	return model.NewLayer(key, append(resources, c.pluginConfigs(x, s)...)...)
}

func (c *compiler) ownResources(x *flow.Ctx, s scope) []*model.Resource {
	var resources []*model.Resource
	add := func(r *model.Resource) { resources = append(resources, r) }
	identity := model.SPIFFE(c.TrustDomain, s.Namespace, s.Account)
	if s.Outbound != 0 && !s.transparent() {
		add(c.intern.resource(model.TypeListener, OutboundListener, outboundListener(s.Outbound, identity, s.learns(), s.Calls), nil))
	}
	if s.Gateway != "" {
		return append(resources, c.gatewayListeners(x, s, identity)...)
	}
	if s.redirected() {
		return append(resources, c.redirectedInbound(x, s)...)
	}
	limit := found(flow.Get(x, c.Concurrencies, s.Concurrency))
	g := c.guards(x, s)
	for _, p := range s.Ports {
		name := InboundName(p.Number)
		add(c.intern.resource(model.TypeCluster, name, localCluster(name, p.AppPort, p.Protocol, s.Pool), nil, s.PoolFrom...))
		var needs []string
		from := p.ModeFrom
		if !p.Protocol.IsHTTP() {
			_, needs = g.tcpFilters(name, p.WorkloadPort, false)
			from = append(guardKeys(g.rules), from...)
		}
		from = slices.Concat(from, concurrencyKeys(limit))
		add(c.intern.resource(model.TypeListener, name, inboundListener(s.Address, p.WorkloadPort, p.Mode, g, limit, s.Served), needs, from...))
	}
	return resources
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
