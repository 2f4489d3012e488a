package compile

import (
	"fmt"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// sniRoute leads connections of TLS on as they are, by the host that they ask for.
type sniRoute struct {
	name     string
	hosts    []string
	backends []model.Backend // whose weights are not 0
	from     model.Origin
}

// routeSNI makes the routes of a port. Of those that want a host, a certificate has it
// first, and then the oldest table: Envoy refuses a port where that is open.
func (c *compiler) routeSNI(x *flow.Ctx, p *gatewayPort) (problems []model.Problem) {
	taken := map[string]bool{}
	for _, chain := range p.chains {
		for _, host := range chain.hosts {
			taken[host] = true
		}
	}
	for _, w := range c.sniWanted(x, p) {
		var won, lost []string
		for _, host := range w.hosts {
			if taken[host] {
				lost = append(lost, host)
			} else {
				won, taken[host] = append(won, host), true
			}
		}
		if len(lost) > 0 {
			problems = append(problems, model.Problem{
				Object: w.from.Key, Code: model.ProblemHostConflict, Path: w.from.Path,
				Message: fmt.Sprintf("port %d: connections that ask for %s are another's already; choose other hosts", p.number, strings.Join(lost, " ")),
			})
		}
		if w.hosts = won; len(won) > 0 && len(w.backends) > 0 {
			p.sniRoutes = append(p.sniRoutes, w)
		}
	}
	return problems
}

// sniWanted are the routes of a port as its tables want them, the oldest first.
func (c *compiler) sniWanted(x *flow.Ctx, p *gatewayPort) (all []sniRoute) {
	found := map[string]*sniRoute{}
	var tables []model.RouteTable
	for _, l := range p.passing {
		in := entrance{gateway: l.gateway.Name, section: l.listener.Name, port: p.number}
		for _, t := range flow.Lookup(x, c.unopenedAt, in.gateway) {
			if !tableAppliesAt(t, in) || !mayAttach(l.listener, t) {
				continue
			}
			w := found[t.Key()]
			if w == nil {
				w = &sniRoute{name: GatewayName(p.number) + "." + t.Key(), from: t.Rules[0].Origin}
				w.backends = slices.DeleteFunc(slices.Clone(t.Rules[0].Backends), func(b model.Backend) bool { return b.Invalid != "" || b.Weight == 0 })
				found[t.Key()], tables = w, append(tables, t)
			}
			for _, host := range hostsInCommon(l.listener.Hosts, t.Hosts) {
				if !slices.Contains(w.hosts, host) {
					w.hosts = append(w.hosts, host)
				}
			}
		}
	}
	slices.SortFunc(tables, compareTables)
	for _, t := range tables {
		all = append(all, *found[t.Key()])
	}
	return all
}

// leadsTo are the clusters of the port's routes by SNI.
func (p gatewayPort) leadsTo() (clusters []string) {
	for _, t := range p.sniRoutes {
		for _, b := range t.backends {
			if name := clusterOfBackend(b); !slices.Contains(clusters, name) {
				clusters = append(clusters, name)
			}
		}
	}
	return clusters
}

func clusterOfBackend(b model.Backend) string { return model.ClusterName(b.Host, b.Port, b.Subset) }

func (t sniRoute) filterChain() *listenerv3.FilterChain {
	shares := &tcpv3.TcpProxy_WeightedCluster{}
	for _, b := range t.backends {
		shares.Clusters = append(shares.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: clusterOfBackend(b), Weight: b.Weight})
	}
	proxy := &tcpv3.TcpProxy{StatPrefix: t.name, ClusterSpecifier: &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: shares}}
	return &listenerv3.FilterChain{Name: t.name, FilterChainMatch: asksFor(t.hosts), Filters: []*listenerv3.Filter{networkFilter(tcpFilter, proxy)}}
}
