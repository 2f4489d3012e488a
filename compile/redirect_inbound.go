package compile

import (
	"strconv"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/flow"
	"weft.dev/model"
)

// inspectTimeout is how long a client may take to say something.
const inspectTimeout = time.Second

// InboundListener takes all calls of an application whose traffic is redirected.
const InboundListener = "inbound"

// redirectedInbound are that listener, and the ways on to the application.
func (c *compiler) redirectedInbound(x *flow.Ctx, s scope) []*model.Resource {
	g := c.guards(x, s)
	limit := found(flow.Get(x, c.Concurrencies, s.Concurrency))
	from := append(guardKeys(g.rules), concurrencyKeys(limit)...)
	needs := []string{inboundStrays}
	resources := []*model.Resource{
		c.intern.resource(model.TypeCluster, inboundStrays, s.toApplication(inboundStrays, model.TCP), nil, s.PoolFrom...),
	}
	for _, p := range s.Ports {
		name := InboundName(p.Number)
		from = append(from, p.ModeFrom...)
		if _, more := g.tcpFilters(name, p.WorkloadPort, false); !p.Protocol.IsHTTP() {
			needs = append(needs, more...)
		} else {
			needs = append(needs, name)
		}
		resources = append(resources, c.intern.resource(model.TypeCluster, name, s.toApplication(name, p.Protocol), nil, s.PoolFrom...))
	}
	return append(resources, c.intern.resource(model.TypeListener, InboundListener, redirectedInboundListener(s, g, limit), needs, from...))
}

func redirectedInboundListener(s scope, g guards, limit *model.Concurrency) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                          InboundListener,
		StatPrefix:                    InboundListener,
		Address:                       address(s.Address, model.RedirectedInbound),
		AdditionalAddresses:           s.twin(model.AnyAddress, model.RedirectedInbound),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_INBOUND,
		ListenerFilters:               append([]*listenerv3.ListenerFilter{originalDestination()}, inspectors(model.MTLSPermissive)...),
		// A client may wait for the server's first word: then it speaks no TLS.
		ContinueOnListenerFiltersTimeout: true,
		ListenerFiltersTimeout:           durationpb.New(inspectTimeout),
		AccessLog:                        refusedCalls(calledPort),
	}
	for _, p := range s.Ports {
		l.FilterChains = append(l.FilterChains, portChains(p, g, limit, s.Served)...)
	}
	// Nobody can say of a port that no service has whether a policy means it.
	if len(g.rules) == 0 && s.Rest != model.MTLSStrict {
		l.DefaultFilterChain = &listenerv3.FilterChain{Name: inboundStrays, Filters: []*listenerv3.Filter{
			networkFilter(tcpFilter, plainConnections(passOn(inboundStrays), calledPort)),
		}}
	}
	if len(l.FilterChains) == 0 && l.DefaultFilterChain == nil {
		l.FilterChains = []*listenerv3.FilterChain{closed()}
	}
	return l
}

// closed is a chain that nothing matches: a listener must have one.
func closed() *listenerv3.FilterChain {
	return &listenerv3.FilterChain{
		Name: "closed", Filters: leadOn(inboundStrays),
		FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: u32(model.RedirectedInbound), ServerNames: []string{"closed.invalid"}},
	}
}

// portChains are those of one port.
func portChains(p servedPort, g guards, limit *model.Concurrency, tracing model.Tracing) []*listenerv3.FilterChain {
	chains := inboundChains(p.Mode, p.WorkloadPort, g, limit, tracing)
	for _, chain := range chains {
		chain.Name += "." + strconv.Itoa(int(p.Number))
		if chain.FilterChainMatch == nil {
			chain.FilterChainMatch = &listenerv3.FilterChainMatch{}
		}
		chain.FilterChainMatch.DestinationPort = u32(p.Number)
	}
	return chains
}

// toApplication leads to where the caller wanted to go, from an address by which
// redirection knows that it has been here.
func (s scope) toApplication(name string, protocol model.Protocol) *clusterv3.Cluster {
	c := localCluster(name, 0, protocol, s.Pool)
	c.LoadAssignment = nil
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	c.UpstreamBindConfig = &corev3.BindConfig{SourceAddress: passedFrom(s.Address)}
	if s.DualStack {
		c.UpstreamBindConfig.ExtraSourceAddresses = []*corev3.ExtraSourceAddress{{Address: passedFrom(otherVersion(s.Address))}}
	}
	return c
}

func passedFrom(family string) *corev3.SocketAddress {
	return &corev3.SocketAddress{Address: straySource(family), PortSpecifier: &corev3.SocketAddress_PortValue{}}
}
