package istio

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// ServiceEntry gives a service for each of its hosts.
func ServiceEntry(o *object.Object, spec *networking.ServiceEntry) []model.Service {
	if !o.Audit(spec, honoured) {
		return nil
	}
	exportTo(o, object.Spec.Dot("exportTo"), spec.ExportTo)
	s := model.Service{
		Namespace: o.Namespace, External: spec.Location == networking.ServiceEntry_MESH_EXTERNAL, From: o.Whole(),
		VIPs: serviceAddresses(o, spec.Addresses), SANs: spec.SubjectAltNames,
	}
	s.Ports, s.Datagrams = servicePorts(o, spec.Ports)
	if len(s.Ports)+len(s.Datagrams) == 0 {
		o.Invalid(object.Spec.Dot("ports"), "has no usable port; name at least one")
		return nil
	}
	if !resolution(o, spec, &s) {
		return nil
	}
	var all []model.Service
	for i, name := range spec.Hosts {
		at := object.Spec.Dot("hosts").At(i)
		host := strings.ToLower(name)
		if !o.CheckHost(at, host) {
			continue
		}
		one := s
		if strings.HasPrefix(host, "*") && !wildcard(o, at, host, spec, &one) {
			continue
		}
		if slices.ContainsFunc(all, func(have model.Service) bool { return have.Host == host }) {
			continue
		}
		one.Host, one.Name = host, host
		if one.Resolution == model.ByDNS && len(s.Addresses) == 0 {
			one.Addresses = []model.Address{{Host: host}}
		}
		all = append(all, one)
	}
	return all
}

// serviceAddresses are IPs, or ranges of them, to which callers connect that know nothing of a proxy.
func serviceAddresses(o *object.Object, all []string) (usable []string) {
	for i, text := range all {
		prefix, err := netip.ParsePrefix(text)
		if err != nil && model.Callable(text) {
			usable = append(usable, text)
		} else if err == nil && prefix.Bits() > 0 {
			usable = append(usable, prefix.Masked().String())
		} else {
			o.Invalid(object.Spec.Dot("addresses").At(i), "%.60q is neither an IP nor a range of them, such as 192.0.2.0/24", text)
		}
	}
	return usable
}

// privateAnnotation set to "true" lets names of a wildcard lead to private addresses.
const privateAnnotation = "weft.dev/private-addresses"

// wildcard says how the names of a wildcard are found: at the endpoints that are listed,
// or where DNS says when one is called.
func wildcard(o *object.Object, at object.Path, host string, spec *networking.ServiceEntry, s *model.Service) bool {
	if model.Covers(host, "name.namespace."+model.Domain) || strings.HasSuffix(host, "."+model.Domain) {
		o.Invalid(at, "%q has the names of the mesh among it; write a narrower one", host)
		return false
	}
	if s.Resolution != model.ByDNS || len(s.Addresses) > 0 {
		return true
	}
	if spec.Resolution != networking.ServiceEntry_NONE && spec.Resolution != networking.ServiceEntry_DYNAMIC_DNS {
		o.NotHonoured(at, "%s asks for the name as it is listed, and %q is none; use DYNAMIC_DNS", spec.Resolution, host)
		return false
	}
	s.Resolution, s.Private = model.Dynamic, o.Annotations[privateAnnotation] == "true"
	for i, port := range s.Ports {
		if port.Protocol == model.TCP {
			o.NotHonoured(object.Spec.Dot("ports").At(i), "what is spoken at port %d names no host, so only who asks its proxy by CONNECT reaches a name of %q there; write HTTP, HTTP2, GRPC or TLS", port.Number, host)
		}
	}
	return true
}

// resolution says where the service's endpoints come from. NONE, "wherever the
// caller's name leads", is what asking DNS for that name gives.
func resolution(o *object.Object, spec *networking.ServiceEntry, s *model.Service) bool {
	if spec.WorkloadSelector != nil {
		s.Resolution, s.Selector = model.ByWorkload, spec.WorkloadSelector.Labels
		if len(s.Selector) == 0 {
			o.Invalid(object.Spec.Dot("workloadSelector"), "has no labels; name those of the workloads")
			return false
		}
		if len(spec.Endpoints) > 0 {
			o.Invalid(object.Spec.Dot("endpoints"), "workloadSelector is set too, and wins; keep one of them")
		}
		return true
	}
	s.Resolution = model.ByDNS
	switch spec.Resolution {
	case networking.ServiceEntry_STATIC:
		s.Resolution = model.Static
	case networking.ServiceEntry_DYNAMIC_DNS:
		if slices.ContainsFunc(spec.Hosts, func(host string) bool { return !strings.HasPrefix(host, "*") }) {
			o.NotHonoured(object.Spec.Dot("resolution"), "weft asks DNS for hosts that are no wildcards as they are listed; use DNS for them")
		}
	}
	if len(spec.Endpoints) > 0 {
		s.Addresses = make([]model.Address, 0, len(spec.Endpoints))
	}
	for i, endpoint := range spec.Endpoints {
		if address, ok := address(o, object.Spec.Dot("endpoints").At(i), endpoint, s.Resolution == model.Static); ok {
			s.Addresses = append(s.Addresses, address)
		}
	}
	if s.Resolution == model.Static && len(s.Addresses) == 0 {
		o.Invalid(object.Spec.Dot("endpoints"), "has no usable address; list the IPs, or use resolution DNS")
		return false
	}
	return true
}

// WorkloadEntry gives the address of an instance without a proxy of weft.
func WorkloadEntry(o *object.Object, spec *networking.WorkloadEntry) (model.Address, bool) {
	if !o.Audit(spec, honoured) {
		return model.Address{}, false
	}
	return address(o, object.Spec, spec, true)
}

func address(o *object.Object, at object.Path, e *networking.WorkloadEntry, ip bool) (model.Address, bool) {
	a := model.Address{Host: e.GetAddress(), Ports: e.GetPorts(), Labels: e.GetLabels(), Weight: e.GetWeight(), Account: e.GetServiceAccount()}
	if a.Locality = strings.Trim(e.GetLocality(), "/"); strings.Count(a.Locality, "/") > 2 {
		o.Invalid(at.Dot("locality"), "%.60q is no place; write REGION/ZONE/SUBZONE, or the front of it", a.Locality)
		a.Locality = ""
	}
	if !model.Callable(a.Host) {
		if _, err := netip.ParseAddr(a.Host); ip || err == nil {
			o.Invalid(at.Dot("address"), "%q is no IP address that a proxy can call", a.Host)
			return a, false
		}
		if !o.CheckHost(at.Dot("address"), strings.ToLower(a.Host)) || strings.Contains(a.Host, "*") {
			return a, false
		}
	}
	for name, port := range a.Ports {
		if !o.CheckPort(at.Dot("ports").Entry(name), port) {
			return a, false
		}
	}
	if a.Weight > maxWeight {
		o.Invalid(at.Dot("weight"), "%d is more than %d", a.Weight, maxWeight)
		return a, false
	}
	return a, true
}

// servicePorts are those of TCP, and those of UDP.
func servicePorts(o *object.Object, ports []*networking.ServicePort) (all, datagrams []model.Port) {
	for i, p := range ports {
		at := object.Spec.Dot("ports").At(i)
		if !o.CheckPort(at.Dot("number"), p.GetNumber()) {
			continue
		}
		protocol, ok := servicePort(p)
		if !ok {
			o.NotHonoured(at.Dot("protocol"), "weft does not know %q and treats it as TCP; write HTTP, HTTP2, GRPC, TCP, TLS or UDP", p.GetProtocol())
		}
		into := &all
		if protocol == model.UDP {
			into = &datagrams
		}
		if slices.ContainsFunc(*into, func(have model.Port) bool { return have.Number == p.Number }) {
			o.Invalid(at.Dot("number"), "port %d is listed above; the first one is used", p.Number)
			continue
		}
		*into = append(*into, model.Port{Number: p.Number, Target: p.TargetPort, Name: p.Name, Protocol: protocol})
	}
	for _, some := range [][]model.Port{all, datagrams} {
		slices.SortFunc(some, func(a, b model.Port) int { return cmp.Compare(a.Number, b.Number) })
	}
	return all, datagrams
}

func servicePort(p *networking.ServicePort) (model.Protocol, bool) {
	if strings.EqualFold(p.GetProtocol(), string(model.UDP)) {
		return model.UDP, true
	}
	return object.Protocol(p.GetProtocol(), p.GetName())
}
