package compile

import (
	"fmt"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/flow"
	"weft.dev/model"
)

// virtualHost is how one port of one service is called. Key: host and port.
// What depends on the caller, short names and conditions, is applied when a
// route table is put together.
type virtualHost struct {
	Service  shape
	Port     uint32
	Bare     bool // it answers for the names without a port, too
	Routes   []conditional
	From     []model.Key
	Problems []model.Problem
	sum      uint64 // hash of all that the routes say
}

func (v virtualHost) Key() string { return v.Service.Host + ":" + strconv.Itoa(int(v.Port)) }

func (v virtualHost) resourceName() string { return OutboundRoutes + "/" + v.Key() }

func (v virtualHost) Equal(o virtualHost) bool {
	return v.sum == o.sum && v.Bare == o.Bare && v.Service.Equal(o.Service) &&
		slices.Equal(v.From, o.From) && slices.Equal(v.Problems, o.Problems)
}

// virtualHosts are those of a service, tables being what is said of its host.
func virtualHosts(w world, s shape, tables []model.RouteTable) []virtualHost {
	bare := barePort(s.Service)
	all := make([]virtualHost, 0, len(s.Ports))
	for _, port := range s.Ports {
		r := newRouter(w, s.Host, port.Number)
		r.from = keysOf(s.From)
		v := virtualHost{Service: s, Port: port.Number, Bare: port.Number == bare}
		if port.Protocol.IsHTTP() {
			v.Routes = r.serviceRoutes(s.Service, port, tables)
		} else {
			v.Routes = r.tunnel(s, port)
		}
		if len(v.Routes) > 0 {
			v.Routes = withRest(v.Routes)
		}
		v.From, v.Problems = distinct(r.from), r.problems
		v.sum = fingerprint(v.Routes)
		all = append(all, v)
	}
	return all
}

// barePort is the port that a URL without one means: 80, else the only one of HTTP.
func barePort(s model.Service) uint32 {
	var http []uint32
	for _, p := range s.Ports {
		if p.Protocol.IsHTTP() {
			http = append(http, p.Number)
		}
	}
	switch {
	case slices.Contains(http, 80):
		return 80
	case len(http) == 1:
		return http[0]
	}
	return 0
}

func (r *router) serviceRoutes(s model.Service, port model.Port, tables []model.RouteTable) []conditional {
	var routes []conditional
	rules := candidates(tables, entrance{gateway: model.Mesh, port: port.Number})
	for _, c := range rules {
		routes = append(routes, r.routes(c)...)
	}
	if !slices.ContainsFunc(rules, func(c candidate) bool { return !c.table.Visiting }) {
		routes = append(routes, r.routes(defaultCandidate(s, port))...)
	}
	return append(routes, conditional{route: connectRoute(connectName)})
}

// defaultCandidate sends everything to the service that was called.
func defaultCandidate(s model.Service, port model.Port) candidate {
	rule := model.Rule{Name: "default", Backends: []model.Backend{{Host: s.Host, Port: port.Number, Weight: 1}}}
	if len(s.From) > 0 {
		rule.Origin = s.From[0]
	}
	return candidate{rule: rule}
}

// tunnel routes CONNECT to a port whose protocol is not HTTP: the bytes go to
// its endpoints as they are.
func (r *router) tunnel(s shape, port model.Port) []conditional {
	name := model.ClusterName(s.Host, port.Number, "")
	for _, d := range destinations(s, r.policy(s.Host), nil) {
		if d.Key() == name {
			r.from = append(r.from, d.From...)
			route := connectRoute(name)
			route.Metadata = provenance(s.From...)
			return []conditional{{route: route}}
		}
	}
	return nil
}

// connectName is the cluster, and the internal listener, to which CONNECT goes
// that asks for an HTTP port: what is inside of it is routed like any request.
const connectName = "connect"

func connectRoute(cluster string) *routev3.Route {
	return &routev3.Route{
		Name:  "connect",
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
			Timeout:          noTimeout(),
			UpgradeConfigs: []*routev3.RouteAction_UpgradeConfig{{
				UpgradeType: "CONNECT", ConnectConfig: &routev3.RouteAction_UpgradeConfig_ConnectConfig{},
			}},
		}},
	}
}

// clustersOf are those to which routes lead, sorted.
func clustersOf(routes ...*routev3.Route) []string {
	all := map[string]struct{}{}
	for _, r := range routes {
		action := r.GetRoute()
		if name := action.GetCluster(); name != "" {
			all[name] = struct{}{}
		}
		for _, w := range action.GetWeightedClusters().GetClusters() {
			all[w.Name] = struct{}{}
		}
		for _, m := range action.GetRequestMirrorPolicies() {
			all[m.Cluster] = struct{}{}
		}
	}
	return model.SortedKeys(all)
}

// fingerprint stands for routes in comparisons.
func fingerprint(routes []conditional) uint64 {
	var all []byte
	for _, c := range routes {
		body := encode(c.route)
		all = fmt.Appendf(all, "%d|%s|%s|%s|", len(body), c.when.Labels, c.when.Namespace, c.when.Identities)
		all = append(all, body...)
	}
	return model.HashBody(all)
}

// when are the conditions of the routes, each once.
func (v virtualHost) when() (all []condition) {
	for _, c := range v.Routes {
		if !c.when.isZero() && !slices.Contains(all, c.when) {
			all = append(all, c.when)
		}
	}
	return all
}

// RouteNone is the route of requests to a known host that no other of its routes takes.
const RouteNone = "no-route"

const noRouteBody = "weft: no route of the host %REQ(:AUTHORITY)% takes this request\n"

// withRest has the routes leave nothing over: a request that a host's routes do not take must
// not look like one to a host that nobody has.
func withRest(routes []conditional) []conditional {
	rest := noRoute()
	for _, c := range routes {
		if c.when.isZero() && proto.Equal(c.route.Match, rest.Match) {
			return routes
		}
	}
	return append(routes, conditional{route: rest})
}

func noRoute() *routev3.Route {
	everything := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	return &routev3.Route{Name: RouteNone, Match: everything, Action: said(404, noRouteBody)}
}

// said answers with a text of ours.
func said(status uint32, text string) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: status,
		BodyFormat: &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
			TextFormatSource: inline(text),
		}},
	}}
}

// Where callers of a service are.
const (
	everywhere = 0
	atHome     = 1 // in its namespace
)

// hostResource is a virtual host for callers at home or elsewhere for whom
// conditions hold; nil: they do not see it.
func (c *compiler) hostResource(x *flow.Ctx, v virtualHost, local bool, holding []condition) *model.Resource {
	domains, routes := c.domainsOf(x, v, local), visible(v.Routes, holding)
	if len(domains) == 0 || len(routes) == 0 {
		return nil
	}
	aliases := make([]string, len(domains))
	for i, domain := range domains {
		aliases[i] = OutboundRoutes + "/" + domain
	}
	slices.Sort(aliases)
	return c.intern.share(model.NewResource(model.Resource{
		Type: model.TypeVirtualHost, Name: v.resourceName(), Aliases: aliases,
		Body: encode(hostConfig(v, domains, routes)), Needs: clustersOf(routes...), From: slices.Clone(v.From),
	}))
}

// hostConfig has its resource's name: Envoy could not remove it by another.
func hostConfig(v virtualHost, domains []string, routes []*routev3.Route) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: v.resourceName(), Domains: domains, Routes: routes, RetryPolicy: retry(nil)}
}
