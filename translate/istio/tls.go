package istio

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// unopened gives a table for each match of a connection's host: at gateways, where
// TLS is led on as it is. Between services a connection goes where it was going.
func unopened(o *object.Object, spec *networking.VirtualService, base model.RouteTable) []model.RouteTable {
	if len(spec.Tls) == 0 {
		return nil
	}
	if slices.Contains(base.Gateways, model.Mesh) {
		o.NotHonoured(object.Spec.Dot("tls"), "between services connections go to the host that was called; name gateways only, or use http")
	}
	var all []model.RouteTable
	for i, route := range spec.Tls {
		at := object.Spec.Dot("tls").At(i)
		to := connectionBackends(o, at.Dot("route"), route.GetRoute())
		if len(to) == 0 {
			continue
		}
		for j, match := range route.GetMatch() {
			t := base
			t.Index, t.Connections, t.Port = len(all)+1, model.GatewayTLS, match.GetPort()
			t.Rules = []model.Rule{{Backends: to, Origin: o.Origin(at)}}
			if t.Hosts, t.Gateways = asked(o, at.Dot("match").At(j), match, base.Gateways); len(t.Hosts) > 0 && len(t.Gateways) > 0 {
				all = append(all, t)
			}
		}
	}
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
	only := gatewayNames(o, at.Dot("gateways"), m.GetGateways())
	for _, name := range gateways {
		if name != model.Mesh && (len(m.GetGateways()) == 0 || slices.Contains(only, name)) {
			narrowed = append(narrowed, name)
		}
	}
	return hosts, narrowed
}

// connectionBackends are those of whole connections, which nothing changes.
func connectionBackends(o *object.Object, at object.Path, routes []*networking.RouteDestination) []model.Backend {
	as := make([]*networking.HTTPRouteDestination, len(routes))
	for i, route := range routes {
		as[i] = &networking.HTTPRouteDestination{Destination: route.GetDestination(), Weight: route.GetWeight()}
	}
	return backends(o, at, as)
}
