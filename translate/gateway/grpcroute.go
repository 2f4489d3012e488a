package gateway

import (
	"regexp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// GRPCRoute gives a route table for each parent. A gRPC call is a request whose
// path is /SERVICE/METHOD, so each rule is an HTTPRoute's.
func GRPCRoute(o *object.Object, spec *gatewayv1.GRPCRouteSpec) []model.RouteTable {
	if !o.Audit(spec, honoured) {
		return nil
	}
	var rules []model.Rule
	matches := 0
	for i := range spec.Rules {
		at := object.Spec.Dot("rules").At(i)
		if matches += 1 + len(spec.Rules[i].Matches); matches > object.MaxMatches {
			o.Invalid(at, "the object has more than %d matches; this rule and those after it have no effect", object.MaxMatches)
			break
		}
		in, ok := asHTTP(o, at, &spec.Rules[i])
		if !ok {
			continue
		}
		if r, ok := rule(o, at, &in); ok {
			rules = append(rules, r)
		}
	}
	return tables(o, spec.ParentRefs, spec.Hostnames, rules)
}

func asHTTP(o *object.Object, at object.Path, in *gatewayv1.GRPCRouteRule) (gatewayv1.HTTPRouteRule, bool) {
	out := gatewayv1.HTTPRouteRule{Name: in.Name, Filters: httpFilters(in.Filters)}
	for i := range in.Matches {
		m := gatewayv1.HTTPRouteMatch{}
		for _, h := range in.Matches[i].Headers {
			kind := gatewayv1.HeaderMatchType(value(h.Type, gatewayv1.GRPCHeaderMatchExact))
			m.Headers = append(m.Headers, gatewayv1.HTTPHeaderMatch{Type: &kind, Name: gatewayv1.HTTPHeaderName(h.Name), Value: h.Value})
		}
		if method := in.Matches[i].Method; method != nil {
			var ok bool
			if m.Path, ok = call(o, at.Dot("matches").At(i).Dot("method"), method); !ok {
				continue
			}
		}
		out.Matches = append(out.Matches, m)
	}
	for _, ref := range in.BackendRefs {
		out.BackendRefs = append(out.BackendRefs, gatewayv1.HTTPBackendRef{BackendRef: ref.BackendRef, Filters: httpFilters(ref.Filters)})
	}
	return out, len(out.Matches) > 0 || len(in.Matches) == 0
}

func httpFilters(all []gatewayv1.GRPCRouteFilter) []gatewayv1.HTTPRouteFilter {
	var out []gatewayv1.HTTPRouteFilter
	for _, f := range all {
		out = append(out, gatewayv1.HTTPRouteFilter{
			Type: gatewayv1.HTTPRouteFilterType(f.Type), RequestHeaderModifier: f.RequestHeaderModifier,
			ResponseHeaderModifier: f.ResponseHeaderModifier, RequestMirror: f.RequestMirror,
		})
	}
	return out
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_.]*$`)

// call is the path of the calls that a match is about.
func call(o *object.Object, at object.Path, m *gatewayv1.GRPCMethodMatch) (*gatewayv1.HTTPPathMatch, bool) {
	service, method := value(m.Service, ""), value(m.Method, "")
	kind, path := gatewayv1.PathMatchRegularExpression, ""
	switch of := value(m.Type, gatewayv1.GRPCMethodMatchExact); {
	case service == "" && method == "":
		o.Invalid(at, "names neither service nor method; name one of them")
		return nil, false
	case of == gatewayv1.GRPCMethodMatchRegularExpression:
		path = "/(" + orAny(service) + ")/(" + orAny(method) + ")"
	case of != gatewayv1.GRPCMethodMatchExact:
		o.NotHonoured(at.Dot("type"), "weft does not know %q; use Exact or RegularExpression", of)
		return nil, false
	case !nameForm.MatchString(service) || !nameForm.MatchString(method):
		o.Invalid(at, "%q and %q are no names of a gRPC service and method", service, method)
		return nil, false
	case method == "":
		kind, path = gatewayv1.PathMatchPathPrefix, "/"+service
	case service == "":
		path = "/[^/]+/" + regexp.QuoteMeta(method)
	default:
		kind, path = gatewayv1.PathMatchExact, "/"+service+"/"+method
	}
	return &gatewayv1.HTTPPathMatch{Type: &kind, Value: &path}, true
}

func orAny(expr string) string {
	if expr == "" {
		return "[^/]+"
	}
	return expr
}
