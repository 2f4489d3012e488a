package gateway

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Classes of gateways that are weft's to run.
const (
	ClassWeft  = "weft"
	ClassIstio = "istio"
)

// Group is the one of the Gateway API's kinds.
const Group = gatewayv1.GroupName

// Spaces are the namespaces whose routes may attach to listeners, by listener,
// where the Gateway selects them by labels.
type Spaces map[string]*metav1.LabelSelector

// Gateway gives one gateway with the listeners that are usable, or none.
func Gateway(o *object.Object, spec *gatewayv1.GatewaySpec) ([]model.Gateway, Spaces) {
	if class := string(spec.GatewayClassName); class != ClassWeft && class != ClassIstio {
		o.NotHonoured(object.Spec.Dot("gatewayClassName"), "weft runs gateways of the classes %s and %s only, not of %q", ClassWeft, ClassIstio, class)
		return nil, nil
	}
	if !o.Audit(spec, honoured) {
		return nil, nil
	}
	g := model.Gateway{Object: o.Key, Name: o.Namespace + "/" + o.Key.Name, Proxy: o.Key.Name, From: o.Whole()}
	spaces := Spaces{}
	for i := range spec.Listeners {
		if spec.TLS != nil && spec.Listeners[i].Protocol == gatewayv1.HTTPSProtocolType {
			continue // it asks more of callers than is done, so they must not come in; reported by the audit
		}
		if l, ok := listener(o, object.Spec.Dot("listeners").At(i), &spec.Listeners[i], spaces); ok {
			g.Listeners = append(g.Listeners, l)
		}
	}
	return []model.Gateway{g}, spaces
}

func listener(o *object.Object, at object.Path, l *gatewayv1.Listener, spaces Spaces) (model.GatewayListener, bool) {
	out := model.GatewayListener{Name: string(l.Name), Port: uint32(l.Port), Hosts: []string{"*"}, Origin: o.Origin(at)}
	if !o.CheckPort(at.Dot("port"), out.Port) {
		return out, false
	}
	if l.Hostname != nil && *l.Hostname != "" {
		out.Hosts = []string{strings.ToLower(string(*l.Hostname))}
		if !o.CheckHost(at.Dot("hostname"), out.Hosts[0]) {
			return out, false
		}
	}
	switch l.Protocol {
	case gatewayv1.HTTPProtocolType:
		out.Protocol = model.GatewayHTTP
	case gatewayv1.HTTPSProtocolType:
		out.Protocol = model.GatewayHTTPS
		var ok bool
		if out.TLS.Secret, ok = certificate(o, at.Dot("tls"), l.TLS); !ok {
			return out, false
		}
	default:
		o.NotHonoured(at.Dot("protocol"), "weft's gateways do not do %s, so this listener stays closed; use HTTP or HTTPS", l.Protocol)
		return out, false
	}
	return out, allowedRoutes(o, at.Dot("allowedRoutes").Dot("namespaces"), l.AllowedRoutes, &out, spaces)
}

func certificate(o *object.Object, at object.Path, tls *gatewayv1.ListenerTLSConfig) (string, bool) {
	if tls == nil || len(tls.CertificateRefs) == 0 {
		o.Invalid(at.Dot("certificateRefs"), "is empty, so this listener stays closed; name a Secret of type kubernetes.io/tls")
		return "", false
	}
	if tls.Mode != nil && *tls.Mode != gatewayv1.TLSModeTerminate {
		o.NotHonoured(at.Dot("mode"), "weft's gateways do not do %s, so this listener stays closed; use Terminate", *tls.Mode)
		return "", false
	}
	if len(tls.CertificateRefs) > 1 {
		o.NotHonoured(at.Dot("certificateRefs").At(1), "weft serves the first certificate only; use a listener for each")
	}
	ref := tls.CertificateRefs[0]
	if value(ref.Group, "") != "" || value(ref.Kind, "Secret") != "Secret" {
		o.NotHonoured(at.Dot("certificateRefs").At(0), "weft reads certificates from Secrets only, so this listener stays closed")
		return "", false
	}
	return string(value(ref.Namespace, gatewayv1.Namespace(o.Namespace))) + "/" + string(ref.Name), true
}

func allowedRoutes(o *object.Object, at object.Path, allowed *gatewayv1.AllowedRoutes, l *model.GatewayListener, spaces Spaces) bool {
	from := gatewayv1.NamespacesFromSame
	if allowed != nil && allowed.Namespaces != nil {
		from = value(allowed.Namespaces.From, from)
	}
	switch from {
	case gatewayv1.NamespacesFromAll:
	case gatewayv1.NamespacesFromSame:
		l.RouteSpace = []string{o.Namespace}
	case gatewayv1.NamespacesFromNone:
		l.RouteSpace = []string{}
	case gatewayv1.NamespacesFromSelector:
		l.RouteSpace = []string{}
		if allowed.Namespaces.Selector == nil {
			o.Invalid(at.Dot("selector"), "is missing; write the labels of the namespaces")
			return false
		}
		if _, err := metav1.LabelSelectorAsSelector(allowed.Namespaces.Selector); err != nil {
			o.Invalid(at.Dot("selector"), "is no selector: %s", err)
			return false
		}
		spaces[l.Name] = allowed.Namespaces.Selector
	default:
		o.Invalid(at.Dot("from"), "%q is not known; write Same, All, None or Selector", from)
		return false
	}
	return true
}

// value is what a pointer points to, or else what stands for nothing.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
