package istio

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// connections gives a table for each match of connections, at gateways: those of TLS by the host that they ask for, others by
// their port. Between services a connection goes where it was going.
func connections(o *object.Object, spec *networking.VirtualService, base model.RouteTable) (all []model.RouteTable) {
	add := func(at object.Path, of model.GatewayProtocol, to []model.Backend, port uint32, hosts, gateways []string) {
		t := base
		t.Index, t.Connections, t.Port, t.Hosts, t.Gateways = len(all)+1, of, port, hosts, gateways
		t.Rules = []model.Rule{{Backends: to, Origin: o.Origin(at)}}
		if len(to) > 0 && len(hosts) > 0 && len(gateways) > 0 {
			all = append(all, t)
		}
	}
	for i, route := range spec.Tls {
		at := object.Spec.Dot("tls").At(i)
		to := connectionBackends(o, at.Dot("route"), route.GetRoute())
		for j, match := range route.GetMatch() {
			hosts, gateways := asked(o, at.Dot("match").At(j), match, base.Gateways)
			add(at, model.GatewayTLS, to, match.GetPort(), hosts, gateways)
		}
	}
	for i, route := range spec.Tcp {
		at := object.Spec.Dot("tcp").At(i)
		to := connectionBackends(o, at.Dot("route"), route.GetRoute())
		matches := route.GetMatch()
		if len(matches) == 0 {
			matches = []*networking.L4MatchAttributes{{}}
		}
		for j, match := range matches {
			add(at, model.GatewayTCP, to, match.GetPort(), []string{"*"}, arriving(o, at.Dot("match").At(j), match, base.Gateways))
		}
	}
	between := func(field string, rules int) {
		if rules > 0 && slices.Contains(base.Gateways, model.Mesh) {
			o.NotHonoured(object.Spec.Dot(field), "between services connections go to the host that was called; name gateways only, or use http")
		}
	}
	between("tls", len(spec.Tls))
	between("tcp", len(spec.Tcp))
	return all
}

// asked are the hosts that connections ask for, and the gateways at which they do. A
// match with what is not known of them matches nothing; the audit reports it.
func asked(o *object.Object, at object.Path, m *networking.TLSMatchAttributes, gateways []string) (hosts, narrowed []string) {
	if len(m.GetDestinationSubnets())+len(m.GetSourceLabels()) > 0 || m.GetSourceNamespace() != "" {
		return nil, nil
	}
	for i, name := range m.GetSniHosts() {
		if host := o.Host(name); o.CheckHost(at.Dot("sniHosts").At(i), host) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(m.GetSniHosts()) == 0 {
		o.Invalid(at.Dot("sniHosts"), "is empty; name the hosts that connections ask for")
	}
	return hosts, narrow(o, at, m.GetGateways(), gateways)
}

// arriving are the gateways at which a match of TCP holds; none where it wants what is not known of connections.
func arriving(o *object.Object, at object.Path, m *networking.L4MatchAttributes, gateways []string) []string {
	if len(m.GetDestinationSubnets())+len(m.GetSourceLabels()) > 0 || m.GetSourceNamespace()+m.GetSourceSubnet() != "" {
		return nil
	}
	return narrow(o, at, m.GetGateways(), gateways)
}

// narrow leaves of the gateways those that a match names, if it names some.
func narrow(o *object.Object, at object.Path, named, gateways []string) (left []string) {
	only := gatewayNames(o, at.Dot("gateways"), named)
	for _, name := range gateways {
		if name != model.Mesh && (len(named) == 0 || slices.Contains(only, name)) {
			left = append(left, name)
		}
	}
	return left
}

// connectionBackends are those of whole connections, which nothing changes.
func connectionBackends(o *object.Object, at object.Path, routes []*networking.RouteDestination) []model.Backend {
	as := make([]*networking.HTTPRouteDestination, len(routes))
	for i, route := range routes {
		as[i] = &networking.HTTPRouteDestination{Destination: route.GetDestination(), Weight: route.GetWeight()}
	}
	return backends(o, at, as)
}
