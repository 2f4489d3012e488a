package istio

import (
	"cmp"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// serverTLS is false where what is asked cannot be done: such a server stays closed.
func serverTLS(o *object.Object, at object.Path, tls *networking.ServerTLSSettings, l *model.GatewayListener) bool {
	if tls.GetMode() == networking.ServerTLSSettings_ISTIO_MUTUAL {
		l.TLS = model.ServerTLS{Secret: model.MeshCertificate, Callers: model.CallerRequired}
		return callersOf(o, at, tls, &l.TLS)
	}
	var ok bool
	if l.TLS.Callers, ok = callers[tls.GetMode()]; !ok {
		o.NotHonoured(at.Dot("mode"), "weft's gateways do not do %s, so this server stays closed; use SIMPLE, MUTUAL, OPTIONAL_MUTUAL, ISTIO_MUTUAL or PASSTHROUGH", tls.GetMode())
		return false
	}
	if tls.GetCredentialName() == "" || strings.Contains(tls.GetCredentialName(), "/") {
		o.Invalid(at.Dot("credentialName"), "%q names no Secret of the namespace of the gateway's proxies, so this server stays closed; create one of type kubernetes.io/tls", tls.GetCredentialName())
		return false
	}
	l.TLS.Secret = tls.CredentialName
	if l.TLS.Trust = tls.CaCertCredentialName; strings.Contains(l.TLS.Trust, "/") {
		o.Invalid(at.Dot("caCertCredentialName"), "%q names no Secret of the namespace of the gateway's proxies, so this server stays closed; write its name alone", l.TLS.Trust)
		return false
	}
	l.TLS.Oldest, l.TLS.Newest = versions[tls.MinProtocolVersion], versions[tls.MaxProtocolVersion]
	if cmp.Or(l.TLS.Oldest, "1.2") > cmp.Or(l.TLS.Newest, "1.3") {
		o.Invalid(at.Dot("maxProtocolVersion"), "is older than minProtocolVersion, which is 1.2 where nothing is said, so this server stays closed; correct one of them")
		return false
	}
	return cipherSuites(o, at.Dot("cipherSuites"), tls.CipherSuites, &l.TLS) && callersOf(o, at, tls, &l.TLS)
}

// versions of TLS; none for AUTO.
var versions = map[networking.ServerTLSSettings_TLSProtocol]string{
	networking.ServerTLSSettings_TLSV1_0: "1.0",
	networking.ServerTLSSettings_TLSV1_1: "1.1",
	networking.ServerTLSSettings_TLSV1_2: "1.2",
	networking.ServerTLSSettings_TLSV1_3: "1.3",
}

// callers is what each mode asks of them.
var callers = map[networking.ServerTLSSettings_TLSmode]model.CallerCertificate{
	networking.ServerTLSSettings_SIMPLE:          model.CallerUnasked,
	networking.ServerTLSSettings_MUTUAL:          model.CallerRequired,
	networking.ServerTLSSettings_OPTIONAL_MUTUAL: model.CallerOptional,
}

// hashForm is a SHA-256 as hex, with colons or without.
var hashForm = regexp.MustCompile(`^[0-9A-Fa-f]{64}$|^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$`)

// callersOf is who of those whom it trusts may come in. What cannot be read lets nobody in.
func callersOf(o *object.Object, at object.Path, tls *networking.ServerTLSSettings, out *model.ServerTLS) bool {
	out.Names, out.KeyHashes, out.Hashes = tls.SubjectAltNames, tls.VerifyCertificateSpki, tls.VerifyCertificateHash
	if len(out.Names)+len(out.KeyHashes)+len(out.Hashes) == 0 {
		return true
	}
	if out.Callers == model.CallerUnasked {
		o.Invalid(at.Dot("mode"), "%s asks for no certificate of callers, and it is said which they must have, so this server stays closed; write MUTUAL", tls.Mode)
		return false
	}
	sound := true
	check := func(field string, all []string, usable func(string) bool, want string) {
		for i, v := range all {
			if !usable(v) {
				o.Invalid(at.Dot(field).At(i), "%.80q is not %s, so this server stays closed", v, want)
				sound = false
			}
		}
	}
	check("subjectAltNames", out.Names, func(v string) bool { return v != "" }, "a name; write that of a host, a URI, an IP address or an e-mail address")
	check("verifyCertificateSpki", out.KeyHashes, func(v string) bool {
		hash, err := base64.StdEncoding.DecodeString(v)
		return err == nil && len(hash) == 32
	}, "the base64 of a SHA-256 of a public key")
	check("verifyCertificateHash", out.Hashes, hashForm.MatchString, "the SHA-256 of a certificate as hex")
	return sound
}

// suites of TLS 1.2 and older that proxies have; those of 1.3 cannot be chosen.
var suites = strings.Fields(`ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384
	ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA
	ECDHE-RSA-AES256-SHA AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA AES256-SHA`)

// cipherSuites are those that are known; a server of which none is stays closed.
func cipherSuites(o *object.Object, at object.Path, names []string, out *model.ServerTLS) bool {
	for i, name := range names {
		switch {
		case !slices.Contains(suites, name):
			o.Invalid(at.At(i), "%.60q is no suite that proxies have, so it is left out; there are %s", name, strings.Join(suites, ", "))
		case !slices.Contains(out.Ciphers, name):
			out.Ciphers = append(out.Ciphers, name)
		}
	}
	if len(names) > 0 && len(out.Ciphers) == 0 {
		o.Invalid(at, "names no suite that proxies have, so this server stays closed")
		return false
	}
	return true
}
