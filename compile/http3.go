package compile

import (
	"fmt"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	quicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/quic/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

const (
	http3Suffix = ".http3" // ends the name of a listener of UDP, before it is that of its port's
	quicSocket  = "envoy.transport_sockets.quic"
	altSvcFor   = 24 * 60 * 60 // seconds for which a client may go by what it was told
)

// http3 says whether who asks for the chain's hosts may speak HTTP/3.
func (c chain) http3() bool {
	return slices.ContainsFunc(c.listeners, func(l gatewayListener) bool { return l.listener.HTTP3 })
}

// withoutHTTP3 leaves datagrams to the listener that is there for them alone: one socket cannot be both.
func (p *gatewayPort) withoutHTTP3(datagrams gatewayListener) (problems []model.Problem) {
	for _, c := range p.chains {
		for i := range c.listeners {
			l := &c.listeners[i]
			if !l.listener.HTTP3 {
				continue
			}
			l.listener.HTTP3 = false
			problems = append(problems, model.Problem{
				Object: l.gateway.Object, Code: model.ProblemConflict, Path: l.listener.Origin.Path,
				Message: fmt.Sprintf("port %d of UDP is that of the listener %s of %s, so this one speaks HTTP/1.1 and HTTP/2 alone; choose another port for one of them", p.number, datagrams.listener.Name, datagrams.gateway.Object),
			})
		}
	}
	return problems
}

// announced tells callers of a table by TCP that there is HTTP/3 at the same port number.
func announced(port uint32) []*corev3.HeaderValueOption {
	return []*corev3.HeaderValueOption{{
		Header:       &corev3.HeaderValue{Key: "alt-svc", Value: fmt.Sprintf(`h3=":%d"; ma=%d`, port, altSvcFor)},
		AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
	}}
}

// http3Listener is the twin by UDP of a gateway's listener; nil: no chain of it has one. Its chains
// have the tables, the guards and the certificates of those by TCP.
func http3Listener(tcp *listenerv3.Listener, p gatewayPort, keys []model.PreviewKey, g guards, tracing model.Tracing) *listenerv3.Listener {
	l := &listenerv3.Listener{
		Name:                          tcp.Name + http3Suffix,
		StatPrefix:                    tcp.StatPrefix + http3Suffix,
		Metadata:                      tcp.Metadata,
		Address:                       udpAddress(tcp.Address),
		PerConnectionBufferLimitBytes: tcp.PerConnectionBufferLimitBytes,
		TrafficDirection:              tcp.TrafficDirection,
		UdpListenerConfig: &listenerv3.UdpListenerConfig{
			QuicOptions:            &listenerv3.QuicProtocolOptions{},
			DownstreamSocketConfig: &corev3.UdpSocketConfig{PreferGro: yes()}, // one read for many packets
		},
	}
	for _, c := range p.chains {
		if c.http3() {
			l.FilterChains = append(l.FilterChains, http3Chain(c, keys, g.at(c.tls), tracing))
		}
	}
	if len(l.FilterChains) == 0 {
		return nil
	}
	return l
}

func http3Chain(c chain, keys []model.PreviewKey, g guards, tracing model.Tracing) *listenerv3.FilterChain {
	m := edgeManager(c.name, c.name, keys, g)
	m.CodecType, m.Http2ProtocolOptions = hcmv3.HttpConnectionManager_HTTP3, nil
	m.Http3ProtocolOptions = &corev3.Http3ProtocolOptions{QuicProtocolOptions: &corev3.QuicProtocolOptions{
		MaxConcurrentStreams: u32(edgeStreams), InitialStreamWindowSize: u32(edgeStreamWindow), InitialConnectionWindowSize: u32(connectionWindow),
	}}
	f := &listenerv3.FilterChain{Name: c.name, Filters: managed(tracedAtEdge(m, tracing)), FilterChainMatch: asksFor(c.hosts)}
	f.FilterChainMatch.TransportProtocol = "quic"
	if g.nameless {
		f = withoutCaller(f)
	}
	f.TransportSocket = &corev3.TransportSocket{Name: quicSocket, ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(&quicv3.QuicDownstreamTransport{
			DownstreamTlsContext: edgeTLS(c.tls, c.ca, "h3"),
			EnableEarlyData:      wrapperspb.Bool(false), // whoever recorded it could send it again
		}),
	}}
	return f
}

func udpAddress(tcp *corev3.Address) *corev3.Address {
	at := tcp.GetSocketAddress()
	udp := address(at.GetAddress(), at.GetPortValue())
	udp.GetSocketAddress().Protocol = corev3.SocketAddress_UDP
	return udp
}
