package compile

import (
	"cmp"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"weft.dev/flow"
	"weft.dev/model"
)

// originSocket opens TLS as any client does: it verifies the server, and shows it
// the certificate that the policy names.
func originSocket(d destination, policy model.ClientTLS) *corev3.TransportSocket {
	name := cmp.Or(policy.SNI, d.Service.Host)
	common := &tlsv3.CommonTlsContext{TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2}}
	if d.Port.Protocol.IsHTTP() {
		common.AlpnProtocols = []string{alpnHTTP(d.http2())}
	}
	if d.asks() {
		name = ""
	}
	if !policy.Insecure {
		sans := d.names(policy)
		if len(sans) == 0 && name != "" {
			sans = []string{name}
		}
		common.ValidationContextType = d.trust(policy, sanMatchers(sans))
	}
	if shown := d.shown(policy); shown != "" {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{certificateConfig(shown)}
	}
	return &corev3.TransportSocket{Name: tlsSocket, ConfigType: &corev3.TransportSocket_TypedConfig{
		TypedConfig: pack(&tlsv3.UpstreamTlsContext{CommonTlsContext: common, Sni: name}),
	}}
}

// names are those of which the server must have one, if somebody says so.
func (d destination) names(policy model.ClientTLS) []string {
	if len(policy.SANs) > 0 {
		return policy.SANs
	}
	return d.Service.SANs
}

// shown is the secret that a caller shows, "" for none.
func (d destination) shown(policy model.ClientTLS) string {
	switch {
	case d.byPort():
		return d.Shown
	case policy.Mode != model.TLSOwn:
		return ""
	case policy.Secret != "":
		return credentialName(policy.Secret)
	}
	return model.FileSecret(policy.Files.Certificate, policy.Files.Key)
}

// trust is whom a caller trusts. A secret that does not exist must not hold other clusters back.
func (d destination) trust(policy model.ClientTLS, sans []*tlsv3.SubjectAltNameMatcher) *tlsv3.CommonTlsContext_CombinedValidationContext {
	v := validation(model.SecretSystemRoots, sans)
	switch {
	case policy.Distrusts:
		v.CombinedValidationContext.ValidationContextSdsSecretConfig = certificateConfig(caName(untrusting))
	case len(policy.CA) > 0:
		v.CombinedValidationContext.ValidationContextSdsSecretConfig = certificateConfig(d.trustName())
	case policy.Secret != "":
		v.CombinedValidationContext.ValidationContextSdsSecretConfig = certificateConfig(caName(credentialName(policy.Secret)))
	case policy.Files.CA != "":
		v.CombinedValidationContext.ValidationContextSdsSecretConfig = certificateConfig(model.SecretCAPrefix + policy.Files.CA)
	}
	return v
}

// A credential is a Certificate under a name without its namespace: clusters are
// the same for all callers, and each has the one of its own namespace.
func credentialName(secret string) string { return "credential/" + secret }

func credentialLayer(namespace, secret string) string {
	return credentialName(namespace + "/" + secret)
}

// credential is a Secret that some destination names. Key: the name.
type credential struct {
	Secret string
	From   []model.Key // who names it
}

func (c credential) Key() string { return c.Secret }
func (c credential) Equal(o credential) bool {
	return c.Secret == o.Secret && fmt.Sprint(c.From) == fmt.Sprint(o.From)
}

// space is a namespace with proxies in it. Key: the name.
type space string

func (s space) Key() string        { return string(s) }
func (s space) Equal(o space) bool { return s == o }

// wireCredentials is the way from destinations to what callers show there.
func (c *compiler) wireCredentials() {
	naming := func(d destination) []string {
		if d.Traffic.TLS.Originates() {
			return keyOrNone(d.Traffic.TLS.Secret)
		}
		return nil
	}
	c.credentials = flow.Group(flow.NewIndex(c.destinations, naming), "compile/credentials", func(_ *flow.Ctx, secret string, all []destination) *credential {
		var from []model.Key
		for _, d := range all {
			from = append(from, d.From...)
		}
		return &credential{secret, distinct(from)}
	})
	c.provenTo = flow.NewIndex(c.destinations, func(d destination) []string {
		if len(naming(d)) == 0 {
			return nil
		}
		return []string{d.Service.Host}
	})
	c.spaces = flow.Group(flow.NewIndex(c.scopes, func(s scope) []string { return keyOrNone(s.Namespace) }), "compile/spaces",
		func(_ *flow.Ctx, name string, _ []scope) *space { s := space(name); return &s })
}

// credentialLayers are those of one namespace.
func (c *compiler) credentialLayers(x *flow.Ctx, s space) (all []*model.Layer) {
	for _, want := range flow.All(x, c.credentials) {
		var resources []*model.Resource
		add := func(secret *tlsv3.Secret, from []model.Origin) {
			resources = append(resources, c.intern.resource(model.TypeSecret, secret.Name, secret, nil, keysOf(from)...))
		}
		own, _ := flow.Get(x, c.Certificates, string(s)+"/"+want.Secret)
		if len(own.Chain) > 0 {
			add(pairSecret(credentialName(want.Secret), own), own.From)
		}
		if trusted, ok := c.trustedBy(x, own, string(s)+"/"+want.Secret); ok {
			add(trustSecret(caName(credentialName(want.Secret)), trusted), trusted.From)
		}
		if len(resources) > 0 {
			all = append(all, model.NewLayer(credentialLayer(string(s), want.Secret), resources...))
		}
	}
	return all
}

// trustedBy is the Certificate that says whom to trust beside one of a name.
func (c *compiler) trustedBy(x *flow.Ctx, own model.Certificate, name string) (model.Certificate, bool) {
	if ca, ok := flow.Get(x, c.Certificates, name+caSuffix); ok && len(ca.CA) > 0 {
		return ca, true
	}
	return own, len(own.CA) > 0
}

// shown are the names of the credentials that a scope needs for hosts that it knows.
func (l *layers) shown(x *flow.Ctx, s scope, hosts []string) []string {
	all := flow.All(x, l.credentials)
	if len(all) == 0 {
		return nil
	}
	found := map[string]bool{}
	if s.Outbound != 0 && (s.All || s.Inline) {
		for _, c := range all {
			found[c.Secret] = true
		}
	}
	for _, host := range hosts {
		for _, d := range flow.Lookup(x, l.provenTo, host) {
			found[d.Traffic.TLS.Secret] = true
		}
	}
	return model.SortedKeys(found)
}

// unproven are the Secrets that callers miss. Who knows every service may call
// none of these, and is told nothing.
func (l *layers) unproven(x *flow.Ctx, o *model.Outline) []report {
	s, ok := flow.Get(x, l.scopes, o.Scope)
	if !ok || len(flow.All(x, l.credentials)) == 0 {
		return nil
	}
	var problems []model.Problem
	for _, name := range o.Layers {
		secret, ok := strings.CutPrefix(name, credentialLayer(s.Namespace, ""))
		if !ok || s.Outbound != 0 && (s.All || s.Inline) {
			continue
		}
		want, _ := flow.Get(x, l.credentials, secret)
		problems = append(problems, l.lacking(x, s.Namespace+"/"+secret, want)...)
	}
	return reportOf("credentials of "+o.Scope, problems)
}

func (l *layers) lacking(x *flow.Ctx, secret string, want credential) (problems []model.Problem) {
	own, _ := flow.Get(x, l.Certificates, secret)
	_, trusts := l.trustedBy(x, own, secret)
	for _, by := range want.From {
		report := func(message string) {
			problems = append(problems, model.Problem{Object: by, Code: model.ProblemMissingSecret, Message: message})
		}
		switch {
		case by.Kind != "DestinationRule": // the service itself is none the wiser
		case own.Name == "" && !trusts:
			report(own.Missing(secret) + ", or callers in that namespace are not let in")
		case !trusts:
			report(fmt.Sprintf("the Secret %s says not whom to trust, so callers in that namespace trust no server; put ca.crt into it", secret))
		}
	}
	return problems
}
