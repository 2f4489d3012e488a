package join

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
)

// rules of the table with their backends looked up, and where else is written how they call.
func (r *resolver) rules(t model.RouteTable) (rules []model.Rule, lent []model.Origin) {
	for _, rule := range t.Rules {
		rule.Backends = slices.Clone(rule.Backends)
		for j := range rule.Backends {
			r.backend(t, &rule.Backends[j])
		}
		var mirrors []model.Mirror
		for _, m := range rule.Mirrors {
			if r.backend(t, &m.Backend); m.Backend.Invalid == "" {
				mirrors = append(mirrors, m)
			}
		}
		rule.Mirrors = mirrors
		if t.Connections != "" {
			rules = append(rules, rule)
			continue
		}
		called, from := r.called(r.x, rule)
		rules = append(rules, called...)
		lent = append(lent, from...)
	}
	return rules, distinct(lent)
}

// backend looks one up, and says in it why it can never be reached.
func (r *resolver) backend(t model.RouteTable, b *model.Backend) {
	if b.Invalid != "" {
		return
	}
	b.Host = r.host(r.x, b.Host)
	refuse := func(code, field, message string) {
		b.Invalid = message
		r.addAt(b.Origin, field, code, message)
	}
	inGateway := t.Object.Kind != string(api.VirtualService)
	called := slices.Contains(t.Gateways, model.Mesh) && slices.Contains(t.Hosts, b.Host) // who calls a service may reach it
	if name, namespace, ok := model.SplitHost(b.Host); ok && inGateway && !called && namespace != t.Object.Namespace &&
		!r.granted(r.x, t.Object, "Service", namespace, name) {
		refuse(model.ProblemNotPermitted, ".namespace", fmt.Sprintf("no ReferenceGrant of the namespace %s lets this route send to the service %s", namespace, name))
		return
	}
	s, ok := flow.Get(r.x, r.Services, b.Host)
	field := map[bool]string{true: ".name", false: ".host"}[inGateway]
	if !ok {
		refuse(model.ProblemMissingService, field, missing(b.Host))
		return
	}
	if t.Connections == model.GatewayUDP {
		ofDatagrams(b, s, refuse)
		return
	}
	if b.Port == 0 && len(s.Ports) == 1 {
		b.Port = s.Ports[0].Number
	}
	switch port, has := s.Port(b.Port); {
	case b.Port == 0 && slices.Contains(t.Hosts, b.Host) && t.Connections == "":
		// It is the port that the caller named: the service has it, or the call is no call to it.
	case b.Port == 0:
		refuse(model.ProblemMissingPort, ".port", fmt.Sprintf("the service %s has several ports (%s); name one", s.Name, numbers(s.Ports)))
	case !has:
		refuse(model.ProblemMissingPort, ".port", fmt.Sprintf("service %s has no port %d (has %s)", s.Name, b.Port, numbers(s.Ports)))
	case t.Connections != "" && port.Protocol.IsHTTP(): // its proxies take requests, and agree on HTTP/2
		refuse(model.ProblemInvalid, ".port", fmt.Sprintf("port %d of the service %s says that it speaks HTTP, and connections are led on as they are; name the port tcp-%s or tls-%s, or set its appProtocol", b.Port, s.Name, s.Name, s.Name))
	case t.Connections != "":
	case port.Protocol == model.TCP && !inGateway: // a route of the Gateway API says itself that the port takes requests
		r.addAt(b.Origin, ".port", model.ProblemUnreachable, fmt.Sprintf("port %d of the service %s does not say that it speaks HTTP, so calls to it are not routed one by one; name the port http-%s, or set its appProtocol", b.Port, s.Name, s.Name))
	}
	if b.Invalid == "" && b.Subset != "" {
		r.subset(b, s, refuse)
	}
}

// ofDatagrams finds the port of a backend that gets datagrams. Its endpoints have a share of their own each, so they are known here.
func ofDatagrams(b *model.Backend, s model.Service, refuse func(code, field, message string)) {
	if _, ok := s.Datagram(b.Port); !ok {
		refuse(model.ProblemMissingPort, ".port", fmt.Sprintf("service %s has no port %d of UDP (has %s); add it with protocol: UDP, or correct the number", s.Name, b.Port, numbers(s.Datagrams)))
		return
	}
	if s.Resolution == model.ByDNS || s.Resolution == model.Dynamic {
		refuse(model.ProblemInvalid, ".name", fmt.Sprintf("the instances of service %s are found by DNS, and weft sends datagrams to known addresses; list their IPs, with resolution STATIC", s.Name))
	}
}

func (r *resolver) subset(b *model.Backend, s model.Service, refuse func(code, field, message string)) {
	var names []string
	for _, p := range r.policies(r.x, b.Host) {
		for _, subset := range p.Subsets {
			if subset.Name == b.Subset {
				return
			}
			names = append(names, subset.Name)
		}
	}
	message := fmt.Sprintf("no DestinationRule of %s defines the subset %q", s.Name, b.Subset)
	if len(names) > 0 {
		message += fmt.Sprintf(" (there are %s)", strings.Join(names[:min(len(names), maxNamed)], ", "))
	} else {
		message += "; write one with this subset"
	}
	refuse(model.ProblemMissingSubset, ".subset", message)
}

// maxNamed bounds how many names a message lists.
const maxNamed = 10

func numbers(ports []model.Port) string {
	var words []string
	for _, p := range ports[:min(len(ports), maxNamed)] {
		words = append(words, strconv.Itoa(int(p.Number)))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
