package compile

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// InboundName names listener, routes and cluster of one port of a workload.
func InboundName(port uint32) string { return "inbound." + strconv.Itoa(int(port)) }

// inboundListener accepts calls for one port of the workload.
func inboundListener(ip string, port model.WorkloadPort, mode model.MTLSMode, g guards, limit *model.Concurrency, tracing model.Tracing) *listenerv3.Listener {
	name := InboundName(port.Number)
	var filters []*listenerv3.Filter
	alpn := []string{"h2", "http/1.1"}
	if port.Protocol.IsHTTP() {
		filters = managed(traced(adaptive(inboundManager(name, name, g), limit), tracing))
	} else {
		filters, _ = g.tcpFilters(name, port)
		alpn = []string{alpnTCP}
	}
	l := &listenerv3.Listener{
		Name:                          name,
		StatPrefix:                    name,
		Address:                       address(ip, port.ProxyPort),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
		ListenerFilters:               inspectors(mode),
		FilterChains:                  inboundChains(mode, port.Protocol, filters, alpn),
	}
	if !port.Protocol.IsHTTP() && len(l.ListenerFilters) > 0 {
		// A client may wait for the server's first word: then it speaks no TLS.
		l.ContinueOnListenerFiltersTimeout, l.ListenerFiltersTimeout = true, durationpb.New(inspectTimeout)
	}
	return l
}

func inspectors(mode model.MTLSMode) []*listenerv3.ListenerFilter {
	if mode == model.MTLSStrict || mode == mtlsNone {
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

// inboundChains tell callers of the mesh from others. TLS that the application
// itself speaks is told by what the mesh's own callers announce. A port whose
// mTLS is off takes plain text and, because callers of the mesh use nothing
// else, mTLS too.
func inboundChains(mode model.MTLSMode, protocol model.Protocol, filters []*listenerv3.Filter, alpn []string) []*listenerv3.FilterChain {
	plain := &listenerv3.FilterChain{Name: "plain", Filters: filters}
	if mode == mtlsNone {
		return []*listenerv3.FilterChain{plain}
	}
	mutual := &listenerv3.FilterChain{Name: "mtls", Filters: filters, TransportSocket: serverSocket(alpn...)}
	if mode == model.MTLSStrict {
		return []*listenerv3.FilterChain{mutual}
	}
	mutual.FilterChainMatch = &listenerv3.FilterChainMatch{TransportProtocol: "tls"}
	if !protocol.IsHTTP() {
		mutual.FilterChainMatch.ApplicationProtocols = []string{alpnTCP}
	} else {
		plain.FilterChainMatch = &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer"}
	}
	return []*listenerv3.FilterChain{mutual, plain}
}

// tcpFilters lead connections that the guards let through to the application. needs are clusters.
func (g guards) tcpFilters(name string, port model.WorkloadPort) (filters []*listenerv3.Filter, needs []string) {
	filters, needs = g.onConnections(port.Number, name)
	return append(filters, networkFilter(tcpFilter, &tcpv3.TcpProxy{
		StatPrefix: name, ClusterSpecifier: &tcpv3.TcpProxy_Cluster{Cluster: name},
	})), append(needs, name)
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
