package compile

import (
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// outline names the layers of a scope. It reads what services are called and
// lead to, not what their layers hold.
func (l *layers) outline(x *flow.Ctx, s scope) []*model.Outline {
	o := &model.Outline{Scope: s.Key(), Layers: []string{s.own}}
	var needed []string // hosts
	if s.Gateway != "" {
		o.Layers = append(o.Layers, gatewayLayer(s.gate), datagramsLayer(s.gate))
		needed = l.gateways.needs(x, s.gate)
	} else {
		o.Layers = append(o.Layers, s.inbound)
	}
	if s.Outbound != 0 {
		o.Layers = append(o.Layers, s.base())
		switch {
		case s.Inline:
			o.Layers, o.Shelves = append(o.Layers, s.table), []string{meshShelf}
		case s.All:
			o.Shelves = []string{meshShelf, s.shelf}
		default:
			hosts, leadTo := l.known(x, s)
			o.Layers, needed = append(o.Layers, hosts...), append(needed, leadTo...)
		}
	}
	if s.transparent() {
		o.Layers = append(o.Layers, s.tunnels)
	}
	slices.Sort(needed)
	needed = slices.Compact(needed)
	for _, secret := range l.shown(x, s, needed) {
		o.Layers = append(o.Layers, credentialLayer(s.Namespace, secret))
	}
	if len(o.Shelves) == 0 {
		needed = append(needed, l.authorizersOf(x, s)...)
		slices.Sort(needed)
		for _, host := range slices.Compact(needed) {
			o.Layers = append(o.Layers, l.serviceLayersFor(x, s, host)...)
		}
	}
	o.Layers = append(o.Layers, l.scatteredOnShelf(x, s, o)...)
	return []*model.Outline{s.varied(o)}
}

// known are the layers of virtual hosts for a scope that knows some services,
// and the hosts to which their routes lead.
func (c *compiler) known(x *flow.Ctx, s scope) (layers, needed []string) {
	for _, host := range s.Hosts {
		if f, ok := flow.Get(x, c.facts, host); ok {
			layers, needed = append(layers, f.layer(s.Namespace, s.Callers)), append(needed, f.needs(s.Callers)...)
		}
	}
	return layers, needed
}

// View is what the proxy of a workload receives at the last commit, or nil.
// With an authority, it is what that would be if the proxy knew what it names: what a
// first call to it makes of the view.
func (c *Compiled) View(workload, authority string) (v *model.View) {
	c.graph.View(func(x *flow.Ctx) {
		s, ok := flow.Get(x, c.layers.scopes, model.ScopeOf(flow.Lookup(x, c.Families, model.Family(workload)), workload))
		if !ok {
			return
		}
		host := c.layers.hostCalled(x, authority, s.Namespace)
		if s.learns() && host != "" && !slices.Contains(s.Hosts, host) {
			s.Hosts = append(slices.Clone(s.Hosts), host)
			slices.Sort(s.Hosts)
		}
		o := c.layers.outline(x, s)[0]
		if s.learns() && host == "" && authority != "" && s.transparent() && !s.Closed {
			o.Layers = append(o.Layers, strayLayer)
		}
		v = o.View(func(name string) *model.Layer {
			if name == strayLayer {
				return model.NewLayer(name, c.layers.strays(strings.ToLower(authority)))
			}
			layer, found := flow.Get(x, c.Layers, name)
			if !found && s.variant != "" && strings.HasPrefix(name, s.variant) { // what it does not know, nobody has a variant of
				for _, v := range c.layers.variant(x, wanted{name: name, AtGate: s.Gateway != "", Shared: s.Shared}) {
					layer = v.Layer
				}
			}
			return layer
		})
	})
	return v
}

// At is the workload whose proxy takes calls at an address.
func (c *Compiled) At(ip string, port uint32) (w model.Workload, ok bool) {
	c.graph.View(func(x *flow.Ctx) {
		for _, r := range flow.Lookup(x, c.layers.replicasNear, model.Neighbourhood(ip)) {
			if !ok && slices.ContainsFunc(r.Ports, func(p model.WorkloadPort) bool { return p.ProxyPort == port }) {
				w, ok = r.At(ip)
			}
		}
	})
	return w, ok
}
