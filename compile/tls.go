package compile

import (
	"net/netip"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	tlsSocket = "envoy.transport_sockets.tls"
	// alpnTCP marks bytes that a proxy of the mesh sends, so that a permissive
	// port can tell them from TLS that the application itself speaks.
	alpnTCP = "weft-tcp"
)

// clientSocket is how a proxy speaks to a destination; nil: plain text.
func clientSocket(d destination, accounts []string) *corev3.TransportSocket {
	policy := d.Traffic.TLS
	if policy == nil {
		if d.hasProxy() {
			return meshSocket(d, accounts)
		}
		return nil
	}
	switch policy.Mode {
	case model.TLSMutual:
		return meshSocket(d, accounts)
	case model.TLSSimple, model.TLSOwn:
		return originSocket(d, *policy)
	}
	return nil
}

// Plain are those of these clusters, by name, that are called in plain text, if only at some of their instances.
func (c *Compiled) Plain(clusters []string) map[string]bool {
	all := map[string]bool{}
	c.graph.View(func(x *flow.Ctx) {
		for _, name := range clusters {
			if d, ok := flow.Get(x, c.destinations, name); ok {
				d, _ = c.layers.behind(x, d)
				all[name] = d.plain()
			}
		}
	})
	return all
}

// ToldPlain are the objects by which callers of a cluster use no identity of the mesh, though all that it leads to has a proxy.
func (c *Compiled) ToldPlain(cluster string) (by []model.Key) {
	c.graph.View(func(x *flow.Ctx) {
		d, ok := flow.Get(x, c.destinations, cluster)
		if ok && d.hasProxy() && d.Traffic.TLS != nil && d.Traffic.TLS.Mode != model.TLSMutual {
			by = slices.DeleteFunc(slices.Clone(d.From), func(k model.Key) bool { return slices.Contains(keysOf(d.Service.From), k) })
		}
	})
	return by
}

// Mode is what a port of a workload takes, and the objects that say so.
func (c *Compiled) Mode(w model.Workload, port uint32) (mode model.MTLSMode, from []model.Key) {
	c.graph.View(func(x *flow.Ctx) {
		mode, from = mtlsMode(slices.Concat(flow.Lookup(x, c.peers, ""), flow.Lookup(x, c.peers, w.Namespace)), w, port)
	})
	return mode, from
}

// plain says whether clientSocket, or plainEndpoints, lets plain text pass. What an application
// encrypts itself is none.
func (d destination) plain() bool {
	switch policy := d.Traffic.TLS; {
	case d.hasProxy() && d.Mixed && !policy.Originates():
		return true
	case d.Port.Protocol == model.TLS:
		return false
	case policy == nil:
		return !d.hasProxy()
	default:
		return policy.Mode == model.TLSDisable
	}
}

func alpnHTTP(http2 bool) string {
	if http2 {
		return "h2"
	}
	return "http/1.1"
}

// plainEndpoints speaks plain text to instances that have no proxy, unless a policy has TLS spoken to all.
func plainEndpoints(d destination) []*clusterv3.Cluster_TransportSocketMatch {
	if !d.hasProxy() || !d.Mixed || d.Traffic.TLS.Originates() {
		return nil
	}
	return []*clusterv3.Cluster_TransportSocketMatch{{
		Name: "without-proxy", Match: withoutProxy(),
		TransportSocket: &corev3.TransportSocket{Name: "envoy.transport_sockets.raw_buffer", ConfigType: &corev3.TransportSocket_TypedConfig{
			TypedConfig: pack(&rawv3.RawBuffer{}),
		}},
	}}
}

func meshSocket(d destination, accounts []string) *corev3.TransportSocket {
	if policy := d.Traffic.TLS; policy != nil && len(policy.SANs) > 0 {
		accounts = policy.SANs
	} else if len(d.Service.SANs) > 0 {
		accounts = d.Service.SANs
	}
	common := meshTLS(sanMatchers(accounts))
	common.AlpnProtocols = []string{alpnTCP}
	if d.Port.Protocol.IsHTTP() {
		common.AlpnProtocols = []string{alpnHTTP(d.http2())}
	}
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(&tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: d.meshName()}),
	}}
}

// meshName is what a proxy of the mesh asks for by TLS; "": the host of the request.
func (d destination) meshName() string {
	switch policy := d.Traffic.TLS; {
	case policy != nil && policy.SNI != "":
		return policy.SNI
	case d.Edge && d.Port.Protocol.IsHTTP():
		return "" // a gateway chooses by it among the hosts for which it listens
	}
	return d.Service.Host
}

// meshTLS presents the workload's own certificate and accepts those of the
// mesh that match one of sans; none: every identity of the mesh.
func meshTLS(sans []*tlsv3.SubjectAltNameMatcher) *tlsv3.CommonTlsContext {
	return &tlsv3.CommonTlsContext{
		TlsParams:                      &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{Name: model.SecretWorkload, SdsConfig: ads()}},
		ValidationContextType:          validation(model.SecretRoots, sans),
	}
}

func validation(roots string, sans []*tlsv3.SubjectAltNameMatcher) *tlsv3.CommonTlsContext_CombinedValidationContext {
	return &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext:         &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: sans},
			ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: roots, SdsConfig: ads()},
		},
	}
}

// sanMatchers accept any of the names, which are URIs, addresses or host names.
func sanMatchers(names []string) []*tlsv3.SubjectAltNameMatcher {
	all := make([]*tlsv3.SubjectAltNameMatcher, len(names))
	for i, name := range names {
		kind := tlsv3.SubjectAltNameMatcher_DNS
		switch _, err := netip.ParseAddr(name); {
		case strings.Contains(name, "://"):
			kind = tlsv3.SubjectAltNameMatcher_URI
		case strings.Contains(name, "@"):
			kind = tlsv3.SubjectAltNameMatcher_EMAIL
		case err == nil:
			kind = tlsv3.SubjectAltNameMatcher_IP_ADDRESS
		}
		all[i] = &tlsv3.SubjectAltNameMatcher{SanType: kind, Matcher: &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name},
		}}
	}
	return all
}

// serverSocket demands a certificate of the mesh from whoever calls, and what s asks beside.
func serverSocket(s model.ServerTLS, alpn ...string) *corev3.TransportSocket {
	common := meshTLS(nil)
	if asked := askedOf(s); asked != nil {
		common.GetCombinedValidationContext().DefaultValidationContext = asked
	}
	common.AlpnProtocols = alpn
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(&tlsv3.DownstreamTlsContext{CommonTlsContext: common, RequireClientCertificate: yes()}),
	}}
}
