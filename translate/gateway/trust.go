package gateway

import (
	"strconv"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Authority is a ConfigMap or a Secret that says whom to trust.
type Authority struct {
	Kind            string // ConfigMap, Secret, or what nobody reads
	Namespace, Name string
	Path            string // where it is named
	Unread          bool   // no such kind is read
}

func authority(at object.Path, group gatewayv1.Group, kind gatewayv1.Kind, namespace string, name gatewayv1.ObjectName) Authority {
	read := group == "" && (kind == gatewayv1.Kind(api.ConfigMap) || kind == gatewayv1.Kind(api.Secret))
	return Authority{Kind: string(kind), Namespace: namespace, Name: string(name), Path: string(at), Unread: !read}
}

// BackendTLS is how TLS is spoken to a service, or to one of its ports, whose name Section is. Whom to trust has yet to
// be looked up.
type BackendTLS struct {
	Host, Section string
	TLS           model.ClientTLS
	Authorities   []Authority // none: those of the system
	Index         int         // of the target
	Origin        model.Origin
}

// ID is what it is about.
func (b BackendTLS) ID() string { return b.Host + "|" + b.Section }

// BackendTLSPolicy gives one for each service that it names. One that cannot be followed is no reason to call in
// plain text: then calls fail.
func BackendTLSPolicy(o *object.Object, spec *gatewayv1.BackendTLSPolicySpec) (all []BackendTLS) {
	one := BackendTLS{TLS: model.ClientTLS{Mode: model.TLSSimple, Distrusts: !o.Audit(spec, honoured)}}
	one.read(o, object.Spec.Dot("validation"), &spec.Validation)
	for i, ref := range spec.TargetRefs {
		if ref.Group != "" || ref.Kind != gatewayv1.Kind(api.Service) {
			o.NotHonoured(object.Spec.Dot("targetRefs").At(i), "weft knows such policies of Services only, not of a %s", ref.Kind)
			continue
		}
		one.Host, one.Section, one.Index = model.HostOf(o.Namespace, string(ref.Name)), string(value(ref.SectionName, "")), i
		one.Origin = o.Origin(object.Spec.Dot("targetRefs").At(i))
		all = append(all, one)
	}
	return all
}

func (b *BackendTLS) read(o *object.Object, at object.Path, in *gatewayv1.BackendTLSPolicyValidation) {
	b.TLS.SNI = strings.ToLower(string(in.Hostname))
	if strings.HasPrefix(b.TLS.SNI, "*") || !object.IsHost(b.TLS.SNI) {
		o.Invalid(at.Dot("hostname"), "%.60q is no name of a server, so calls fail; write the one that its certificate has", b.TLS.SNI)
		b.TLS.Distrusts = true
	}
	for i, san := range in.SubjectAltNames {
		name := string(san.URI)
		if san.Type == gatewayv1.HostnameSubjectAltNameType {
			name = strings.ToLower(string(san.Hostname))
		}
		if name == "" || san.Type == gatewayv1.URISubjectAltNameType && !strings.Contains(name, "://") {
			o.Invalid(at.Dot("subjectAltNames").At(i), "is no name that a certificate has, so calls fail; write a hostname, or a URI with a scheme and ://")
			b.TLS.Distrusts = true
			continue
		}
		b.TLS.SANs = append(b.TLS.SANs, name)
	}
	if len(in.SubjectAltNames) == 0 {
		b.TLS.SANs = []string{b.TLS.SNI}
	}
	for i, ref := range in.CACertificateRefs {
		b.Authorities = append(b.Authorities, authority(at.Dot("caCertificateRefs").At(i), ref.Group, ref.Kind, o.Namespace, ref.Name))
	}
	if len(b.Authorities) == 0 && value(in.WellKnownCACertificates, "") != gatewayv1.WellKnownCACertificatesSystem {
		o.Invalid(at.Dot("wellKnownCACertificates"), "names nobody whom weft knows, so calls fail; write System, or caCertificateRefs")
		b.TLS.Distrusts = true
	}
}

// Frontend is what a Gateway asks of callers by TLS.
type Frontend struct {
	Default *Validation // nil: nothing
	PerPort map[uint32]*Validation
}

// Validation is whose certificates callers show.
type Validation struct {
	Authorities []Authority
	Fallback    bool   // whoever has another one, or none, is let in
	Name        string // of it among those of its Gateway
	Path        string
}

// At is what is asked at a port; nil: nothing.
func (f Frontend) At(port uint32) *Validation {
	if own, ok := f.PerPort[port]; ok {
		return own
	}
	return f.Default
}

// Insecure says whether a certificate of no worth is as good as any, at some port.
func (f Frontend) Insecure() bool {
	if f.Default != nil && f.Default.Fallback {
		return true
	}
	for _, v := range f.PerPort {
		if v != nil && v.Fallback {
			return true
		}
	}
	return false
}

// FrontendOf reads what a Gateway asks of callers.
func FrontendOf(o *object.Object, spec *gatewayv1.GatewaySpec) []Frontend {
	if spec.TLS == nil || spec.TLS.Frontend == nil {
		return nil
	}
	at := object.Spec.Dot("tls").Dot("frontend")
	f := Frontend{Default: validation(o, at.Dot("default").Dot("validation"), "default", spec.TLS.Frontend.Default.Validation)}
	for i, p := range spec.TLS.Frontend.PerPort {
		if f.PerPort == nil {
			f.PerPort = map[uint32]*Validation{}
		}
		f.PerPort[uint32(p.Port)] = validation(o, at.Dot("perPort").At(i).Dot("tls").Dot("validation"), strconv.Itoa(int(p.Port)), p.TLS.Validation)
	}
	return []Frontend{f}
}

func validation(o *object.Object, at object.Path, name string, in *gatewayv1.FrontendTLSValidation) *Validation {
	if in == nil {
		return nil
	}
	v := &Validation{Fallback: in.Mode == gatewayv1.AllowInsecureFallback, Name: name, Path: string(at)}
	if !v.Fallback && in.Mode != "" && in.Mode != gatewayv1.AllowValidOnly {
		o.NotHonoured(at.Dot("mode"), "weft does not know the mode %q and lets in who has a valid certificate only; write AllowValidOnly or AllowInsecureFallback", in.Mode)
	}
	for i, ref := range in.CACertificateRefs {
		namespace := string(value(ref.Namespace, gatewayv1.Namespace(o.Namespace)))
		v.Authorities = append(v.Authorities, authority(at.Dot("caCertificateRefs").At(i), ref.Group, ref.Kind, namespace, ref.Name))
	}
	return v
}

// Shown is the Secret by which a Gateway's proxies prove themselves to services.
type Shown struct {
	Namespace, Name string
	Path            string
	Unread          bool // it is of a kind that nobody reads
}

// ShownBy reads which one that is.
func ShownBy(o *object.Object, spec *gatewayv1.GatewaySpec) []Shown {
	if spec.TLS == nil || spec.TLS.Backend == nil || spec.TLS.Backend.ClientCertificateRef == nil {
		return nil
	}
	ref := spec.TLS.Backend.ClientCertificateRef
	return []Shown{{
		Namespace: string(value(ref.Namespace, gatewayv1.Namespace(o.Namespace))), Name: string(ref.Name),
		Path:   string(object.Spec.Dot("tls").Dot("backend").Dot("clientCertificateRef")),
		Unread: value(ref.Group, "") != "" || value(ref.Kind, gatewayv1.Kind(api.Secret)) != gatewayv1.Kind(api.Secret),
	}}
}
