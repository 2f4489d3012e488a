package compile

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/model"
)

// gatewayHost is what enters at one port of a gateway for one domain.
type gatewayHost struct {
	config   *routev3.VirtualHost
	needs    []string
	from     []model.Key
	problems []model.Problem
}

// gatewayTable gets its virtual hosts one by one.
func gatewayTable(port uint32) *routev3.RouteConfiguration {
	t := discoveredTable(GatewayName(port))
	t.IgnorePortInHostMatching = true // the port that a client names may be mapped
	return t
}

// newGatewayHost routes the candidates of a domain.
func newGatewayHost(w world, p gatewayPort, domain string, candidates []candidate) gatewayHost {
	r := newRouter(w, p.number)
	routes := []*routev3.Route{}
	for _, c := range candidates {
		for _, route := range r.routes(c) {
			routes = append(routes, route.route)
		}
	}
	for _, l := range p.listeners {
		r.from = append(r.from, keysOf(l.gateway.From)...)
	}
	h := gatewayHost{needs: r.needed(), from: compactKeys(r.from), problems: r.problems}
	if len(routes) > 0 {
		h.config = &routev3.VirtualHost{
			Name: GatewayName(p.number) + "/" + domain, Domains: []string{domain}, Routes: routes, RetryPolicy: retry(nil),
		}
	}
	return h
}

// candidatesByDomain are the candidates of each domain at a port, in their order.
func candidatesByDomain(p gatewayPort, tables []model.RouteTable) map[string][]candidate {
	claimed := map[string][]model.RouteTable{} // domain -> tables, each once
	entrances := map[string]entrance{}
	for _, l := range p.listeners {
		at := entrance{gateway: l.gateway.Name, section: l.listener.Name, port: p.number}
		for _, t := range tables {
			if !tableAppliesAt(t, at) || !mayAttach(l.listener, t) {
				continue
			}
			for _, domain := range hostsInCommon(l.listener.Hosts, t.Hosts) {
				if !slices.ContainsFunc(claimed[domain], func(o model.RouteTable) bool { return o.Key() == t.Key() }) {
					claimed[domain] = append(claimed[domain], t)
					entrances[domain+"\n"+t.Key()] = at
				}
			}
		}
	}
	by := map[string][]candidate{}
	for domain, all := range claimed {
		by[domain] = merged(all, func(t model.RouteTable) entrance { return entrances[domain+"\n"+t.Key()] })
	}
	return by
}

func mayAttach(l model.GatewayListener, t model.RouteTable) bool {
	return l.RouteSpace == nil || slices.Contains(l.RouteSpace, t.Object.Namespace)
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
			case covers(a, b):
				all = append(all, b)
			case covers(b, a):
				all = append(all, a)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// covers says whether every host of the second pattern is one of the first.
func covers(pattern, host string) bool {
	if pattern == "*" || pattern == host {
		return true
	}
	return strings.HasPrefix(pattern, "*.") && strings.HasSuffix(host, pattern[1:]) && host != pattern[2:]
}
