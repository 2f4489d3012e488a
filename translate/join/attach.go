package join

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/gateway"
)

// attachment is what became of a table at one gateway.
type attachment struct {
	Index   int // of the parent in its object
	Gateway string
	Class   string
	Reason  string // why it is not attached; "": it is
	Message string
	// Sections are the listeners that take it.
	Sections []string

	narrowed []string // the same; nil where all listeners of the gateway do
	refuse   bool
}

// routeReasonHostConflict is ours: the Gateway API names no reason for a route whose
// host another one has.
const routeReasonHostConflict gatewayv1.RouteConditionReason = "HostConflict"

func (a attachment) attached() bool { return !a.refuse }

// attach finds the listeners that take the table.
func (r *resolver) attach(t model.RouteTable, name string, hosts []string) attachment {
	a := attachment{Index: t.Index, Gateway: name}
	place := "spec.gateways"
	if t.Object.Kind != string(api.VirtualService) {
		place = t.From[0].Path
	}
	refuse := func(code string, reason gatewayv1.RouteConditionReason, format string, args ...any) attachment {
		a.Reason, a.Message, a.refuse = string(reason), fmt.Sprintf(format, args...), true
		r.add(code, place, a.Message)
		return a
	}
	found := flow.Lookup(r.x, r.gatewaysOf, name)
	if len(found) == 0 {
		return refuse(model.ProblemMissingGateway, gatewayv1.RouteReasonNoMatchingParent, "there is no %s; create it, or correct the name", gateway.Called(name))
	}
	g := found[0]
	a.Class = g.Class
	named := meant(g, t)
	speaking := speakers(named, t)
	if len(speaking) == 0 && r.otherwise(t, g) {
		a.refuse = true
		return a
	}
	if len(speaking) == 0 {
		reason := gatewayv1.RouteReasonNoMatchingParent
		if len(named) > 0 {
			reason = gatewayv1.RouteReasonNotAllowedByListeners
		}
		return refuse(model.ProblemMissingGateway, reason, "the %s has no such listener%s (has %s)", gateway.Called(name), speech(t), describe(g.Listeners))
	}
	allowed := takers(speaking, t)
	if len(allowed) == 0 && slices.ContainsFunc(speaking, func(l model.GatewayListener) bool { return inSpace(l, t) }) {
		return refuse(model.ProblemNotPermitted, gatewayv1.RouteReasonNotAllowedByListeners, "the %s takes no %s; name the kind in its allowedRoutes", gateway.Called(name), t.Object.Kind)
	}
	if len(allowed) == 0 {
		return refuse(model.ProblemNotPermitted, gatewayv1.RouteReasonNotAllowedByListeners, "the %s takes no routes of the namespace %s; widen its allowed namespaces", gateway.Called(name), t.Object.Namespace)
	}
	unserved := r.unserved(t, name, hosts, allowed)
	allowed, rival := r.undefeated(t, name, place, allowed)
	a.Sections = sectionsFor(allowed, hosts)
	switch {
	case len(a.Sections) == 0 && rival != "":
		return refuse(model.ProblemHostConflict, routeReasonHostConflict, "%s", rival)
	case len(a.Sections) == 0 && len(hosts) > 0:
		a.Reason, a.Message = string(gatewayv1.RouteReasonNoMatchingListenerHostname), unserved
	}
	if len(allowed) < len(g.Listeners) {
		a.narrowed = names(allowed)
	}
	return a
}

// otherwise says whether the gateway takes what else the object has, as one that
// routes HTTP at one gateway and TLS at another.
func (r *resolver) otherwise(t model.RouteTable, g model.Gateway) bool {
	return slices.ContainsFunc(Of[model.RouteTable](r.part), func(o model.RouteTable) bool {
		return o.Connections != t.Connections && len(speakers(g.Listeners, o)) > 0
	})
}

// speech is which listeners take the table, where those are not the usual ones.
func speech(t model.RouteTable) string {
	if t.Connections == "" {
		return ""
	}
	return " of " + string(t.Connections)
}

// meant are the listeners that the table names.
func meant(g model.Gateway, t model.RouteTable) []model.GatewayListener {
	return slices.DeleteFunc(slices.Clone(g.Listeners), func(l model.GatewayListener) bool {
		return len(t.Sections) > 0 && !slices.Contains(t.Sections, l.Name) || t.Port != 0 && l.Port != t.Port
	})
}

// speakers are the listeners that give what the table is about: requests, or whole connections.
func speakers(all []model.GatewayListener, t model.RouteTable) []model.GatewayListener {
	return slices.DeleteFunc(slices.Clone(all), func(l model.GatewayListener) bool { return l.Protocol.Connections() != t.Connections })
}

// takers are the listeners that let the table attach.
func takers(all []model.GatewayListener, t model.RouteTable) []model.GatewayListener {
	return slices.DeleteFunc(slices.Clone(all), func(l model.GatewayListener) bool { return !takes(l, t) })
}

// takes says whether routes like the table may attach to the listener.
func takes(l model.GatewayListener, t model.RouteTable) bool {
	return inSpace(l, t) && (l.RouteKinds == nil || slices.Contains(l.RouteKinds, t.Object.Kind))
}

func inSpace(l model.GatewayListener, t model.RouteTable) bool {
	return l.RouteSpace == nil || slices.Contains(l.RouteSpace, t.Object.Namespace)
}

// unserved reports the hosts that no listener serves.
func (r *resolver) unserved(t model.RouteTable, name string, hosts []string, allowed []model.GatewayListener) (last string) {
	for _, host := range hosts {
		if len(sectionsFor(allowed, []string{host})) == 0 {
			last = fmt.Sprintf("the %s serves no host %s (has %s)", gateway.Called(name), host, describe(allowed))
			r.add(model.ProblemUnreachable, hostsPath(t, name), last)
		}
	}
	return last
}

// sectionsFor are the listeners that serve one of the hosts.
func sectionsFor(all []model.GatewayListener, hosts []string) []string {
	return names(slices.DeleteFunc(slices.Clone(all), func(l model.GatewayListener) bool {
		return !slices.ContainsFunc(l.Hosts, func(served string) bool {
			return slices.ContainsFunc(hosts, func(host string) bool { return overlap(served, host) })
		})
	}))
}

func names(all []model.GatewayListener) (sections []string) {
	for _, l := range all {
		if !slices.Contains(sections, l.Name) {
			sections = append(sections, l.Name)
		}
	}
	return sections
}
