package join

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// Status is what the Gateway API wants to be said of an object. Its conditions
// have no times: those are for who writes them. Key: object.
type Status struct {
	Object     model.Key
	Generation int64
	Conditions []metav1.Condition
	Passing    []string                         // types of conditions that are no more where Conditions does not have them
	Listeners  []gatewayv1.ListenerStatus       // of a Gateway
	Addresses  []gatewayv1.GatewayStatusAddress // of a Gateway
	Sets       int32                            // ListenerSets at a Gateway
	Parents    []Parent                         // of a route
	Ancestors  []Ancestor                       // of a policy
}

// Parent is what is said of a route at one of its parents.
type Parent struct {
	Index      int // in spec.parentRefs
	Conditions []metav1.Condition
}

// Ancestor is what is said of a policy at a gateway.
type Ancestor struct {
	Gateway    model.Key
	Conditions []metav1.Condition
}

func (s Status) Key() string         { return s.Object.String() }
func (s Status) Equal(o Status) bool { return reflect.DeepEqual(s, o) }

// statuses is what the derivations of statuses share.
type statuses struct {
	*Mesh
	addresses *flow.Collection[model.GatewayAddress]
	attached  *flow.Index[outcome] // routes, by gateway
	leading   *flow.Index[outcome] // routes, by host to which they lead
	opened    *flow.Collection[outcome]
}

// Statuses are those of the classes, gateways and routes of the Gateway API that
// are weft's. Without addresses a gateway is where its proxies are.
func (m *Mesh) Statuses(addresses *flow.Collection[model.GatewayAddress]) *flow.Collection[Status] {
	s := &statuses{Mesh: m, addresses: addresses, opened: m.gates}
	s.attached = flow.NewIndex(m.routed, func(o outcome) (all []string) {
		for _, a := range o.Parents {
			if a.attached() && !slices.Contains(all, a.Gateway) {
				all = append(all, a.Gateway)
			}
		}
		return all
	})
	s.leading = flow.NewIndex(m.routed, leadsTo)
	return flow.Union("statuses",
		flow.Derive(m.parts, "statuses of gateways", s.ofPart),
		flow.Derive(m.routed, "statuses of routes", s.ofRoute),
	)
}

func (s *statuses) ofPart(x *flow.Ctx, p Part) []Status {
	status := Status{Object: p.Object, Generation: p.Generation}
	if len(Of[gateway.OurClass](p)) > 0 {
		status.Conditions = []metav1.Condition{
			is(gatewayv1.GatewayClassConditionStatusAccepted, true, gatewayv1.GatewayClassReasonAccepted, "weft runs gateways of this class"),
			is(gatewayv1.GatewayClassConditionStatusSupportedVersion, true, gatewayv1.GatewayClassReasonSupportedVersion, "the CRDs are of a version that weft reads"),
		}
		return []Status{status}
	}
	if len(Of[gateway.Set](p)) > 0 {
		return s.ofSet(x, p)
	}
	if p.Object.Kind == string(api.BackendTLSPolicy) {
		return s.ofBackendTLS(x, p)
	}
	gateways := Of[model.Gateway](p)
	if p.Object.Kind != string(api.Gateway) || len(gateways) == 0 || gateways[0].Class != gateway.ClassWeft {
		return nil
	}
	s.ofGateway(x, p, gateways[0].Name, &status)
	return []Status{status}
}

func (s *statuses) ofGateway(x *flow.Ctx, p Part, name string, status *Status) {
	places, ready := s.reached(x, name)
	for _, at := range places {
		kind := gatewayv1.IPAddressType
		if !model.Callable(at) {
			kind = gatewayv1.HostnameAddressType
		}
		status.Addresses = append(status.Addresses, gatewayv1.GatewayStatusAddress{Type: &kind, Value: at})
	}
	status.Sets = s.attachedSets(x, p.Object)
	listeners := Of[gateway.Listener](p)
	opened, _ := flow.Get(x, s.opened, p.Object.String())
	accepted := 0
	for _, l := range listeners {
		if l.Accepted == "" && opened.Faults[l.Name].Accepted == "" {
			accepted++
		}
		status.Listeners = append(status.Listeners, s.ofListener(x, p, name, l, opened.Faults[l.Name], ready))
	}
	reason, message := gatewayv1.GatewayReasonAccepted, "weft runs the gateway"
	if accepted < len(listeners) {
		reason, message = gatewayv1.GatewayReasonListenersNotValid, "some listeners are not served: see their conditions"
	}
	whole := is(gatewayv1.GatewayConditionAccepted, accepted > 0, reason, message)
	for _, why := range Of[gateway.Unaccepted](p) {
		whole = is(gatewayv1.GatewayConditionAccepted, false, why.Reason, why.Message)
	}
	status.Conditions = append(status.Conditions, whole, programmed(s.unusable(p, places), len(places) > 0, ready, accepted > 0))
	status.Passing = []string{string(gatewayv1.GatewayConditionResolvedRefs), string(gatewayv1.GatewayConditionInsecureFrontendValidationMode)}
	status.Conditions = append(status.Conditions, ofGatewayTLS(p, opened, status.Listeners)...)
}

// ofGatewayTLS is what is said of a Gateway that speaks of TLS.
func ofGatewayTLS(p Part, o outcome, listeners []gatewayv1.ListenerStatus) (all []metav1.Condition) {
	unresolved := slices.ContainsFunc(listeners, func(l gatewayv1.ListenerStatus) bool {
		return slices.ContainsFunc(l.Conditions, func(c metav1.Condition) bool {
			return c.Type == string(gatewayv1.ListenerConditionResolvedRefs) && c.Status == metav1.ConditionFalse
		})
	})
	switch reason := o.Shown.Reason; {
	case reason == "":
	case reason == gatewayv1.GatewayReasonResolvedRefs && unresolved:
		all = append(all, is(gatewayv1.GatewayConditionResolvedRefs, false, gatewayv1.GatewayReasonListenersNotResolved, "what some listeners name is not to be had: see their conditions"))
	default:
		all = append(all, is(gatewayv1.GatewayConditionResolvedRefs, reason == gatewayv1.GatewayReasonResolvedRefs, reason, o.Shown.Message))
	}
	for _, f := range Of[gateway.Frontend](p) {
		if f.Insecure() {
			all = append(all, is(gatewayv1.GatewayConditionInsecureFrontendValidationMode, true, gatewayv1.GatewayReasonConfigurationChanged,
				"callers are let in whatever certificate they show, so rules know nobody by one"))
		}
	}
	return all
}

func programmed(unusable string, addressed, ready, accepted bool) metav1.Condition {
	const programmed = gatewayv1.GatewayConditionProgrammed
	switch {
	case !accepted:
		return is(programmed, false, gatewayv1.GatewayReasonInvalid, "no listener of the gateway can be served")
	case unusable != "":
		return is(programmed, false, gatewayv1.GatewayReasonAddressNotUsable, unusable)
	case !addressed:
		return is(programmed, false, gatewayv1.GatewayReasonAddressNotAssigned, "the gateway has no address yet")
	case !ready:
		return is(programmed, false, gatewayv1.GatewayReasonPending, "no proxy of the gateway is ready yet")
	}
	return is(programmed, true, gatewayv1.GatewayReasonProgrammed, "the gateway's proxies serve it")
}

// unusable says of an address that the gateway asks for why it is not reached there, and will not be; "": it may be.
func (s *statuses) unusable(p Part, places []string) string {
	for i, asked := range Of[gateway.Address](p) {
		switch {
		case slices.Contains(places, string(asked)):
		case i > 0 && s.addresses != nil:
			return fmt.Sprintf("a load balancer is asked for one address, the first of spec.addresses: remove %s, or write another Gateway for it", asked)
		case len(places) == 0: // not yet
		case s.addresses != nil:
			return fmt.Sprintf("the gateway was given the address %s, not %s: ask for one that the cluster's load balancer has, and nobody else", places[0], asked)
		default:
			return fmt.Sprintf("no proxy of the gateway is at %s: start one on the machine that has it, with --address %s", asked, asked)
		}
	}
	return ""
}

// reached is where a gateway is called, and whether anybody answers there.
func (s *statuses) reached(x *flow.Ctx, name string) (places []string, ready bool) {
	for _, r := range flow.Lookup(x, s.proxiesOf, name) {
		for _, i := range r.Instances {
			if i.Health == model.Healthy {
				places, ready = append(places, i.Address), true
			}
		}
	}
	slices.Sort(places)
	if s.addresses != nil {
		at, _ := flow.Get(x, s.addresses, name)
		return at.Addresses, ready
	}
	return slices.Compact(places), ready
}

func (s *statuses) ofListener(x *flow.Ctx, p Part, name string, l gateway.Listener, f fault, ready bool) gatewayv1.ListenerStatus {
	out := gatewayv1.ListenerStatus{Name: gatewayv1.SectionName(l.Name), SupportedKinds: []gatewayv1.RouteGroupKind{}, AttachedRoutes: s.attachedTo(x, name, l.Name)}
	for _, kind := range l.Kinds {
		group := gatewayv1.Group(gateway.Group)
		out.SupportedKinds = append(out.SupportedKinds, gatewayv1.RouteGroupKind{Group: &group, Kind: gatewayv1.Kind(kind)})
	}
	switch {
	case f.Closed:
		l.Accepted, l.Resolved = cmp.Or(l.Accepted, f.Accepted), f.Resolved
	case l.Resolved == "" && s.uncertified(x, p, l.Name):
		l.Resolved = string(gatewayv1.ListenerReasonInvalidCertificateRef)
	}
	conflicted := l.Accepted == string(gatewayv1.ListenerReasonHostnameConflict) || l.Accepted == string(gatewayv1.ListenerReasonProtocolConflict)
	refused := pendingOr
	if len(Of[gateway.Set](p)) > 0 && l.Accepted != "" {
		refused = func(bool) gatewayv1.ListenerConditionReason { return gatewayv1.ListenerConditionReason(l.Accepted) }
	}
	open := opens(l)
	resolved := cmp.Or(l.Resolved, f.Resolved) // with a part of whom it is to trust, it is open
	out.Conditions = []metav1.Condition{
		is(gatewayv1.ListenerConditionAccepted, l.Accepted == "", orElse(l.Accepted, gatewayv1.ListenerReasonAccepted), ""),
		is(gatewayv1.ListenerConditionResolvedRefs, resolved == "", orElse(resolved, gatewayv1.ListenerReasonResolvedRefs), f.Message),
		is(gatewayv1.ListenerConditionConflicted, conflicted, orElse(map[bool]string{true: l.Accepted}[conflicted], gatewayv1.ListenerReasonNoConflicts), ""),
		is(gatewayv1.ListenerConditionProgrammed, open && ready, map[bool]gatewayv1.ListenerConditionReason{true: gatewayv1.ListenerReasonProgrammed, false: refused(open)}[open && ready], ""),
	}
	return out
}

// opens says whether a listener is served: with a part of the kinds of routes that it names, too.
func opens(l gateway.Listener) bool {
	return l.Accepted == "" && (l.Resolved == "" || l.Resolved == string(gatewayv1.ListenerReasonInvalidRouteKinds) && len(l.Kinds) > 0)
}

func pendingOr(open bool) gatewayv1.ListenerConditionReason {
	if open {
		return gatewayv1.ListenerReasonPending
	}
	return gatewayv1.ListenerReasonInvalid
}

// uncertified says whether the certificate of a listener is missing or unusable.
func (s *statuses) uncertified(x *flow.Ctx, p Part, listener string) bool {
	for _, g := range Of[model.Gateway](p) {
		for _, l := range g.Listeners {
			if l.Name == listener && l.TLS.Secret != "" {
				c, _ := flow.Get(x, s.Certificates, l.TLS.Secret)
				return len(c.Chain) == 0
			}
		}
	}
	return false
}

func (s *statuses) attachedTo(x *flow.Ctx, name, listener string) (n int32) {
	for _, route := range flow.Lookup(x, s.attached, name) {
		if slices.ContainsFunc(route.Parents, func(a attachment) bool {
			return a.Gateway == name && a.Reason == "" && slices.Contains(a.Sections, listener)
		}) {
			n++
		}
	}
	return n
}

// ofRoute says of a route what became of it at each gateway of weft's.
func (s *statuses) ofRoute(x *flow.Ctx, o outcome) []Status {
	part, ok := flow.Get(x, s.parts, o.Object.String())
	status := Status{Object: o.Object, Generation: part.Generation}
	reason, message := unresolved(append(slices.Clone(part.Problems), o.Problems...))
	for _, a := range o.Parents {
		if a.Class != gateway.ClassWeft {
			continue
		}
		status.Parents = append(status.Parents, Parent{Index: a.Index, Conditions: []metav1.Condition{
			is(gatewayv1.RouteConditionAccepted, a.Reason == "", orElse(a.Reason, gatewayv1.RouteReasonAccepted), a.Message),
			is(gatewayv1.RouteConditionResolvedRefs, reason == "", orElse(reason, gatewayv1.RouteReasonResolvedRefs), message),
		}})
	}
	if !ok || len(status.Parents) == 0 {
		return nil
	}
	return []Status{status}
}

// unresolved is the first problem of a route with what it sends to.
func unresolved(problems []model.Problem) (reason, message string) {
	for _, p := range problems {
		switch at := p.Path; {
		case !strings.Contains(at, ".backendRefs[") && !strings.Contains(at, ".backendRef."):
		case p.Code == model.ProblemNotPermitted:
			return string(gatewayv1.RouteReasonRefNotPermitted), p.Message
		case strings.HasSuffix(at, ".kind"):
			return string(gatewayv1.RouteReasonInvalidKind), p.Message
		case p.Code == model.ProblemMissingService || p.Code == model.ProblemMissingPort:
			return string(gatewayv1.RouteReasonBackendNotFound), p.Message
		}
	}
	return "", ""
}

func is[T, R ~string](condition T, holds bool, reason R, message string) metav1.Condition {
	c := metav1.Condition{Type: string(condition), Status: metav1.ConditionFalse, Reason: string(reason), Message: message}
	if holds {
		c.Status = metav1.ConditionTrue
	}
	return c
}

func orElse[R ~string](reason string, otherwise R) R {
	if reason == "" {
		return otherwise
	}
	return R(reason)
}
