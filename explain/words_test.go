package explain

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/proxy_protocol/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A header in front of the bytes is no proof of who calls, and takes none away.
func TestPlainText(t *testing.T) {
	socket := func(m proto.Message) *corev3.TransportSocket {
		config, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return &corev3.TransportSocket{ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: config}}
	}
	behind := func(inner *corev3.TransportSocket) *corev3.TransportSocket {
		return socket(&headerv3.ProxyProtocolUpstreamTransport{TransportSocket: inner})
	}
	raw, tls := socket(&rawv3.RawBuffer{}), socket(&tlsv3.UpstreamTlsContext{})
	for name, c := range map[string]struct {
		socket *corev3.TransportSocket
		plain  bool
	}{
		"none": {nil, true}, "TLS": {tls, false}, "a header and no TLS": {behind(raw), true}, "a header and TLS": {behind(tls), false},
	} {
		if got := plainText(&clusterv3.Cluster{TransportSocket: c.socket}); got != c.plain {
			t.Errorf("%s: plain text: %v, want %v", name, got, c.plain)
		}
	}
}
