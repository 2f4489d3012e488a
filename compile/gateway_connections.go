package compile

import (
	"fmt"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// connectionRoute leads whole connections on: those of TLS by the host that they ask for.
type connectionRoute struct {
	name   string
	of     model.GatewayProtocol
	tls    model.ServerTLS // by which TLS is opened; none: it is led on as it is
	ca     string          // secret that says which callers to trust
	hosts  []string
	shares []share
	// backends are those of datagrams, which have no cluster each.
	backends []model.Backend
	names    *model.Service // of which they are one: the wildcard to which they go
	from     model.Origin
}

// share is what a cluster gets of the connections. Weight is relative.
type share struct {
	cluster string
	weight  uint32
}

// refusedName is the cluster of connections that have nowhere to go: they are closed.
const refusedName = "refused"

// nowhere is a cluster without endpoints.
func nowhere(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment:       &endpointv3.ClusterLoadAssignment{ClusterName: name},
	}
}

// sharesOf are those of backends; what none of them can take is refused.
func (c *compiler) sharesOf(x *flow.Ctx, backends []model.Backend, opened bool) (all []share) {
	for _, b := range backends {
		s := share{c.led(x, b, opened), b.Weight}
		if b.Invalid != "" {
			s.cluster = refusedName
		}
		if s.weight > 0 {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return []share{{refusedName, 1}}
	}
	return all
}

// routeConnections makes the routes of a port. Of those that want a host, a certificate has it
// first, and then the oldest table: Envoy refuses a port where that is open.
func (c *compiler) routeConnections(x *flow.Ctx, p *gatewayPort) (problems []model.Problem) {
	taken := map[string]bool{}
	for _, chain := range p.chains {
		for _, host := range chain.hosts {
			taken[host] = true
		}
	}
	for _, w := range c.connectionsWanted(x, p) {
		var won, lost []string
		for _, host := range w.hosts {
			if taken[host] {
				lost = append(lost, host)
			} else {
				won, taken[host] = append(won, host), true
			}
		}
		if len(lost) > 0 {
			problems = append(problems, model.Problem{Object: w.from.Key, Code: model.ProblemHostConflict, Path: w.from.Path, Message: w.lost(p.number, lost)})
		}
		if w.hosts = won; len(won) > 0 {
			problems = append(problems, c.toNames(x, &w)...)
			p.connectionRoutes = append(p.connectionRoutes, w)
		}
	}
	return problems
}

// lost says what another route has.
func (t connectionRoute) lost(port uint32, hosts []string) string {
	switch t.of {
	case model.GatewayTCP:
		return fmt.Sprintf("port %d: its connections are those of an older route already; choose another port", port)
	case model.GatewayUDP:
		return fmt.Sprintf("port %d: its datagrams are those of an older route already; choose another port", port)
	}
	return fmt.Sprintf("port %d: connections that ask for %s are another's already; choose other hosts", port, strings.Join(hosts, " "))
}

// connectionsWanted are the routes of a port as its tables want them, the oldest first.
func (c *compiler) connectionsWanted(x *flow.Ctx, p *gatewayPort) (all []connectionRoute) {
	type wanted struct {
		table model.RouteTable
		route connectionRoute
	}
	found := map[string]*wanted{}
	for _, l := range p.leading {
		in := entrance{gateway: l.gateway.Name, section: l.listener.Name, port: p.number}
		for _, t := range flow.Lookup(x, c.connectionsAt, in.gateway) {
			if t.Connections != l.listener.Protocol || !tableAppliesAt(t, in) || !mayAttach(l.listener, t) {
				continue
			}
			name := connectionsName(p.number, t, l.listener.TLS)
			w := found[name]
			if w == nil {
				w = &wanted{t, connectionRoute{name: name, of: t.Connections, tls: l.listener.TLS, ca: l.ca, from: t.Rules[0].Origin}}
				c.lead(x, &w.route, t.Rules[0].Backends)
				found[name] = w
			}
			for _, host := range l.connectionHosts(t) {
				if !slices.Contains(w.route.hosts, host) {
					w.route.hosts = append(w.route.hosts, host)
				}
			}
		}
	}
	byName := make([]*wanted, 0, len(found))
	for _, name := range model.SortedKeys(found) {
		byName = append(byName, found[name])
	}
	slices.SortStableFunc(byName, func(a, b *wanted) int { return compareTables(a.table, b.table) })
	for _, w := range byName {
		all = append(all, w.route)
	}
	return all
}

// lead says where to.
func (c *compiler) lead(x *flow.Ctx, t *connectionRoute, backends []model.Backend) {
	if t.of == model.GatewayUDP {
		t.backends = backends
	} else {
		t.shares = c.sharesOf(x, backends, t.tls.Secret != "")
	}
}

// connectionHosts are those that a table's connections ask for at the listener; any, where they ask for none.
func (l gatewayListener) connectionHosts(t model.RouteTable) []string {
	if t.Connections != model.GatewayTLS {
		return []string{"*"}
	}
	return hostsInCommon(l.listener.Hosts, t.Hosts)
}

func connectionsName(port uint32, t model.RouteTable, tls model.ServerTLS) string {
	name := GatewayName(port) + "." + t.Key()
	if tls.Secret != "" {
		name += tlsName(tls)
	}
	return name
}

// leadsTo are the clusters of the port's routes of connections.
func (p gatewayPort) leadsTo() (clusters []string) {
	for _, t := range p.connectionRoutes {
		for _, s := range t.shares {
			if !slices.Contains(clusters, s.cluster) {
				clusters = append(clusters, s.cluster)
			}
		}
	}
	return clusters
}

func (t connectionRoute) filterChain(port uint32, g guards) *listenerv3.FilterChain {
	shares := &tcpv3.TcpProxy_WeightedCluster{}
	for _, s := range t.shares {
		shares.Clusters = append(shares.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: s.cluster, Weight: s.weight})
	}
	proxy := &tcpv3.TcpProxy{StatPrefix: t.name, ClusterSpecifier: &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: shares}}
	f := &listenerv3.FilterChain{Name: t.name}
	f.Filters, _ = g.onConnections(port, t.name)
	if t.names != nil {
		_, outside, _, _ := model.ParseClusterName(t.shares[0].cluster)
		f.Filters = append(f.Filters, sniFilter(*t.names, outside))
	}
	f.Filters = append(f.Filters, networkFilter(tcpFilter, proxy))
	if t.of == model.GatewayTLS {
		f.FilterChainMatch = asksFor(t.hosts)
	}
	if t.tls.Secret != "" {
		f.TransportSocket = edgeSocket(t.tls, t.ca)
	}
	return f
}

// toNames finds the wildcard to which a route leads. It takes connections that ask for
// one of its names, and all of them: else it would lead anywhere.
func (c *compiler) toNames(x *flow.Ctx, t *connectionRoute) []model.Problem {
	for _, s := range t.shares {
		host := hostOfKey(s.cluster)
		service, ok := flow.Get(x, c.Services, host)
		if !ok || service.Resolution != model.Dynamic {
			continue
		}
		outside := slices.ContainsFunc(t.hosts, func(name string) bool { return !model.Covers(host, name) })
		if len(t.shares) == 1 && t.of == model.GatewayTLS && !outside {
			t.names = &service
			return nil
		}
		t.shares = []share{{refusedName, 1}}
		return []model.Problem{{Object: t.from.Key, Code: model.ProblemInvalid, Path: t.from.Path, Message: fmt.Sprintf(
			"it leads on connections that ask for no name of %s, or several destinations share them, so they are closed; match sniHosts below it, and name no other destination", host)}}
	}
	return nil
}
