package join

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// admission is what became of a ListenerSet at its Gateway.
type admission struct {
	Parent  model.Key
	Refused string            // reason why none of its listeners is there; "": some may be
	Lost    map[string]string // reason why a listener is not, by name
}

// admit leaves of a ListenerSet's listeners those that its Gateway takes: its own come first, then those of older sets.
func (m *Mesh) admit(x *flow.Ctx, p *problems, set gateway.Set, g model.Gateway) (model.Gateway, *admission) {
	a := &admission{Parent: set.Parent, Lost: map[string]string{}}
	refuse := func(code string, reason gatewayv1.ListenerSetConditionReason, message string) (model.Gateway, *admission) {
		p.add(code, "spec.parentRef", message)
		a.Refused, g.Listeners = string(reason), nil
		return g, a
	}
	parent, _ := flow.Get(x, m.parts, set.Parent.String())
	at, takes := Of[model.Gateway](parent), Of[gateway.Admits](parent)
	if len(at) == 0 || len(takes) == 0 {
		return refuse(model.ProblemMissingGateway, gatewayv1.ListenerSetReasonParentNotAccepted, fmt.Sprintf("there is no gateway %s/%s; create it, or correct the name", set.Parent.Namespace, set.Parent.Name))
	}
	g.Class = at[0].Class
	if !m.takesSet(x, takes[0], parent.Object.Namespace, p.part.Object.Namespace) {
		return refuse(model.ProblemNotPermitted, gatewayv1.ListenerSetReasonNotAllowed, fmt.Sprintf("the gateway %s/%s takes no ListenerSets of the namespace %s; widen its allowedListeners", set.Parent.Namespace, set.Parent.Name, p.part.Object.Namespace))
	}
	before := slices.Clone(at[0].Listeners)
	for _, elder := range m.elders(x, set, p.part) {
		if m.takesSet(x, takes[0], parent.Object.Namespace, elder.Object.Namespace) {
			kept, _ := beside(before, Of[model.Gateway](elder)[0].Listeners)
			before = append(before, kept...)
		}
	}
	var lost []model.GatewayListener
	g.Listeners, lost = beside(before, g.Listeners)
	for _, l := range lost {
		reason, first := gateway.Contest(before, l)
		a.Lost[l.Name] = reason
		p.add(model.ProblemConflict, l.Origin.Path, fmt.Sprintf("the listener %s of %s has the same port and host, or another protocol there; this listener stays closed", first.Name, first.Origin.Key))
	}
	return g, a
}

// beside are the listeners that can be where others are already, and those that cannot.
func beside(before, all []model.GatewayListener) (kept, lost []model.GatewayListener) {
	for _, l := range all {
		if reason, _ := gateway.Contest(before, l); reason != "" {
			lost = append(lost, l)
		} else {
			kept = append(kept, l)
		}
	}
	return kept, lost
}

// elders are the sets of the same Gateway that are older, the oldest first.
func (m *Mesh) elders(x *flow.Ctx, set gateway.Set, of Part) (all []Part) {
	for _, other := range flow.Lookup(x, m.setsOf, set.Parent.String()) {
		part, ok := flow.Get(x, m.parts, other.Object.String())
		if ok && olderSet(part, of) < 0 {
			all = append(all, part)
		}
	}
	slices.SortFunc(all, olderSet)
	return all
}

func olderSet(a, b Part) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), strings.Compare(a.Object.Namespace, b.Object.Namespace), strings.Compare(a.Object.Name, b.Object.Name))
}

func (m *Mesh) takesSet(x *flow.Ctx, a gateway.Admits, home, namespace string) bool {
	switch a.From {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSame:
		return namespace == home
	case gatewayv1.NamespacesFromSelector:
		return slices.Contains(m.spaces(x, a.Selector), namespace)
	}
	return false
}

// setPods are the ports that ListenerSets want of the pods of their Gateways.
func setPods(gates *flow.Collection[outcome]) *flow.Collection[item[model.GatewayPods]] {
	return flow.Derive(gates, "gateway pods of listener sets", func(_ *flow.Ctx, o outcome) (all []item[model.GatewayPods]) {
		if o.Set == nil || o.Set.Refused != "" {
			return nil
		}
		pods := model.GatewayPods{Namespace: o.Set.Parent.Namespace, Name: o.Set.Parent.Name}
		for _, g := range o.Gateways {
			for _, l := range g.Listeners {
				if l.Protocol != model.GatewayUDP {
					pods.Ports = append(pods.Ports, l.Port)
				}
			}
			pods.UDP = append(pods.UDP, g.UDP()...)
		}
		return []item[model.GatewayPods]{{ID: pods.Key() + "|" + o.Object.String(), Object: o.Object, Rank: lastRank, Value: pods}}
	})
}

// lastRank comes after every object's.
const lastRank = 1 << 62

// ofSet says of a ListenerSet what became of it at its Gateway.
func (s *statuses) ofSet(x *flow.Ctx, p Part) []Status {
	o, _ := flow.Get(x, s.opened, p.Object.String())
	if o.Set == nil || len(o.Gateways) == 0 || o.Gateways[0].Class != gateway.ClassWeft {
		return nil
	}
	places, ready := s.reached(x, o.Set.Parent.Namespace+"/"+o.Set.Parent.Name)
	status := Status{Object: p.Object, Generation: p.Generation}
	valid, all := 0, listenersOf(p, o)
	for _, l := range all {
		if o.Set.Refused != "" {
			continue
		}
		if f := o.Faults[l.Name]; opens(l) && !f.Closed {
			valid++
		}
		status.Listeners = append(status.Listeners, s.ofListener(x, p, o.Gateways[0].Name, l, o.Faults[l.Name], ready))
	}
	reason := gatewayv1.ListenerSetConditionReason(o.Set.Refused)
	switch {
	case reason != "":
	case valid < len(all):
		reason = gatewayv1.ListenerSetReasonListenersNotValid
	default:
		reason = gatewayv1.ListenerSetReasonAccepted
	}
	status.Conditions = append(status.Conditions, is(gatewayv1.ListenerSetConditionAccepted, valid > 0, reason, ""), programmedSet(valid > 0, ready && len(places) > 0, reason))
	return []Status{status}
}

func programmedSet(accepted, served bool, reason gatewayv1.ListenerSetConditionReason) metav1.Condition {
	switch {
	case !accepted:
	case served:
		reason = gatewayv1.ListenerSetReasonProgrammed
	default:
		reason = gatewayv1.ListenerSetReasonPending
	}
	return is(gatewayv1.ListenerSetConditionProgrammed, accepted && served, reason, "")
}

// listenersOf are those of a ListenerSet, as its Gateway took them.
func listenersOf(p Part, o outcome) (all []gateway.Listener) {
	for _, l := range Of[gateway.Listener](p) {
		l.Accepted = cmp.Or(l.Accepted, o.Set.Lost[l.Name])
		all = append(all, l)
	}
	return all
}

// attachedSets counts the ListenerSets with a listener at the Gateway.
func (s *statuses) attachedSets(x *flow.Ctx, of model.Key) (n int32) {
	for _, set := range flow.Lookup(x, s.setsOf, of.String()) {
		part, _ := flow.Get(x, s.parts, set.Object.String())
		o, _ := flow.Get(x, s.opened, set.Object.String())
		if o.Set == nil || o.Set.Refused != "" {
			continue
		}
		if slices.ContainsFunc(listenersOf(part, o), func(l gateway.Listener) bool { return opens(l) && !o.Faults[l.Name].Closed }) {
			n++
		}
	}
	return n
}
