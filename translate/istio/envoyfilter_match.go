package istio

import (
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
)

// patchMatches is the field that matches what a patch is of.
func patchMatches(of model.PatchOf) string {
	switch {
	case of == model.PatchCluster:
		return "cluster"
	case of.OfRoutes():
		return "routeConfiguration"
	}
	return "listener"
}

// patchMatch says in a patch what it is about; false: the match is of something else.
func patchMatch(p *model.Patch, m *networking.EnvoyFilter_EnvoyConfigObjectMatch) bool {
	switch m := m.GetObjectTypes().(type) {
	case nil:
		return true
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_Cluster:
		clusterMatch(p, m.Cluster)
		return patchMatches(p.Of) == "cluster"
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_RouteConfiguration:
		routeMatch(p, m.RouteConfiguration)
		return patchMatches(p.Of) == "routeConfiguration"
	case *networking.EnvoyFilter_EnvoyConfigObjectMatch_Listener:
		l, chain := m.Listener, m.Listener.GetFilterChain()
		p.Port, p.Listener = l.PortNumber, l.Name
		p.Chain, p.SNI, p.Speaks = chain.GetName(), chain.GetSni(), chain.GetTransportProtocol()
		p.Filter, p.Sub = chain.GetFilter().GetName(), chain.GetFilter().GetSubFilter().GetName()
		return patchMatches(p.Of) == "listener"
	}
	return false
}

// clusterMatch reads Istio's names of clusters, too: people have them in their filters.
func clusterMatch(p *model.Patch, m *networking.EnvoyFilter_ClusterMatch) {
	p.Port, p.Cluster = m.GetPortNumber(), model.ClusterMatch{Name: m.GetName(), Host: m.GetService(), Subset: m.GetSubset()}
	side, port, subset, host, ok := istioCluster(m.GetName())
	if !ok {
		return
	}
	p.Port, p.Cluster = port, model.ClusterMatch{Host: host, Subset: subset}
	if p.At == model.PatchAnywhere {
		p.At = side
	}
}

// istioCluster reads SIDE|PORT|SUBSET|HOST. That of a gateway is outbound, too.
func istioCluster(name string) (side model.PatchAt, port uint32, subset, host string, ok bool) {
	part := strings.Split(name, "|")
	if len(part) != 4 {
		return "", 0, "", "", false
	}
	number, err := strconv.ParseUint(part[1], 10, 16)
	if part[0] == string(model.PatchInbound) {
		side = model.PatchInbound
	}
	return side, uint32(number), part[2], part[3], err == nil
}

var routeActions = map[networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_Action]model.RouteAction{
	networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_ROUTE:           model.RouteLeads,
	networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_REDIRECT:        model.RouteRedirects,
	networking.EnvoyFilter_RouteConfigurationMatch_RouteMatch_DIRECT_RESPONSE: model.RouteAnswers,
}

// routeMatch reads Istio's names of tables, too.
func routeMatch(p *model.Patch, m *networking.EnvoyFilter_RouteConfigurationMatch) {
	host := m.GetVhost()
	p.Port = m.GetPortNumber()
	p.Route = model.RouteMatch{
		Table: m.GetName(), Host: host.GetName(), Domain: host.GetDomainName(), Name: host.GetRoute().GetName(), Does: routeActions[host.GetRoute().GetAction()],
	}
	for _, name := range []*string{&p.Route.Table, &p.Route.Host} {
		if side, port, ok := istioTable(*name); ok && p.Port == 0 {
			p.Port, *name = port, ""
			if p.At == model.PatchAnywhere {
				p.At = side
			}
		}
	}
}

// istioTables are the beginnings of Istio's names of tables, and of the one virtual host of calls that come in; a port follows.
var istioTables = []struct {
	prefix string
	side   model.PatchAt
}{{"inbound|http|", model.PatchInbound}, {"inbound|", model.PatchInbound}, {"http.", model.PatchGateway}, {"", model.PatchOutbound}}

func istioTable(name string) (side model.PatchAt, port uint32, ok bool) {
	for _, t := range istioTables {
		if rest, is := strings.CutPrefix(strings.TrimSuffix(name, "||"), t.prefix); is {
			port, ok = portNumber(rest)
			return t.side, port, ok
		}
	}
	return "", 0, false
}

func portNumber(text string) (uint32, bool) {
	number, err := strconv.ParseUint(text, 10, 16)
	return uint32(number), err == nil && number > 0
}
