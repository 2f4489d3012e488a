package compile

import (
	"time"

	xdsv3 "github.com/cncf/xds/go/xds/core/v3"
	matcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	udpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/udp/udp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	datagramSuffix  = ".udp"  // ends the name of a listener of datagrams and of its cluster, before it is that of its port's
	largestDatagram = 9000    // bytes; a longer one is dropped. Envoy holds room for several of each socket that it reads
	maxSessions     = 1 << 14 // clients of one port at a time: each has a socket of its own towards an endpoint, and an Envoy that runs out of them crashes
	dnsPort         = 53
)

// How long an endpoint stays that of a client that is silent. One of DNS asks from a new port each time.
const (
	sessionIdle    = time.Minute
	dnsSessionIdle = 5 * time.Second
)

// DatagramsName names listener and cluster of a gateway's port of UDP.
func DatagramsName(port uint32) string { return GatewayName(port) + datagramSuffix }

// datagramListener leads datagrams to the cluster of its port, whatever is routed there: an Envoy that
// gets another listener forgets which clients are whose, so where they go is in the endpoints alone.
func datagramListener(ip string, port, bound uint32, identity string) *listenerv3.Listener {
	name, idle := DatagramsName(port), sessionIdle
	if port == dnsPort {
		idle = dnsSessionIdle
	}
	socket := &corev3.UdpSocketConfig{MaxRxDatagramSize: wrapperspb.UInt64(largestDatagram)}
	proxy := &udpv3.UdpProxyConfig{
		StatPrefix: name, IdleTimeout: durationpb.New(idle), UpstreamSocketConfig: socket,
		RouteSpecifier: &udpv3.UdpProxyConfig_Matcher{Matcher: &matcherv3.Matcher{OnNoMatch: &matcherv3.Matcher_OnMatch{
			OnMatch: &matcherv3.Matcher_OnMatch_Action{Action: &xdsv3.TypedExtensionConfig{
				Name: "route", TypedConfig: pack(&udpv3.Route{Cluster: name}),
			}},
		}}},
	}
	return &listenerv3.Listener{
		Name: name, StatPrefix: name, Metadata: identityOf(identity),
		Address:           udpAddress(address(ip, bound)),
		TrafficDirection:  corev3.TrafficDirection_INBOUND,
		UdpListenerConfig: &listenerv3.UdpListenerConfig{DownstreamSocketConfig: socket},
		ListenerFilters: []*listenerv3.ListenerFilter{{
			Name: "envoy.filters.udp_listener.udp_proxy", ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(proxy)},
		}},
	}
}

// datagramCluster has the endpoints of all backends of a port: a listener of datagrams leads to one cluster.
func datagramCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()},
		CommonLbConfig:       commonBalancing(model.TrafficPolicy{}),
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
			MaxConnections: u32(maxSessions),
		}}},
	}
}

func datagramsLayer(gate string) string { return "datagrams/" + gate }

// datagramLayer has the clusters of a gate's ports of UDP, and their endpoints: a change of those makes nothing else anew.
func (g *gateways) datagramLayer(x *flow.Ctx, at gate) []*model.Layer {
	ports, _ := g.gatewayPorts(x, at)
	var all []*model.Resource
	for _, p := range ports {
		if !p.udp {
			continue
		}
		name, from := DatagramsName(p.number), gatewayKeys(p)
		var backends []model.Backend
		if len(p.connectionRoutes) > 0 { // the oldest has all
			backends = p.connectionRoutes[0].backends
		}
		all = append(all,
			g.intern.resource(model.TypeCluster, name, datagramCluster(name), nil, from...),
			g.intern.resource(model.TypeEndpoint, name, assignment(name, here(g.datagramEndpoints(x, backends))), nil, from...))
	}
	return []*model.Layer{model.NewLayer(datagramsLayer(at.key), all...)}
}
