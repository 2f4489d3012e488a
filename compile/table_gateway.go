package compile

import (
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/model"
)

// gatewayTable routes what enters at one port of a gateway. tables are those
// that name one of its gateways.
func gatewayTable(w world, p gatewayPort, tables []model.RouteTable) table {
	t := table{config: newTable(GatewayName(p.number))}
	t.config.IgnorePortInHostMatching = true // the port that a client names may be mapped
	by := gatewayHosts(p, tables)
	for _, domain := range model.SortedKeys(by) {
		r := newRouter(w, p.number)
		routes := []*routev3.Route{}
		for _, c := range by[domain] {
			for _, route := range r.routes(c) {
				routes = append(routes, route.route)
			}
		}
		t.problems = append(t.problems, r.problems...)
		t.needs = append(t.needs, r.needed()...)
		t.from = append(t.from, r.from...)
		if len(routes) > 0 {
			t.config.VirtualHosts = append(t.config.VirtualHosts, &routev3.VirtualHost{
				Name: domain, Domains: []string{domain}, Routes: routes, RetryPolicy: retry(nil),
			})
		}
	}
	for _, l := range p.listeners {
		t.from = append(t.from, keysOf(l.gateway.From)...)
	}
	slices.Sort(t.needs)
	t.needs, t.from = slices.Compact(t.needs), compactKeys(t.from)
	return t
}

// gatewayHosts are the candidates of each domain at a port, in their order.
func gatewayHosts(p gatewayPort, tables []model.RouteTable) map[string][]candidate {
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
