package compile

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// OutboundListener is where an application's own calls enter its proxy.
const OutboundListener = "outbound"

// outboundListener is the HTTP proxy of the application beside it. Only the
// port differs between workloads; all that it routes by comes by RDS.
func outboundListener(port uint32, identity string, learns bool, tracing model.Tracing) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          OutboundListener,
		StatPrefix:                    OutboundListener,
		Metadata:                      identityOf(identity),
		Address:                       address("127.0.0.1", port),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
		FilterChains:                  []*listenerv3.FilterChain{{Filters: managed(traced(outboundManager(OutboundListener, learns), tracing))}},
	}
}

// connectListener takes what was inside of a CONNECT to an HTTP port and routes
// each request, HTTP/1.1 or HTTP/2, as if it had been sent to the proxy.
func connectListener(learns bool, tracing model.Tracing) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          connectName,
		StatPrefix:                    connectName,
		ListenerSpecifier:             &listenerv3.Listener_InternalListener{InternalListener: &listenerv3.Listener_InternalListenerConfig{}},
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		TrafficDirection:              corev3.TrafficDirection_OUTBOUND,
		FilterChains:                  []*listenerv3.FilterChain{{Filters: managed(traced(outboundManager(connectName, learns), tracing))}},
	}
}

func connectCluster() *clusterv3.Cluster {
	inside := &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: connectName},
	}}}
	return &clusterv3.Cluster{
		Name:                          connectName,
		ConnectTimeout:                durationpb.New(ConnectTimeout),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: assignment(connectName, here([]*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: inside}},
		}})),
	}
}
