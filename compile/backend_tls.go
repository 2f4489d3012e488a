package compile

import (
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// untrusting names a secret that there never is: who trusts it trusts no server.
const untrusting = "untrusting"

// trafficTo is how the policy has a port called, and where no policy for the host says how to speak TLS to it,
// the port itself: one for a pattern means many services, and this port says it of itself.
func (s shape) trafficTo(port model.Port, p model.Policy) model.TrafficPolicy {
	t := p.TrafficAt(port.Number)
	if port.TLS != nil && (s.AtGate || port.Protocol.IsHTTP()) && (t.TLS == nil || strings.HasPrefix(p.Host, "*")) {
		t.TLS = port.TLS
	}
	return t
}

// saysTLS says whether some port says how TLS is spoken to it.
func (s shape) saysTLS() bool {
	return slices.ContainsFunc(s.Ports, func(p model.Port) bool { return p.TLS != nil })
}

// byPort says whether it is the port that says how TLS is spoken to it.
func (d destination) byPort() bool { return d.Port.TLS != nil && d.Traffic.TLS == d.Port.TLS }

// trustName is the secret of whom callers of the port trust.
func (d destination) trustName() string {
	return caName(model.ClusterName(d.Service.Host, d.Port.Number, ""))
}

// asIs ends the subset of a cluster whose port says how TLS is spoken to it, for connections that a gateway leads on
// unopened: their callers speak it.
const asIs = "~as-is"

// asTheyAre are those clusters of gateways.
func (s shape) asTheyAre(all []destination, p model.Policy) (more []destination) {
	for _, d := range all {
		if s.AtGate && d.byPort() && !d.Port.Protocol.IsHTTP() {
			d.Subset, d.Traffic.TLS = d.Subset+asIs, p.TrafficAt(d.Port.Number).TLS
			more = append(more, d)
		}
	}
	return more
}

// led is the cluster to which a gateway leads connections.
func (c *compiler) led(x *flow.Ctx, b model.Backend, opened bool) string {
	name := model.ClusterName(b.Host, b.Port, b.Subset)
	s, _ := flow.Get(x, c.shapes, b.Host)
	s.AtGate = true
	all := c.serviceDestinations(x, s)
	if !opened && slices.ContainsFunc(all, func(d destination) bool { return d.Key() == model.ClusterName(b.Host, b.Port, b.Subset+asIs) }) {
		return model.ClusterName(b.Host, b.Port, b.Subset+asIs)
	}
	return name
}

// atGate is what routes of gateways may ask.
func (w world) atGate() world {
	service := w.service
	w.service = func(host string) (shape, bool) {
		s, ok := service(host)
		s.AtGate = true
		return s, ok
	}
	return w
}

// showing is what some gateways show to services. Key: the Certificate, "" for none.
type showing struct{ Certificate string }

func (s showing) Key() string          { return s.Certificate }
func (s showing) Equal(o showing) bool { return s == o }

// showings are those of all gateways.
func (c *compiler) showings() *flow.Collection[showing] {
	const mark = "shows " // before a name, as one may be empty
	byName := flow.NewIndex(c.Gateways, func(g model.Gateway) []string { return []string{mark + g.Shows} })
	return flow.Group(byName, "compile/showings", func(_ *flow.Ctx, name string, _ []model.Gateway) *showing {
		return &showing{strings.TrimPrefix(name, mark)}
	})
}

// shown is the Certificate that the proxies of gateways show to services.
func (g *gateways) shown(x *flow.Ctx, keys []string) string {
	for _, at := range allFound(x, g.Gateways, keys) {
		if at.Shows != "" {
			return at.Shows
		}
	}
	return ""
}

// serviceLayers are those of a service for gateways, where they call it otherwise than the mesh does.
func (g *gateways) serviceLayers(x *flow.Ctx, s shape) (all []*model.Layer) {
	if !s.saysTLS() {
		return nil
	}
	s.AtGate = true
	for _, by := range flow.All(x, g.showings) {
		var resources []*model.Resource
		base, destinations := gateServiceLayer(s.Host, by.Certificate), g.serviceDestinations(x, s)
		for i := range destinations {
			destinations[i].Shown = by.Certificate
		}
		for _, d := range destinations {
			for _, p := range slices.Concat(g.clusterOf(x, d), g.endpointsOf(x, d)) {
				resources = append(resources, p.Resource)
			}
		}
		all = append(all, model.NewLayer(base, resources...))
		if p, ok := flow.Get(x, g.scattered, s.Host); ok {
			all = append(all, g.placedLayers(x, p, base, destinations)...)
		}
	}
	return all
}

func gateServiceLayer(host, certificate string) string {
	return serviceLayer(host) + "@gateway/" + certificate
}

// serviceLayersFor are the layers of a service for a scope.
func (l *layers) serviceLayersFor(x *flow.Ctx, s scope, host string) []string {
	base := serviceLayer(host)
	if s.Gateway != "" {
		if f, ok := flow.Get(x, l.facts, host); ok && f.TLS {
			base = gateServiceLayer(host, l.gateways.shown(x, s.Gateways))
		}
	}
	if p, ok := flow.Get(x, l.scattered, host); ok {
		return []string{base, p.layer(base, s.Place)}
	}
	return []string{base}
}
