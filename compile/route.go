package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// world is what routes look up by host.
type world struct {
	service func(host string) (shape, bool)
	policy  func(host string) model.Policy
	split   func(host string) *model.Split
}

// router compiles the routes of one virtual host and collects what they come from.
type router struct {
	world
	port     uint32 // that the caller named; 0: unknown
	domain   string // that requests are for, "*.suffix" too
	private  privacy
	from     []model.Key
	problems []model.Problem
	counted  []string // names of routes that are counted
	// limits are those that are for requests of a route; nil: there are none.
	limits func(candidate) []model.LimitID
}

func newRouter(w world, domain string, port uint32) *router {
	return &router{world: w, domain: domain, port: port, private: byHeader}
}

// conditional is a route for some callers.
type conditional struct {
	route *routev3.Route
	when  condition
}

// routes of one candidate, in the order in which they must be tried.
func (r *router) routes(c candidate) []conditional {
	r.from = append(r.from, keysOf(c.table.From)...)
	m, err := match(c.match)
	if err != nil {
		r.problem(c.rule.Origin, model.ProblemInvalid, err.Error()+"; this match is left out")
		return nil
	}
	r.checkHeaders(c.rule)
	c.rule = r.askable(r.heldIn(c.rule))
	change, reply := headerChange(c.rule.RequestHeaders), headerChange(c.rule.ResponseHeaders)
	base := &routev3.Route{
		Name: routeName(c.rule), Match: m, Metadata: r.metadata(c),
		RequestHeadersToAdd: change.add, RequestHeadersToRemove: change.remove,
		ResponseHeadersToAdd: reply.add, ResponseHeadersToRemove: reply.remove,
		TypedPerFilterConfig: routeFilters(c.rule),
	}
	var all []*routev3.Route
	switch {
	case c.rule.Redirect != nil:
		base.Action = &routev3.Route_Redirect{Redirect: redirect(r.elsewhere(c), c.match)}
		all = []*routev3.Route{base}
	case c.rule.Direct != nil:
		base.Action = direct(c.rule.Direct.Status, c.rule.Direct.Body)
		all = []*routev3.Route{base}
	default:
		base.Metadata = r.count(base.Metadata, c)
		all = r.forward(base, c)
	}
	out := make([]conditional, 0, len(all))
	for _, route := range all {
		if err := refusal(route); err != nil {
			r.problem(c.rule.Origin, model.ProblemInvalid, "no proxy would accept this: "+err.Error()+"; this match is left out")
			return nil // with the others, which are for parts of the same requests
		}
		out = append(out, conditional{route: route, when: conditionOf(c.match)})
	}
	return out
}

// metadata is what every route of a candidate says of itself: where it comes from, and which limits are for its requests.
func (r *router) metadata(c candidate, also ...model.Origin) *corev3.Metadata {
	m := provenance(append([]model.Origin{c.rule.Origin}, also...)...)
	if r.limits == nil {
		return m
	}
	return markedBy(m, r.limits(c))
}

// refusal says why Envoy would refuse a route, and with it its whole table.
func refusal(route *routev3.Route) error {
	for _, rewrite := range []*matcherv3.RegexMatchAndSubstitute{route.GetRoute().GetRegexRewrite(), route.GetRedirect().GetRegexRewrite()} {
		if rewrite == nil {
			continue
		}
		if err := cmp.Or(checkRegex(rewrite.Pattern.Regex), checkSubstitution(rewrite.Pattern.Regex, rewrite.Substitution)); err != nil {
			return fmt.Errorf("rewrite: %w", err)
		}
	}
	return route.Validate()
}

// routeName is how access records and people name the rule.
func routeName(r model.Rule) string {
	name := cmp.Or(r.Name, r.Origin.Path, "rule")
	if r.Part != "" {
		name += "+" + r.Part
	}
	if r.Origin.Key == (model.Key{}) {
		return name
	}
	return r.Origin.Key.Namespace + "/" + r.Origin.Key.Name + "/" + name
}

func routeFilters(r model.Rule) map[string]*anypb.Any {
	filters := map[string]*anypb.Any{}
	if r.Fault != nil {
		filters[FaultFilter] = pack(fault(*r.Fault))
	}
	if r.CORS != nil {
		filters[CORSFilter] = pack(cors(*r.CORS))
	}
	if len(filters) == 0 {
		return nil
	}
	return filters
}

// forward makes the routes of a rule that has backends: what is asked instead of one that failed, the private
// addresses of versions, the share of invalid backends, the rest.
func (r *router) forward(base *routev3.Route, c candidate) []*routev3.Route {
	all := append(r.insteadRoutes(base, c), r.privateRoutes(base, c)...)
	targets, broken := r.targets(c.rule.Backends)
	total := weightOf(targets)
	if total == 0 {
		base.Action = direct(500, noBackend)
		return append(all, base)
	}
	if broken > 0 {
		share := proto.Clone(base).(*routev3.Route)
		share.Match.RuntimeFraction = &corev3.RuntimeFractionalPercent{
			DefaultValue: fraction(100 * float64(broken) / float64(broken+total)),
		}
		share.Action = direct(500, noBackend)
		all = append(all, share)
	}
	r.send(base, c, targets)
	return append(append(all, hedged(base, c.rule.Retry)...), base)
}

const noBackend = "weft: no backend of this route can be reached; `weft get problems` says why\n"

// send makes the route forward to the targets.
func (r *router) send(route *routev3.Route, c candidate, targets []target) {
	action := &routev3.RouteAction{
		// A max_stream_duration beside it, even an empty one, would switch it off.
		Timeout:               durationpb.New(max(c.rule.Timeout, 0)),
		RequestMirrorPolicies: r.mirrors(c.rule.Mirrors),
		HashPolicy:            hashPolicy(targets[0].traffic.Hash),
	}
	if c.rule.Retry != nil {
		action.RetryPolicy = retry(c.rule.Retry)
	}
	if host := headerChange(c.rule.RequestHeaders).host; host != "" {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: host}
	}
	rewrite(action, c.rule.Rewrite, c.match)
	if len(c.rule.Backends) == 1 {
		rewrite(action, c.rule.Backends[0].Rewrite, c.match)
	}
	route.Metadata = settledBy(route.Metadata, c.rule.Calls)
	r.destine(route, action, targets)
	route.Action = &routev3.Route_Route{Route: action}
}

// destine sets where the requests go: one cluster, or shares of several.
func (r *router) destine(route *routev3.Route, action *routev3.RouteAction, targets []target) {
	if len(targets) == 1 && targets[0].plain() {
		action.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: targets[0].cluster}
		route.TypedPerFilterConfig = r.withFallback(route.TypedPerFilterConfig, targets[0])
		return
	}
	weighted := &routev3.WeightedCluster{}
	for _, t := range targets {
		change, reply := headerChange(t.backend.RequestHeaders), headerChange(t.backend.ResponseHeaders)
		w := &routev3.WeightedCluster_ClusterWeight{
			Name: t.cluster, Weight: u32(t.weight),
			RequestHeadersToAdd: change.add, RequestHeadersToRemove: change.remove,
			ResponseHeadersToAdd: reply.add, ResponseHeadersToRemove: reply.remove,
			TypedPerFilterConfig: r.withFallback(nil, t),
		}
		host := change.host
		if t.backend.Rewrite != nil {
			host = cmp.Or(t.backend.Rewrite.Host, host)
		}
		if host != "" {
			w.HostRewriteSpecifier = &routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral{HostRewriteLiteral: host}
		}
		weighted.Clusters = append(weighted.Clusters, w)
	}
	ownHosts(action, weighted.Clusters)
	action.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: weighted}
}

// ownHosts has the host that a backend is asked for win over that of its rule: Envoy lets the route's win.
func ownHosts(action *routev3.RouteAction, all []*routev3.WeightedCluster_ClusterWeight) {
	host := action.GetHostRewriteLiteral()
	if host == "" || !slices.ContainsFunc(all, func(w *routev3.WeightedCluster_ClusterWeight) bool { return w.GetHostRewriteLiteral() != "" }) {
		return
	}
	action.HostRewriteSpecifier = nil
	for _, w := range all {
		w.HostRewriteSpecifier = &routev3.WeightedCluster_ClusterWeight_HostRewriteLiteral{HostRewriteLiteral: cmp.Or(w.GetHostRewriteLiteral(), host)}
	}
}

func (r *router) withFallback(filters map[string]*anypb.Any, t target) map[string]*anypb.Any {
	f := t.backend.Fallback
	if f == nil {
		return filters
	}
	r.from = append(r.from, keysOf(f.From)...)
	if filters == nil {
		filters = map[string]*anypb.Any{}
	}
	filters[FallbackFilter] = pack(fallback(*f))
	return filters
}

func (r *router) mirrors(all []model.Mirror) []*routev3.RouteAction_RequestMirrorPolicy {
	var out []*routev3.RouteAction_RequestMirrorPolicy
	for _, m := range all {
		t, ok := r.target(m.Backend)
		if !ok || m.Percent <= 0 {
			continue
		}
		out = append(out, &routev3.RouteAction_RequestMirrorPolicy{
			Cluster:         t.cluster,
			RuntimeFraction: &corev3.RuntimeFractionalPercent{DefaultValue: fraction(m.Percent)},
		})
	}
	return out
}

func hashPolicy(k *model.HashKey) []*routev3.RouteAction_HashPolicy {
	p := &routev3.RouteAction_HashPolicy{}
	switch {
	case k == nil:
		return nil
	case k.Header != "":
		p.PolicySpecifier = &routev3.RouteAction_HashPolicy_Header_{Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: k.Header}}
	case k.Query != "":
		p.PolicySpecifier = &routev3.RouteAction_HashPolicy_QueryParameter_{QueryParameter: &routev3.RouteAction_HashPolicy_QueryParameter{Name: k.Query}}
	case k.Cookie != "":
		p.PolicySpecifier = &routev3.RouteAction_HashPolicy_Cookie_{Cookie: &routev3.RouteAction_HashPolicy_Cookie{
			Name: k.Cookie, Ttl: durationpb.New(k.CookieTTL), Path: cmp.Or(k.CookiePath, "/"),
		}}
	case k.SourceIP:
		p.PolicySpecifier = &routev3.RouteAction_HashPolicy_ConnectionProperties_{ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true}}
	default:
		return nil
	}
	return []*routev3.RouteAction_HashPolicy{p}
}

// checkHeaders reports changes that Envoy would refuse the whole table for;
// they are left out.
func (r *router) checkHeaders(rule model.Rule) {
	report := func(c model.HeaderChange, at model.Origin) {
		if bad := refusedHeaders(c); len(bad) > 0 {
			r.problem(at, model.ProblemInvalid, "headers "+strings.Join(bad, ", ")+": no valid name or value, or not to be removed; these changes are left out")
		}
	}
	report(rule.RequestHeaders, rule.Origin)
	report(rule.ResponseHeaders, rule.Origin)
	for _, b := range rule.Backends {
		report(b.RequestHeaders, b.Origin)
		report(b.ResponseHeaders, b.Origin)
	}
}

func (r *router) problem(at model.Origin, code, message string) {
	p := model.Problem{Object: at.Key, Code: code, Path: at.Path, Message: message}
	if at.Key != (model.Key{}) && !slices.Contains(r.problems, p) {
		r.problems = append(r.problems, p)
	}
}

// elsewhere is where a rule redirects to. A route of the Gateway API that names
// another host of a gateway, and neither scheme nor port, means the port of the
// listener; one that keeps the host keeps what the caller named.
func (r *router) elsewhere(c candidate) model.Redirect {
	to := *c.rule.Redirect
	if c.table.Order == model.BySpecific && !slices.Contains(c.table.Gateways, model.Mesh) && to.Host != "" && to.Scheme == "" && to.Port == 0 {
		to.Port = r.port
	}
	return to
}
