package istio

import (
	"path"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

func clientTLS(o *object.Object, at object.Path, t *networking.ClientTLSSettings) *model.ClientTLS {
	out := &model.ClientTLS{
		SNI: t.Sni, SANs: t.SubjectAltNames, Insecure: t.InsecureSkipVerify.GetValue(), Secret: t.CredentialName,
		Files: model.ClientFiles{Certificate: t.ClientCertificate, Key: t.PrivateKey, CA: t.CaCertificates},
	}
	switch t.Mode {
	case networking.ClientTLSSettings_DISABLE:
		return &model.ClientTLS{Mode: model.TLSDisable}
	case networking.ClientTLSSettings_ISTIO_MUTUAL:
		out.Mode = model.TLSMutual
		if out.Secret != "" || out.Files != (model.ClientFiles{}) {
			o.NotHonoured(at.Dot("mode"), "ISTIO_MUTUAL shows the identity of the mesh, and no other certificate; write MUTUAL, or leave the certificate out")
			out.Secret, out.Files = "", model.ClientFiles{}
		}
		return out
	case networking.ClientTLSSettings_MUTUAL:
		out.Mode = model.TLSOwn
	default:
		out.Mode = model.TLSSimple
	}
	checkClient(o, at, out)
	return out
}

// checkClient reports what makes calls fail: without what somebody asked for they
// are not made.
func checkClient(o *object.Object, at object.Path, t *model.ClientTLS) {
	if strings.Contains(t.Secret, "/") {
		o.Invalid(at.Dot("credentialName"), "%q names no Secret of the caller's namespace, so calls fail; write its name alone", t.Secret)
	}
	if t.Secret != "" {
		if t.Files != (model.ClientFiles{}) {
			o.NotHonoured(at.Dot("credentialName"), "it stands beside files, and wins; keep one of them")
			t.Files = model.ClientFiles{}
		}
		return
	}
	files := map[string]string{"clientCertificate": t.Files.Certificate, "privateKey": t.Files.Key, "caCertificates": t.Files.CA}
	for _, field := range model.SortedKeys(files) {
		if name := files[field]; name != "" && (!path.IsAbs(name) || strings.Contains(name, "~")) {
			o.Invalid(at.Dot(field), "%.60q is no whole path of a file on the caller's machine, so calls fail; write one that begins with / and has no ~", name)
		}
	}
	if t.Mode == model.TLSOwn && (t.Files.Certificate == "" || t.Files.Key == "") {
		o.Invalid(at, "MUTUAL shows a certificate, and none is named, so calls fail; write credentialName, or clientCertificate and privateKey")
	}
}
