package compile

import (
	"cmp"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	// caSuffix ends the name of the Secret that says whom to trust, where the certificate's own does not.
	caSuffix = "-cacert"
	// secretPatience is how long a listener waits for a certificate that does not exist: its other hosts must not.
	secretPatience = time.Second
)

func caName(certificate string) string { return certificate + "/ca" }

// certificates are the secrets that a certificate is. An invalid one is none:
// proxies do not lose a secret that is gone for as long as they need it.
func (c *compiler) certificateSecrets(_ *flow.Ctx, m model.Certificate) (all []piece) {
	add := func(s *tlsv3.Secret) {
		all = append(all, piece{c.intern.resource(model.TypeSecret, s.Name, s, nil, keysOf(m.From)...)})
	}
	if len(m.Chain) > 0 {
		add(pairSecret(m.Name, m))
	}
	if len(m.CA) > 0 {
		add(trustSecret(caName(m.Name), m))
	}
	return all
}

func pairSecret(name string, m model.Certificate) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(string(m.Chain)), PrivateKey: inline(string(m.PrivateKey)),
	}}}
}

func trustSecret(name string, m model.Certificate) *tlsv3.Secret {
	trust := &tlsv3.CertificateValidationContext{TrustedCa: inline(string(m.CA))}
	if len(m.CRL) > 0 {
		trust.Crl = inline(string(m.CRL))
	}
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: trust}}
}

var tlsVersions = map[string]tlsv3.TlsParameters_TlsProtocol{
	"1.0": tlsv3.TlsParameters_TLSv1_0, "1.1": tlsv3.TlsParameters_TLSv1_1, "1.2": tlsv3.TlsParameters_TLSv1_2, "1.3": tlsv3.TlsParameters_TLSv1_3,
}

// edgeSocket shows a certificate to whoever calls, and asks for theirs.
func edgeSocket(s model.ServerTLS, ca string, alpn ...string) *corev3.TransportSocket {
	if s.OfMesh() {
		return serverSocket(s, alpn...)
	}
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(edgeTLS(s, ca, alpn...))}}
}

// edgeTLS is that with a certificate of a Secret. Callers may be older than TLS 1.3.
func edgeTLS(s model.ServerTLS, ca string, alpn ...string) *tlsv3.DownstreamTlsContext {
	common := &tlsv3.CommonTlsContext{
		TlsParams:                      &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsVersions[cmp.Or(s.Oldest, "1.2")], TlsMaximumProtocolVersion: tlsVersions[cmp.Or(s.Newest, "1.3")], CipherSuites: s.Ciphers},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{certificateConfig(s.Secret)},
		AlpnProtocols:                  alpn,
	}
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	if s.Callers != model.CallerUnasked {
		context.RequireClientCertificate = wrapperspb.Bool(s.Callers == model.CallerRequired) // Envoy is to change what nothing means
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: certificateConfig(ca)}
		if asked := askedOf(s); asked != nil {
			common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: asked, ValidationContextSdsSecretConfig: certificateConfig(ca),
			}}
		}
	}
	return context
}

// askedOf is what a listener asks of the certificates of its callers beside that it trusts them; nil: nothing.
func askedOf(s model.ServerTLS) *tlsv3.CertificateValidationContext {
	if s.Callers != model.CallerUnproven && len(s.Names)+len(s.KeyHashes)+len(s.Hashes) == 0 {
		return nil
	}
	asked := &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: sanMatchers(s.Names), VerifyCertificateSpki: s.KeyHashes, VerifyCertificateHash: s.Hashes}
	if s.Callers == model.CallerUnproven {
		asked.TrustChainVerification = tlsv3.CertificateValidationContext_ACCEPT_UNTRUSTED
	}
	return asked
}

func certificateConfig(name string) *tlsv3.SdsSecretConfig {
	source := ads()
	source.InitialFetchTimeout = durationpb.New(secretPatience)
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: source}
}
