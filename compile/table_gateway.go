package compile

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/model"
)

// gatewayTable gets its virtual hosts one by one.
func gatewayTable(name string, port uint32, g guards) *routev3.RouteConfiguration {
	t := discoveredTable(name)
	t.IgnorePortInHostMatching = true // the port that a client names may be mapped
	t.TypedPerFilterConfig, t.Metadata = g.onRequests(port), ruleOrigins(g.rules)
	return t
}

// gatewayHost routes what enters for a domain; nil: nothing does.
func gatewayHost(r *router, table, domain string, candidates []candidate) *routev3.VirtualHost {
	var routes []*routev3.Route
	for _, c := range candidates {
		for _, route := range r.routes(c) {
			routes = append(routes, route.route)
		}
	}
	if len(routes) == 0 {
		return nil
	}
	return &routev3.VirtualHost{
		Name: hostName(table, domain), Domains: []string{domain}, Routes: routes, RetryPolicy: retry(nil),
	}
}

func hostName(table, domain string) string { return table + "/" + domain }

func mayAttach(l model.GatewayListener, t model.RouteTable) bool {
	return (l.RouteSpace == nil || slices.Contains(l.RouteSpace, t.Object.Namespace)) &&
		(l.RouteKinds == nil || slices.Contains(l.RouteKinds, t.Object.Kind))
}

// hostsInCommon are the domains that both lists of patterns cover.
func hostsInCommon(listener, route []string) []string {
	if len(route) == 0 {
		route = []string{"*"}
	}
	if len(listener) == 0 {
		listener = []string{"*"}
	}
	var all []string
	for _, a := range listener {
		for _, b := range route {
			a, b := strings.ToLower(a), strings.ToLower(b)
			switch {
			case model.Covers(a, b):
				all = append(all, b)
			case model.Covers(b, a):
				all = append(all, a)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
