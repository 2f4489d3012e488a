package istio

import (
	"cmp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// VirtualService gives one route table, or none where nothing of it is usable, and
// those of whole connections. A rule with an unusable part is
// left out; the others stay.
func VirtualService(o *object.Object, spec *networking.VirtualService) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	exportTo(o, object.Spec.Dot("exportTo"), spec.ExportTo)
	t := model.RouteTable{
		Object: o.Key, Rank: o.Rank, From: o.Whole(),
		Gateways: gatewayNames(o, object.Spec.Dot("gateways"), spec.Gateways),
	}
	if len(spec.Gateways) == 0 {
		t.Gateways = []string{model.Mesh}
	}
	t.Hosts, t.Gateways = tableHosts(o, spec.Hosts, t.Gateways)
	whole := connections(o, spec, t)
	t.Rules = rules(o, spec.Http, t.Gateways)
	if len(t.Hosts) == 0 || len(t.Gateways) == 0 || len(spec.Http) == 0 {
		return whole
	}
	return append([]model.RouteTable{t}, whole...)
}

// gatewayNames resolves "name" and "namespace/name" to the names of gateways.
func gatewayNames(o *object.Object, at object.Path, names []string) []string {
	var all []string
	for i, name := range names {
		switch namespace, rest, found := strings.Cut(name, "/"); {
		case name == model.Mesh:
		case name == "" || found && (rest == "" || strings.Contains(rest, "/")):
			o.Invalid(at.At(i), "%q names no gateway; write NAME, NAMESPACE/NAME or mesh", name)
			continue
		case namespace == "." && found:
			name = gatewayPrefix + o.Namespace + "/" + rest
		case !found:
			name = gatewayPrefix + o.Namespace + "/" + name
		default:
			name = gatewayPrefix + name
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// tableHosts resolves the hosts. Every host at once is only a gateway's to give.
func tableHosts(o *object.Object, names, gateways []string) (hosts, at []string) {
	place := object.Spec.Dot("hosts")
	for i, name := range names {
		host := o.Host(name)
		if !o.CheckHost(place.At(i), host) {
			continue
		}
		if host == "*" && slices.Contains(gateways, model.Mesh) {
			o.Invalid(place.At(i), "\"*\" cannot be taken over for calls between services; name the hosts, or a gateway in spec.gateways")
			gateways = slices.DeleteFunc(slices.Clone(gateways), func(g string) bool { return g == model.Mesh })
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, gateways
}

// rules at gateways; nil: wherever those are who delegate to them.
func rules(o *object.Object, routes []*networking.HTTPRoute, gateways []string) []model.Rule {
	var all []model.Rule
	matches := 0
	for i, route := range routes {
		at := object.Spec.Dot("http").At(i)
		if matches += 1 + len(route.GetMatch()); matches > object.MaxMatches {
			o.Invalid(at, "the object has more than %d matches; this rule and those after it have no effect", object.MaxMatches)
			break
		}
		if rule, ok := rule(o, at, route, gateways); ok {
			all = append(all, rule)
		}
	}
	return all
}

func rule(o *object.Object, at object.Path, route *networking.HTTPRoute, gateways []string) (model.Rule, bool) {
	r := model.Rule{Name: route.GetName(), Origin: o.Origin(at)}
	var ok bool
	if r.Matches, ok = matches(o, at.Dot("match"), route.GetMatch(), gateways); !ok {
		return r, false
	}
	if !action(o, at, route, &r) {
		return r, false
	}
	r.Rewrite = rewrite(o, at.Dot("rewrite"), route.GetRewrite())
	headers(o, at.Dot("headers"), route.GetHeaders(), &r.RequestHeaders, &r.ResponseHeaders, &r.Rewrite)
	r.Fault = fault(o, at.Dot("fault"), route.GetFault())
	r.Mirrors = mirrors(o, at, route)
	r.CORS = cors(o, at.Dot("corsPolicy"), route.GetCorsPolicy())
	if route.GetTimeout() != nil {
		r.Timeout = cmp.Or(o.Duration(at.Dot("timeout"), route.Timeout), model.NoTimeout)
	}
	r.Retry = retry(o, at.Dot("retries"), route.GetRetries())
	return r, true
}

// action is what the rule does with a request: exactly one thing.
func action(o *object.Object, at object.Path, route *networking.HTTPRoute, r *model.Rule) bool {
	var named []string
	for name, set := range map[string]bool{
		"route": len(route.GetRoute()) > 0, "redirect": route.GetRedirect() != nil, "directResponse": route.GetDirectResponse() != nil,
		"delegate": route.GetDelegate() != nil,
	} {
		if set {
			named = append(named, name)
		}
	}
	slices.Sort(named)
	if len(named) > 1 {
		o.Invalid(at, "has %s; a rule does one thing, so keep one of them", strings.Join(named, " and "))
		return false
	}
	switch {
	case route.GetRedirect() != nil:
		r.Redirect = redirect(o, at.Dot("redirect"), route.Redirect)
	case route.GetDirectResponse() != nil:
		r.Direct = direct(o, at.Dot("directResponse"), route.DirectResponse)
	case len(route.GetRoute()) > 0:
		r.Backends = backends(o, at.Dot("route"), route.Route)
	case route.GetDelegate() != nil:
		r.Delegate = delegateKey(o, at.Dot("delegate"), route.Delegate)
	default:
		o.Invalid(at, "does nothing; add route, redirect, directResponse or delegate")
		return false
	}
	return r.Redirect != nil || r.Direct != nil || r.Delegate != nil || len(r.Backends) > 0
}

func backends(o *object.Object, at object.Path, routes []*networking.HTTPRouteDestination) []model.Backend {
	var all []model.Backend
	var sum uint32
	for i, route := range routes {
		place := at.At(i)
		b, ok := backend(o, place.Dot("destination"), route.GetDestination())
		if !ok {
			b.Invalid = "the destination is not usable"
		}
		b.Weight = o.Count(place.Dot("weight"), route.GetWeight())
		if len(routes) == 1 && b.Weight == 0 {
			b.Weight = 100
		}
		headers(o, place.Dot("headers"), route.GetHeaders(), &b.RequestHeaders, &b.ResponseHeaders, &b.Rewrite)
		sum += min(b.Weight, maxWeight)
		all = append(all, b)
	}
	if sum == 0 || sum > maxWeight {
		o.Invalid(at, "the weights sum to %d; give the destinations shares that sum to 100", sum)
		return nil
	}
	return all
}

// maxWeight keeps the sum of weights far from overflow.
const maxWeight = 1_000_000

func backend(o *object.Object, at object.Path, d *networking.Destination) (model.Backend, bool) {
	b := model.Backend{
		Host: o.Host(d.GetHost()), Subset: d.GetSubset(), Port: d.GetPort().GetNumber(), Weight: 1, Origin: o.Origin(at),
	}
	if b.Host == "" || b.Host == "*" {
		o.Invalid(at.Dot("host"), "%q is no host of one service; name the service", d.GetHost())
		return b, false
	}
	if !o.CheckHost(at.Dot("host"), b.Host) {
		return b, false
	}
	if d.GetPort() != nil && !o.CheckPort(at.Dot("port").Dot("number"), b.Port) {
		return b, false
	}
	return b, true
}
