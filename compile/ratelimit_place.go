package compile

import (
	"cmp"
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// Where limits are, as an index knows it: services are looked for by namespace, and select by themselves.
const (
	kindService = "Service"
	kindGateway = "Gateway"
)

func limitsPlace(r model.RateLimit) string {
	if r.Target.Kind == kindService {
		return placeOfService(r.Object.Namespace)
	}
	return placeOf(r.Target.Kind, r.Object.Namespace, r.Target.Name)
}

func placeOf(kind, namespace, name string) string { return kind + " " + namespace + "/" + name }

func placeOfService(namespace string) string { return placeOf(kindService, namespace, "") }

// placeOfGateway is that of the Gateway whose proxies a listener is at; "": it is none of the Gateway API.
func placeOfGateway(g model.Gateway) string {
	if g.Proxy == "" {
		return ""
	}
	if g.Home == "" {
		return placeOf(kindGateway, g.Object.Namespace, g.Object.Name)
	}
	return placeOf(kindGateway, g.Home, g.Proxy)
}

// limitsOf are those that select a workload, and at which of its ports.
func limitsOf(all []model.RateLimit, w model.Workload) (found []servedLimits) {
	for _, r := range all {
		if !model.Matches(r.Target.Selector, w.Labels) {
			continue
		}
		served := servedLimits{Key: r.Key()}
		for _, port := range r.Target.Ports {
			if p, ok := w.Serving(port); ok && !slices.Contains(served.Ports, p.Number) {
				served.Ports = append(served.Ports, p.Number)
			}
		}
		if len(served.Ports) > 0 {
			found = append(found, served)
		}
	}
	slices.SortFunc(found, func(a, b servedLimits) int { return cmp.Compare(a.Key, b.Key) })
	return found
}

// limitsOn are those of one port.
func (c *compiler) limitsOn(x *flow.Ctx, s scope, port uint32) []model.RateLimit {
	var keys []string
	for _, l := range s.Limits {
		if slices.Contains(l.Ports, port) {
			keys = append(keys, l.Key)
		}
	}
	return allFound(x, c.RateLimits, keys)
}

// hostLimits are the limits of requests at one place of a gate.
type hostLimits struct {
	ofGateway map[string][]model.RateLimit // by table; they are in the table of the whole port
	ofRoutes  []model.RateLimit
}

func (c *compiler) hostLimits(x *flow.Ctx, attached []attachment) hostLimits {
	h := hostLimits{ofGateway: map[string][]model.RateLimit{}}
	seen := map[string]bool{}
	for _, a := range attached {
		for _, r := range flow.Lookup(x, c.limitsAt, a.Limits) {
			if r.Target.Section == "" || r.Target.Section == a.Section {
				h.ofGateway[a.Table] = append(h.ofGateway[a.Table], r)
			}
		}
		t, _ := flow.Get(x, c.RouteTables, a.Table)
		at := placeOf(t.Object.Kind, t.Object.Namespace, t.Object.Name)
		if !seen[at] {
			seen[at] = true
			h.ofRoutes = append(h.ofRoutes, flow.Lookup(x, c.limitsAt, at)...)
		}
	}
	return h
}

// of are those for the requests of one route.
func (h hostLimits) of(c candidate) (ids []model.LimitID) {
	add := func(r model.RateLimit) {
		for _, l := range r.Limits {
			ids = append(ids, r.ID(l))
		}
	}
	for _, r := range h.ofGateway[c.table.Key()] {
		add(r)
	}
	for _, r := range h.ofRoutes {
		ours := r.Target.Kind == c.table.Object.Kind && r.Target.Name == c.table.Object.Name && r.Object.Namespace == c.table.Object.Namespace
		if ours && (r.Target.Section == "" || r.Target.Section == c.rule.Name) {
			add(r)
		}
	}
	return ids
}

// put has a virtual host apply those of its routes.
func (h hostLimits) put(host *routev3.VirtualHost) {
	if found := inOrder(h.ofRoutes); len(found) > 0 {
		host.TypedPerFilterConfig = limited(host.TypedPerFilterConfig, LimitsFilter, found, limitsAtEdge)
		host.Metadata = limitTexts(host.Metadata, found)
	}
}

// limitedTable is the table of a chain with the limits of its gateways, and what those came from.
func (c *compiler) limitedTable(x *flow.Ctx, of chain, port uint32, g guards) (*routev3.RouteConfiguration, []model.Key) {
	table := gatewayTable(of.name, port, g)
	var places []string
	for _, l := range of.listeners {
		places = append(places, placeOfGateway(l.gateway))
	}
	slices.Sort(places)
	var all []model.RateLimit
	for _, at := range slices.Compact(places) {
		all = append(all, flow.Lookup(x, c.limitsAt, at)...)
	}
	if found := inOrder(all); len(found) > 0 {
		table.TypedPerFilterConfig = limited(table.TypedPerFilterConfig, GatewayLimitsFilter, found, limitsAtEdge)
		table.Metadata = limitTexts(table.Metadata, found)
	}
	return table, limitKeys(all)
}
