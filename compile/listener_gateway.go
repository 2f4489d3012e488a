package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"weft.dev/model"
)

// GatewayName names listener and routes of one port of a gateway.
func GatewayName(port uint32) string { return "gateway." + strconv.Itoa(int(port)) }

// privilegedPorts need root to bind.
const privilegedPorts = 1024

// gatewayLabels are those by which Istio's own gateways are selected. A gateway
// named ingressgateway has istio=ingressgateway without anybody writing it.
var gatewayLabels = []string{"istio", "gateway"}

// gatewayOf says whether the workload's proxy is the gateway.
func gatewayOf(g model.Gateway, w model.Workload) bool {
	switch {
	case w.Gateway == "":
		return false
	case g.Proxy != "":
		return g.Proxy == w.Gateway && cmp.Or(g.Home, g.Object.Namespace) == w.Namespace
	}
	return len(g.Selector) > 0 && model.Matches(g.Selector, labelsOf(w))
}

// boundPort is where the proxy listens for a port of the gateway.
func boundPort(p gatewayPort, s scope) (port uint32, problem *model.Problem) {
	for _, m := range s.Ports {
		if m.Number == p.number && m.ProxyPort != 0 {
			return m.ProxyPort, nil
		}
	}
	if p.number >= privilegedPorts || s.Interception == model.Redirected { // a pod may
		return p.number, nil
	}
	first := p.first()
	return 0, &model.Problem{
		Object: first.gateway.Object, Code: model.ProblemNotHonoured, Path: first.listener.Origin.Path,
		Message: fmt.Sprintf("port %d needs root to bind; run the gateway with --port %d:8080 to serve it on 8080", p.number, p.number),
	}
}

func gatewayListenerConfig(ip string, p gatewayPort, bound uint32, identity string, keys []model.PreviewKey, g guards, tracing model.Tracing) *listenerv3.Listener {
	name := GatewayName(p.number)
	l := &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Metadata:                      identityOf(identity),
		Address:                       address(ip, bound),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
	}
	for _, c := range p.chains {
		l.FilterChains = append(l.FilterChains, filterChain(c, keys, g.at(c.tls), tracing))
	}
	for _, t := range p.connectionRoutes {
		l.FilterChains = append(l.FilterChains, t.filterChain(p.number, g.at(t.tls)))
	}
	if p.first().listener.Protocol.Shares(model.GatewayTLS) {
		l.ListenerFilters = []*listenerv3.ListenerFilter{tlsInspector()}
	}
	return l
}

// filterChain has no match where it serves whoever asks for no host, or for an
// unknown one.
func filterChain(c chain, keys []model.PreviewKey, g guards, tracing model.Tracing) *listenerv3.FilterChain {
	f := &listenerv3.FilterChain{Name: c.name, Filters: managed(tracedAtEdge(edgeManager(c.name, c.name, keys, g), tracing))}
	if c.tls.Secret == "" {
		return f
	}
	if g.nameless {
		f = withoutCaller(f)
	}
	f.TransportSocket, f.FilterChainMatch = edgeSocket(c.tls, c.ca, "h2", "http/1.1"), asksFor(c.hosts)
	return f
}

// asksFor matches connections of TLS by the host that they ask for.
func asksFor(hosts []string) *listenerv3.FilterChainMatch {
	m := &listenerv3.FilterChainMatch{TransportProtocol: "tls"}
	if !slices.Contains(hosts, "*") {
		m.ServerNames = hosts
	}
	return m
}
