package join

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

func (m *Mesh) wireBackendTLS() {
	claims := said(m.parts, "backend TLS claims", gateway.BackendTLS.ID)
	m.backendTLS = flow.NewIndex(claims, func(i item[gateway.BackendTLS]) []string { return []string{i.Value.Host} })
}

// portsWithTLS are a service's ports with how TLS is spoken to them: what the oldest policy of a port says, else that
// of the whole service.
func (m *Mesh) portsWithTLS(x *flow.Ctx, s model.Service) []model.Port {
	all := flow.Lookup(x, m.backendTLS, s.Host)
	if len(all) == 0 {
		return s.Ports
	}
	ports := slices.Clone(s.Ports)
	for i := range ports {
		if by, ok := deciding(all, ports[i]); ok {
			tls := by.Value.TLS
			ca, _ := m.trusted(x, by.Object, by.Value.Authorities)
			tls.CA, tls.From = ca, []model.Origin{by.Value.Origin}
			tls.Distrusts = tls.Distrusts || len(by.Value.Authorities) > 0 && len(ca) == 0
			ports[i].TLS = &tls
		}
	}
	return ports
}

// deciding is the policy that is right at a port, of all of its service.
func deciding(all []item[gateway.BackendTLS], port model.Port) (item[gateway.BackendTLS], bool) {
	for _, section := range []string{port.Name, ""} {
		same := slices.DeleteFunc(slices.Clone(all), func(i item[gateway.BackendTLS]) bool { return i.Value.Section != section })
		if len(same) > 0 {
			return oldest(same), true
		}
	}
	return item[gateway.BackendTLS]{}, false
}

// lostTarget is why a policy does not decide where it wants to; "": it does.
type lostTarget struct {
	Reason        gatewayv1.PolicyConditionReason
	Code, Message string
	field         string // of the target
}

// lostTo says what a policy loses at one of its targets.
func (m *Mesh) lostTo(x *flow.Ctx, by model.Key, b gateway.BackendTLS) lostTarget {
	s, ok := flow.Get(x, m.Services, b.Host)
	if !ok {
		return lostTarget{gatewayv1.PolicyReasonTargetNotFound, model.ProblemMissingService, missing(b.Host), ".name"}
	}
	all := flow.Lookup(x, m.backendTLS, b.Host)
	same := slices.DeleteFunc(slices.Clone(all), func(i item[gateway.BackendTLS]) bool { return i.Value.Section != b.Section })
	if first := oldest(same); first.Object != by {
		return lostTarget{gatewayv1.PolicyReasonConflicted, model.ProblemConflict, fmt.Sprintf("%s is older and decides for the service %s; remove one of them, or name a port by sectionName", first.Object, s.Name), ""}
	}
	found := b.Section == ""
	for _, port := range s.Ports {
		found = found || port.Name == b.Section
		if first, ok := deciding(all, port); !ok || first.Object != by || first.Value.Section != b.Section {
			continue
		}
		if rule, ok := m.ruled(x, b.Host, port.Number); ok {
			return lostTarget{gatewayv1.PolicyReasonConflicted, model.ProblemConflict, fmt.Sprintf("%s says how TLS is spoken to port %d of the service %s and decides; remove its tls, or this", rule, port.Number, s.Name), ""}
		}
	}
	if !found {
		return lostTarget{gatewayv1.PolicyReasonTargetNotFound, model.ProblemMissingPort, fmt.Sprintf("the service %s has no port of the name %q; write the name of one", s.Name, b.Section), ".sectionName"}
	}
	return lostTarget{}
}

// ruled is the object of a policy for the host itself that says how TLS is spoken to a port.
func (m *Mesh) ruled(x *flow.Ctx, host string, port uint32) (by model.Key, ok bool) {
	for _, p := range flow.Lookup(x, m.policiesOf, host) {
		if p.TrafficAt(port).TLS != nil {
			return p.Object, true
		}
	}
	return model.Key{}, false
}

// checkBackendTLS reports what a policy says in vain.
func (m *Mesh) checkBackendTLS(x *flow.Ctx, p *problems) {
	for i, b := range Of[gateway.BackendTLS](p.part) {
		if i == 0 { // all have the same
			_, missing := m.trusted(x, p.part.Object, b.Authorities)
			for _, l := range missing {
				p.add(l.Code, l.Path, l.Message+", so it is not trusted")
			}
		}
		if l := m.lostTo(x, p.part.Object, b); l.Code != "" {
			p.add(l.Code, fmt.Sprintf("spec.targetRefs[%d]%s", b.Index, l.field), l.Message)
		}
	}
}

// maxAncestors is how many a status may have.
const maxAncestors = 16

// ofBackendTLS says of a policy what became of it at each gateway of weft's that leads to its services.
func (s *statuses) ofBackendTLS(x *flow.Ctx, p Part) []Status {
	status := Status{Object: p.Object, Generation: p.Generation}
	said := map[model.Key][]metav1.Condition{}
	for _, b := range Of[gateway.BackendTLS](p) {
		conditions := s.ofTarget(x, p.Object, b)
		for _, at := range s.gatewaysTo(x, b.Host) {
			if was, ok := said[at]; !ok || was[0].Status == metav1.ConditionTrue {
				said[at] = conditions // of several targets the one that is not as it should be
			}
		}
	}
	for at, conditions := range said {
		status.Ancestors = append(status.Ancestors, Ancestor{at, conditions})
	}
	slices.SortFunc(status.Ancestors, func(a, b Ancestor) int { return a.Gateway.Compare(b.Gateway) })
	status.Ancestors = status.Ancestors[:min(len(status.Ancestors), maxAncestors)]
	return []Status{status}
}

// ofTarget are the conditions of a policy at one of its targets, Accepted first.
func (s *statuses) ofTarget(x *flow.Ctx, by model.Key, b gateway.BackendTLS) []metav1.Condition {
	ca, missing := s.trusted(x, by, b.Authorities)
	resolved := is(gatewayv1.BackendTLSPolicyConditionResolvedRefs, true, gatewayv1.BackendTLSPolicyReasonResolvedRefs, "")
	for _, l := range missing {
		reason := gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef
		if l.Code == model.ProblemNotHonoured {
			reason = gatewayv1.BackendTLSPolicyReasonInvalidKind
		}
		resolved = is(gatewayv1.BackendTLSPolicyConditionResolvedRefs, false, reason, l.Message)
	}
	accepted := func(holds bool, reason gatewayv1.PolicyConditionReason, message string) []metav1.Condition {
		return []metav1.Condition{is(gatewayv1.PolicyConditionAccepted, holds, reason, message), resolved}
	}
	switch l := s.lostTo(x, by, b); {
	case l.Code != "":
		return accepted(false, l.Reason, l.Message)
	case len(missing) > 0 && len(ca) == 0:
		return accepted(false, gatewayv1.BackendTLSPolicyReasonNoValidCACertificate, "nobody is trusted, so calls fail")
	case b.TLS.Distrusts:
		return accepted(false, gatewayv1.PolicyReasonInvalid, "the policy cannot be followed, so calls fail")
	}
	return accepted(true, gatewayv1.PolicyReasonAccepted, "")
}

// gatewaysTo are those of weft's whose routes lead to a host.
func (s *statuses) gatewaysTo(x *flow.Ctx, host string) (all []model.Key) {
	for _, route := range flow.Lookup(x, s.leading, host) {
		for _, a := range route.Parents {
			if !a.attached() || a.Class != gateway.ClassWeft {
				continue
			}
			for _, g := range flow.Lookup(x, s.gatewaysOf, a.Gateway) {
				key := model.Key{Kind: string(api.Gateway), Namespace: cmp.Or(g.Home, g.Object.Namespace), Name: g.Proxy}
				if !slices.Contains(all, key) {
					all = append(all, key)
				}
			}
		}
	}
	return all
}

// leadsTo are the hosts to which a route leads at gateways.
func leadsTo(o outcome) (hosts []string) {
	add := func(b model.Backend) {
		if !slices.Contains(hosts, b.Host) && !strings.HasPrefix(b.Host, "*") {
			hosts = append(hosts, b.Host)
		}
	}
	for _, t := range o.Tables {
		for _, rule := range t.Rules {
			for _, b := range rule.Backends {
				add(b)
			}
			for _, m := range rule.Mirrors {
				add(m.Backend)
			}
		}
	}
	return hosts
}
