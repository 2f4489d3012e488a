package compile

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
)

// withProxyHeader begins connections with the PROXY protocol where a policy wants it. A proxy of the mesh does not expect it.
func withProxyHeader(d destination, socket *corev3.TransportSocket) *corev3.TransportSocket {
	if d.Traffic.ProxyHeader == 0 || d.hasProxy() {
		return socket
	}
	if socket == nil {
		socket = &corev3.TransportSocket{Name: "envoy.transport_sockets.raw_buffer", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&rawv3.RawBuffer{})}}
	}
	version := corev3.ProxyProtocolConfig_V1
	if d.Traffic.ProxyHeader == 2 {
		version = corev3.ProxyProtocolConfig_V2
	}
	return &corev3.TransportSocket{Name: "envoy.transport_sockets.upstream_proxy_protocol", ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(&headerv3.ProxyProtocolUpstreamTransport{Config: &corev3.ProxyProtocolConfig{Version: version}, TransportSocket: socket}),
	}}
}
