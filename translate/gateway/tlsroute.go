package gateway

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// TLSRoute gives a table for each gateway at which connections are led on unopened, by the host that they ask for. It has
// one rule, as the schema of the kind wants.
func TLSRoute(o *object.Object, spec *gatewayv1.TLSRouteSpec) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var rules []model.Rule
	for i, in := range spec.Rules {
		at := object.Spec.Dot("rules").At(i)
		refs := make([]gatewayv1.HTTPBackendRef, len(in.BackendRefs))
		for j := range in.BackendRefs {
			refs[j].BackendRef = in.BackendRefs[j]
		}
		rules = append(rules, model.Rule{Name: string(value(in.Name, "")), Backends: backends(o, at.Dot("backendRefs"), refs), Origin: o.Origin(at)})
	}
	if len(rules) != 1 || len(spec.Hostnames) == 0 {
		o.Invalid(object.Spec, "has %d rules and %d hostnames; write one rule, and the hosts that connections ask for", len(rules), len(spec.Hostnames))
		return nil
	}
	var all []model.RouteTable
	for _, t := range tables(o, spec.ParentRefs, spec.Hostnames, rules) {
		if t.Gateways[0] == model.Mesh {
			o.NotHonoured(object.Path(t.From[0].Path), "between services connections go to the host that was called; name a Gateway")
			continue
		}
		t.Order, t.Unopened = model.AsWritten, true
		all = append(all, t)
	}
	return all
}
