package gateway

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// HTTPRoute gives a route table for each parent.
func HTTPRoute(o *object.Object, spec *gatewayv1.HTTPRouteSpec) []model.RouteTable {
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
		if r, ok := rule(o, at, &spec.Rules[i]); ok {
			rules = append(rules, r)
		}
	}
	return tables(o, spec.ParentRefs, spec.Hostnames, rules)
}

// tables attaches the rules to each parent. The port of a table of a gateway is
// that of the listeners it asked for.
func tables(o *object.Object, parents []gatewayv1.ParentReference, names []gatewayv1.Hostname, rules []model.Rule) []model.RouteTable {
	hosts := hostnames(o, names)
	if len(parents) == 0 {
		o.Invalid(object.Spec.Dot("parentRefs"), "is empty; name the Gateway or the Service that the rules are for")
	}
	var all []model.RouteTable
	for i, parent := range parents {
		at := object.Spec.Dot("parentRefs").At(i)
		t := model.RouteTable{
			Object: o.Key, Index: i, Port: uint32(value(parent.Port, 0)), Rank: o.Rank, Order: model.BySpecific,
			Rules: rules, From: []model.Origin{o.Origin(at)},
		}
		if parent.Port != nil && !o.CheckPort(at.Dot("port"), t.Port) {
			continue
		}
		namespace := string(value(parent.Namespace, gatewayv1.Namespace(o.Namespace)))
		switch group, kind := value(parent.Group, Group), value(parent.Kind, "Gateway"); {
		case group == Group && (kind == "Gateway" || kind == "ListenerSet"):
			t.Gateways, t.Hosts = []string{namespace + "/" + string(parent.Name)}, hosts
			if kind == "ListenerSet" {
				t.Gateways[0] = setPrefix + t.Gateways[0]
			}
			if section := string(value(parent.SectionName, "")); section != "" {
				t.Sections = []string{section}
			}
		case group == "" && kind == "Service":
			t.Gateways, t.Hosts = []string{model.Mesh}, []string{model.HostOf(namespace, string(parent.Name))}
			if parent.SectionName != nil {
				o.NotHonoured(at.Dot("sectionName"), "weft knows ports of a parent Service by number; use port")
				continue
			}
		default:
			o.NotHonoured(at.Dot("kind"), "weft does not know a parent of kind %s; use a Gateway or a Service", kind)
			continue
		}
		if len(t.Hosts) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func hostnames(o *object.Object, names []gatewayv1.Hostname) []string {
	if len(names) == 0 {
		return []string{"*"}
	}
	var hosts []string
	for i, name := range names {
		host := strings.ToLower(string(name))
		if o.CheckHost(object.Spec.Dot("hostnames").At(i), host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func rule(o *object.Object, at object.Path, in *gatewayv1.HTTPRouteRule) (model.Rule, bool) {
	r := model.Rule{Name: string(value(in.Name, "")), Origin: o.Origin(at)}
	for i := range in.Matches {
		if m, ok := match(o, at.Dot("matches").At(i), &in.Matches[i]); ok {
			r.Matches = append(r.Matches, m)
		}
	}
	if len(in.Matches) > 0 && len(r.Matches) == 0 {
		return r, false // it must not come to match everything
	}
	f := filters{Object: o, rule: &r}
	for i := range in.Filters {
		f.apply(at.Dot("filters").At(i), &in.Filters[i])
	}
	timeouts(o, at, in, &r)
	if f.broken {
		return model.Rule{Name: r.Name, Matches: r.Matches, Origin: r.Origin}, true
	}
	if r.Redirect == nil {
		r.Backends = backends(o, at.Dot("backendRefs"), in.BackendRefs)
	}
	return r, true
}

func match(o *object.Object, at object.Path, in *gatewayv1.HTTPRouteMatch) (model.Match, bool) {
	m := model.Match{}
	sound := true
	if in.Path != nil {
		m.Path, sound = path(o, at.Dot("path"), in.Path)
	}
	if in.Method != nil {
		m.Method.Exact = string(*in.Method)
	}
	seen := map[string]bool{}
	for i, h := range in.Headers {
		name := strings.ToLower(string(h.Name))
		if seen[name] {
			continue // the Gateway API: the first one of a name counts
		}
		seen[name] = true
		place := at.Dot("headers").At(i)
		v, ok := text(o, place, string(value(h.Type, gatewayv1.HeaderMatchExact)), h.Value)
		sound = o.CheckHeaderName(place.Dot("name"), name) && ok && sound
		m.Headers = append(m.Headers, model.HeaderMatch{Name: name, Value: v})
	}
	for i, q := range in.QueryParams {
		v, ok := text(o, at.Dot("queryParams").At(i), string(value(q.Type, gatewayv1.QueryParamMatchExact)), q.Value)
		sound = ok && sound
		m.Query = append(m.Query, model.HeaderMatch{Name: string(q.Name), Value: v})
	}
	return m, sound
}

func path(o *object.Object, at object.Path, in *gatewayv1.HTTPPathMatch) (model.StringMatch, bool) {
	v := value(in.Value, "/")
	switch kind := value(in.Type, gatewayv1.PathMatchPathPrefix); {
	case kind == gatewayv1.PathMatchRegularExpression:
		return text(o, at, string(kind), v)
	case !strings.HasPrefix(v, "/"):
		o.Invalid(at.Dot("value"), "%q is no path; begin it with /", v)
		return model.StringMatch{}, false
	case kind == gatewayv1.PathMatchExact:
		return model.StringMatch{Exact: v}, true
	case kind == gatewayv1.PathMatchPathPrefix:
		if v = strings.TrimRight(v, "/"); v == "" {
			return model.StringMatch{}, true
		}
		return model.StringMatch{PathPrefix: v}, true
	}
	o.NotHonoured(at.Dot("type"), "weft does not know %q; use Exact, PathPrefix or RegularExpression", *in.Type)
	return model.StringMatch{}, false
}

func text(o *object.Object, at object.Path, kind, v string) (model.StringMatch, bool) {
	switch kind {
	case "Exact":
		if v == "" {
			return model.StringMatch{Regex: "^$"}, true
		}
		return model.StringMatch{Exact: v}, true
	case "RegularExpression":
		if v == "" {
			o.Invalid(at.Dot("value"), "is empty; write an expression")
			return model.StringMatch{}, false
		}
		return model.StringMatch{Regex: v}, o.CheckRegex(at.Dot("value"), v)
	}
	o.NotHonoured(at.Dot("type"), "weft does not know %q; use Exact or RegularExpression", kind)
	return model.StringMatch{}, false
}

func backends(o *object.Object, at object.Path, refs []gatewayv1.HTTPBackendRef) []model.Backend {
	var all []model.Backend
	for i := range refs {
		place := at.At(i)
		b := backend(o, place, &refs[i].BackendObjectReference)
		b.Weight = o.Count(place.Dot("weight"), value(refs[i].Weight, 1))
		changes := model.Rule{}
		f := filters{Object: o, rule: &changes, ofBackend: true}
		for j := range refs[i].Filters {
			f.apply(place.Dot("filters").At(j), &refs[i].Filters[j])
		}
		b.Rewrite, b.RequestHeaders, b.ResponseHeaders = changes.Rewrite, changes.RequestHeaders, changes.ResponseHeaders
		if f.broken {
			b.Invalid = "weft does not do one of its filters"
		}
		all = append(all, b)
	}
	return all
}

func backend(o *object.Object, at object.Path, ref *gatewayv1.BackendObjectReference) model.Backend {
	namespace := string(value(ref.Namespace, gatewayv1.Namespace(o.Namespace)))
	b := model.Backend{
		Host: model.HostOf(namespace, string(ref.Name)), Port: uint32(value(ref.Port, 0)), Weight: 1, Origin: o.Origin(at),
	}
	switch {
	case value(ref.Group, "") != "" || value(ref.Kind, "Service") != "Service":
		b.Invalid = "it is no Service"
		o.Invalid(at.Dot("kind"), "weft sends requests to Services only, not to a %s", value(ref.Kind, "Service"))
	case ref.Port == nil:
		b.Invalid = "it has no port"
		o.Report(model.ProblemMissingPort, at.Dot("port"), "is missing; name the port of the Service")
	case !o.CheckPort(at.Dot("port"), b.Port), !o.CheckHost(at.Dot("name"), b.Host):
		b.Invalid = "it is not usable"
	}
	return b
}

// defaultAttempts are those that a rule has that asks for no other number.
const (
	defaultAttempts = 2
	maxAttempts     = 10
)

func timeouts(o *object.Object, at object.Path, in *gatewayv1.HTTPRouteRule, r *model.Rule) {
	idempotent := o.Annotations[object.IdempotentAnnotation] == "true"
	if in.Retry != nil {
		place := at.Dot("retry")
		attempts := value(in.Retry.Attempts, defaultAttempts)
		if attempts < 0 || attempts > maxAttempts {
			o.Invalid(place.Dot("attempts"), "%d is out of range; write 0 to %d", attempts, maxAttempts)
			attempts = defaultAttempts
		}
		r.Retry = &model.Retry{Attempts: uint32(attempts), NotMethods: idempotent, Backoff: duration(o, place.Dot("backoff"), in.Retry.Backoff)}
		r.Retry.On = []string{"reset"} // no answer at all, in time or ever, is no better than one of the codes
		for _, code := range in.Retry.Codes {
			r.Retry.Statuses = append(r.Retry.Statuses, uint32(code))
		}
		if len(in.Retry.Codes) == 0 {
			r.Retry.Statuses = []uint32{http.StatusServiceUnavailable} // as where nobody says anything of retries
		}
	}
	if in.Timeouts == nil {
		return
	}
	place := at.Dot("timeouts")
	if in.Timeouts.Request != nil {
		r.Timeout = cmp.Or(duration(o, place.Dot("request"), in.Timeouts.Request), model.NoTimeout)
	}
	if perTry := duration(o, place.Dot("backendRequest"), in.Timeouts.BackendRequest); perTry > 0 {
		if r.Retry == nil {
			r.Retry = &model.Retry{Attempts: defaultAttempts, NotMethods: idempotent}
		}
		r.Retry.PerTry = perTry
	}
}

var durationForm = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)

func duration(o *object.Object, at object.Path, d *gatewayv1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	v, err := time.ParseDuration(string(*d))
	if err != nil || !durationForm.MatchString(string(*d)) {
		o.Invalid(at, "%q is no duration; write one such as 500ms or 2s", *d)
		return 0
	}
	return o.CheckDuration(at, v)
}
