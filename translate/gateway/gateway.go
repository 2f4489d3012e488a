package gateway

import (
	"fmt"
	"slices"
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

// Listener is what its Gateway's status says of it, open or not.
type Listener struct {
	Name     string
	Kinds    []string // of routes that may attach
	Accepted string   // reason why it is not; "": it is
	Resolved string   // reason why what it names is not; "": it is
}

// Unaccepted is why a Gateway as a whole is not as it was asked for, though it is
// served.
type Unaccepted struct {
	Reason  gatewayv1.GatewayConditionReason
	Message string
}

// Reasons not to accept a Gateway, of which a problem speaks, too.
func Reasons(spec *gatewayv1.GatewaySpec) (all []Unaccepted) {
	if spec.Infrastructure != nil && spec.Infrastructure.ParametersRef != nil {
		all = append(all, Unaccepted{gatewayv1.GatewayReasonInvalidParameters, "weft reads no parameters, and runs the gateway without: remove spec.infrastructure.parametersRef"})
	}
	for _, a := range spec.Addresses {
		if kind := typeOf(a); kind != gatewayv1.IPAddressType {
			all = append(all, Unaccepted{gatewayv1.GatewayReasonUnsupportedAddress, fmt.Sprintf("weft asks for no address of the type %s, and runs the gateway without: write an IPAddress", kind)})
		}
	}
	return all
}

// Gateway gives one gateway with the listeners that are usable, or none.
func Gateway(o *object.Object, spec *gatewayv1.GatewaySpec) ([]model.Gateway, Spaces, []Listener) {
	class := string(spec.GatewayClassName)
	if class != ClassWeft && class != ClassIstio {
		o.NotHonoured(object.Spec.Dot("gatewayClassName"), "weft runs gateways of the classes %s and %s only, not of %q", ClassWeft, ClassIstio, class)
		return nil, nil, nil
	}
	if !o.Audit(spec, honoured) {
		return nil, nil, nil
	}
	g := model.Gateway{Object: o.Key, Name: o.Namespace + "/" + o.Key.Name, Class: class, Proxy: o.Key.Name, From: o.Whole()}
	r := reader{Object: o, spaces: Spaces{}}
	for i := range spec.Listeners {
		r.read(i, &spec.Listeners[i], &g)
	}
	o.WithHTTP3(&g)
	return []model.Gateway{g}, r.spaces, r.all
}

// read puts a listener that is usable into the gateway.
func (r *reader) read(i int, in *gatewayv1.Listener, into *model.Gateway) {
	r.is = Listener{Name: string(in.Name), Kinds: []string{}}
	if l, ok := r.listener(object.Spec.Dot("listeners").At(i), in); ok && !r.contested(l) {
		into.Listeners = append(into.Listeners, l)
	}
	r.all = append(r.all, r.is)
}

// reader reads the listeners of one Gateway.
type reader struct {
	*object.Object
	spaces Spaces
	is     Listener
	open   []model.GatewayListener
	all    []Listener
}

func (r *reader) listener(at object.Path, l *gatewayv1.Listener) (model.GatewayListener, bool) {
	out := model.GatewayListener{Name: string(l.Name), Port: uint32(l.Port), Hosts: []string{"*"}, Origin: r.Origin(at)}
	if !r.protocol(at, l, &out) || !r.kinds(at.Dot("allowedRoutes").Dot("kinds"), l.AllowedRoutes, &out) {
		return out, false
	}
	if !r.CheckPort(at.Dot("port"), out.Port) {
		r.is.Accepted = string(gatewayv1.ListenerReasonPortUnavailable)
		return out, false
	}
	if l.Hostname != nil && *l.Hostname != "" {
		out.Hosts = []string{strings.ToLower(string(*l.Hostname))}
		if !r.CheckHost(at.Dot("hostname"), out.Hosts[0]) {
			r.is.Accepted = string(gatewayv1.ListenerReasonHostnameConflict)
			return out, false
		}
	}
	if out.Protocol == model.GatewayHTTPS || out.Protocol == model.GatewayTLS && !passes(l.TLS) {
		var ok bool
		if out.TLS.Secret, ok = certificate(r.Object, at.Dot("tls"), l.TLS); !ok {
			r.is.Resolved = string(gatewayv1.ListenerReasonInvalidCertificateRef)
			return out, false
		}
	}
	return out, allowedRoutes(r.Object, at.Dot("allowedRoutes").Dot("namespaces"), l.AllowedRoutes, &out, r.spaces)
}

func (r *reader) protocol(at object.Path, l *gatewayv1.Listener, out *model.GatewayListener) bool {
	switch l.Protocol {
	case gatewayv1.HTTPProtocolType:
		out.Protocol = model.GatewayHTTP
	case gatewayv1.HTTPSProtocolType:
		out.Protocol = model.GatewayHTTPS
	case gatewayv1.TLSProtocolType:
		out.Protocol = model.GatewayTLS
	case gatewayv1.TCPProtocolType:
		out.Protocol = model.GatewayTCP
	case gatewayv1.UDPProtocolType:
		out.Protocol = model.GatewayUDP
	default:
		r.is.Accepted = string(gatewayv1.ListenerReasonUnsupportedProtocol)
		r.NotHonoured(at.Dot("protocol"), "weft's gateways do not do %s, so this listener stays closed; use HTTP, HTTPS, TLS, TCP or UDP", l.Protocol)
		return false
	}
	return true
}

// passes says whether connections of TLS are led on unopened.
func passes(tls *gatewayv1.ListenerTLSConfig) bool {
	return tls != nil && value(tls.Mode, gatewayv1.TLSModeTerminate) == gatewayv1.TLSModePassthrough
}

// routeKinds are those that listeners serve.
var routeKinds = map[model.GatewayProtocol][]string{
	model.GatewayHTTP:  {"HTTPRoute", "GRPCRoute"},
	model.GatewayHTTPS: {"HTTPRoute", "GRPCRoute"},
	model.GatewayTLS:   {"TLSRoute"},
	model.GatewayTCP:   {"TCPRoute"},
	model.GatewayUDP:   {"UDPRoute"},
}

// kinds finds the kinds of routes that may attach. Where others are named, too,
// the rest is served.
func (r *reader) kinds(at object.Path, allowed *gatewayv1.AllowedRoutes, out *model.GatewayListener) bool {
	served := routeKinds[out.Protocol]
	if allowed == nil || len(allowed.Kinds) == 0 {
		r.is.Kinds = served
		return true
	}
	out.RouteKinds = []string{}
	for i, k := range allowed.Kinds {
		if value(k.Group, Group) == Group && slices.Contains(served, string(k.Kind)) {
			out.RouteKinds = append(out.RouteKinds, string(k.Kind))
			continue
		}
		r.is.Resolved = string(gatewayv1.ListenerReasonInvalidRouteKinds)
		r.NotHonoured(at.At(i).Dot("kind"), "to such a listener weft attaches objects of the kind %s, no %s", strings.Join(served, " or "), k.Kind)
	}
	r.is.Kinds = out.RouteKinds
	return len(out.RouteKinds) > 0
}

// contested says that an earlier listener has the same port and host.
func (r *reader) contested(l model.GatewayListener) bool {
	reason, first := Contest(r.open, l)
	if r.is.Accepted = reason; reason != "" {
		r.Report(model.ProblemConflict, object.Path(l.Origin.Path), "the listener %s has the same port and host, or another protocol there; this one stays closed", first.Name)
		return true
	}
	r.open = append(r.open, l)
	return false
}

// Contest is the reason why a listener cannot be beside others, which come before it, and because of which; "": it can.
func Contest(before []model.GatewayListener, l model.GatewayListener) (reason string, first model.GatewayListener) {
	for _, o := range before {
		switch {
		case o.Port != l.Port || o.Protocol.Apart(l.Protocol):
		case !o.Protocol.Shares(l.Protocol):
			return string(gatewayv1.ListenerReasonProtocolConflict), o
		case o.Hosts[0] == l.Hosts[0]:
			return string(gatewayv1.ListenerReasonHostnameConflict), o
		}
	}
	return "", first
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
