package compile

import (
	"strconv"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// InboundName names listener, routes and cluster of one port of a workload.
func InboundName(port uint32) string { return "inbound." + strconv.Itoa(int(port)) }

// inboundListener accepts calls for one port of the workload.
func inboundListener(ip string, port model.WorkloadPort, mode model.MTLSMode, g guards, limit *model.Concurrency, tracing model.Tracing) *listenerv3.Listener {
	name := InboundName(port.Number)
	l := &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Address:                       address(ip, port.ProxyPort),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
		ListenerFilters:               inspectors(mode),
		FilterChains:                  inboundChains(mode, port, g, limit, tracing),
		AccessLog:                     inboundLog(mode, strconv.Itoa(int(port.Number))),
	}
	if !port.Protocol.IsHTTP() && len(l.ListenerFilters) > 0 {
		// A client may wait for the server's first word: then it speaks no TLS.
		l.ContinueOnListenerFiltersTimeout, l.ListenerFiltersTimeout = true, durationpb.New(inspectTimeout)
	}
	return l
}

// inspectors look at what a caller says first. They are there in strict mode, too: a listener of which nothing but
// a chain changes keeps the connections of all other chains, so nobody who shows a certificate notices a change of mode.
func inspectors(mode model.MTLSMode) []*listenerv3.ListenerFilter {
	if mode == mtlsNone {
		return nil
	}
	return []*listenerv3.ListenerFilter{tlsInspector()}
}

func tlsInspector() *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       "envoy.filters.listener.tls_inspector",
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(&inspectorv3.TlsInspector{})},
	}
}

func inboundLog(mode model.MTLSMode, port string) []*accesslogv3.AccessLog {
	if mode == mtlsNone {
		return nil
	}
	return refusedCalls(port)
}

// inboundChains tell callers of the mesh from others. TLS that the application
// itself speaks is told by what the mesh's own callers announce. A port whose
// mTLS is off takes plain text and, because callers of the mesh use nothing
// else, mTLS too. A strict one has, in place of the chain for others, one in which their handshake fails: without
// it, where traffic is redirected, they would get to the chain of ports that no service has.
func inboundChains(mode model.MTLSMode, port model.WorkloadPort, g guards, limit *model.Concurrency, tracing model.Tracing) []*listenerv3.FilterChain {
	if mode == mtlsNone {
		return []*listenerv3.FilterChain{{Name: plainChain, Filters: inboundFilters(port, g, limit, tracing, false)}}
	}
	alpn := []string{"h2", "http/1.1"}
	mutual := &listenerv3.FilterChain{Name: "mtls", Filters: inboundFilters(port, g, limit, tracing, false), FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "tls"}}
	if !port.Protocol.IsHTTP() {
		alpn = []string{alpnTCP}
		mutual.FilterChainMatch.ApplicationProtocols = alpn
	}
	mutual.TransportSocket = serverSocket(model.ServerTLS{}, alpn...)
	if mode == model.MTLSStrict {
		return []*listenerv3.FilterChain{mutual, {Name: "strict", Filters: mutual.Filters, TransportSocket: mutual.TransportSocket}}
	}
	plain := &listenerv3.FilterChain{Name: plainChain, Filters: inboundFilters(port, g, limit, tracing, true)}
	if port.Protocol.IsHTTP() {
		plain.FilterChainMatch = &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer"}
	}
	return []*listenerv3.FilterChain{mutual, plain}
}

// inboundFilters lead to the application. counted: who comes by shows no certificate, and is counted.
func inboundFilters(port model.WorkloadPort, g guards, limit *model.Concurrency, tracing model.Tracing, counted bool) []*listenerv3.Filter {
	name := InboundName(port.Number)
	if !port.Protocol.IsHTTP() {
		filters, _ := g.tcpFilters(name, port, counted)
		return filters
	}
	m := adaptive(inboundManager(name, name, g), limit)
	if counted {
		m = plainManager(m, port.Number)
	}
	return managed(traced(m, tracing))
}

// tcpFilters lead connections that the guards let through to the application. needs are clusters.
func (g guards) tcpFilters(name string, port model.WorkloadPort, counted bool) (filters []*listenerv3.Filter, needs []string) {
	filters, needs = g.onConnections(port.Number, name)
	to := passOn(name)
	if counted {
		to = plainConnections(to, strconv.Itoa(int(port.Number)))
	}
	return append(filters, networkFilter(tcpFilter, to)), append(needs, name)
}

// inboundTable leads everything that guards and limits let through to the application.
func inboundTable(port uint32, g guards, limits []model.RateLimit) table {
	name, found := InboundName(port), inOrder(limits)
	config := newTable(name)
	config.VirtualHosts = []*routev3.VirtualHost{{
		Name: name, Domains: []string{"*"},
		TypedPerFilterConfig: limited(g.onRequests(port), LimitsFilter, found, limitsInbound),
		Metadata:             limitTexts(ruleOrigins(g.rules), found),
		Routes: []*routev3.Route{{
			Name:  name,
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name}, Timeout: noTimeout(),
				// An application may close a connection just when it is used again.
				RetryPolicy: &routev3.RetryPolicy{RetryOn: "reset-before-request", NumRetries: u32(DefaultAttempts)},
			}},
		}},
	}}
	return table{config: config, needs: []string{name}, from: distinct(append(limitKeys(limits), guardKeys(g.rules)...))}
}
