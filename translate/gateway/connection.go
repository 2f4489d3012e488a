package gateway

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// TLSRoute gives a table for each gateway at which connections of TLS are led on, by the host that they ask for.
func TLSRoute(o *object.Object, spec *gatewayv1.TLSRouteSpec) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	if len(spec.Hostnames) == 0 {
		o.Invalid(object.Spec.Dot("hostnames"), "is empty; name the hosts that connections ask for")
		return nil
	}
	var rules []model.Rule
	for i, in := range spec.Rules {
		rules = append(rules, connectionRule(o, i, in.Name, in.BackendRefs))
	}
	return connectionTables(o, model.GatewayTLS, spec.ParentRefs, spec.Hostnames, rules)
}

// TCPRoute gives a table for each gateway at which all connections to a port are led on.
func TCPRoute(o *object.Object, spec *gatewayv1.TCPRouteSpec) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var rules []model.Rule
	for i, in := range spec.Rules {
		rules = append(rules, connectionRule(o, i, in.Name, in.BackendRefs))
	}
	return connectionTables(o, model.GatewayTCP, spec.ParentRefs, nil, rules)
}

// UDPRoute gives a table for each gateway at which all datagrams that come to a port are led on.
func UDPRoute(o *object.Object, spec *gatewayv1.UDPRouteSpec) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var rules []model.Rule
	for i, in := range spec.Rules {
		rules = append(rules, connectionRule(o, i, in.Name, in.BackendRefs))
	}
	return connectionTables(o, model.GatewayUDP, spec.ParentRefs, nil, rules)
}

func connectionRule(o *object.Object, i int, name *gatewayv1.SectionName, to []gatewayv1.BackendRef) model.Rule {
	at := object.Spec.Dot("rules").At(i)
	refs := make([]gatewayv1.HTTPBackendRef, len(to))
	for j := range to {
		refs[j].BackendRef = to[j]
	}
	return model.Rule{Name: string(value(name, "")), Backends: backends(o, at.Dot("backendRefs"), refs), Origin: o.Origin(at)}
}

// connectionTables are those of one rule, as the schemas of these kinds want: nothing would tell connections of several apart.
func connectionTables(o *object.Object, of model.GatewayProtocol, parents []gatewayv1.ParentReference, names []gatewayv1.Hostname, rules []model.Rule) (all []model.RouteTable) {
	if len(rules) != 1 {
		o.Invalid(object.Spec.Dot("rules"), "has %d entries; write one", len(rules))
		return nil
	}
	for _, t := range tables(o, parents, names, rules) {
		if t.Gateways[0] == model.Mesh {
			o.NotHonoured(object.Path(t.From[0].Path), "between services %s go to the host that was called; name a Gateway", carried(of))
			continue
		}
		t.Order, t.Connections = model.AsWritten, of
		all = append(all, t)
	}
	return all
}

// carried is what a protocol leads on, for people.
func carried(of model.GatewayProtocol) string {
	if of == model.GatewayUDP {
		return "datagrams"
	}
	return "connections"
}
