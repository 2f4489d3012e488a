package kube

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Service gives one service, or none where it is not usable.
func Service(o *object.Object, spec *corev1.ServiceSpec) []model.Service {
	s := model.Service{
		Host: model.HostOf(o.Namespace, o.Key.Name), Namespace: o.Namespace, Name: o.Key.Name,
		Resolution: model.ByWorkload, Selector: spec.Selector, From: o.Whole(),
	}
	if len(spec.Ports) > object.MaxList || len(spec.Selector) > object.MaxList {
		o.Invalid(object.Spec, "has more than %d ports or labels", object.MaxList)
		return nil
	}
	if spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		o.NotHonoured(object.Spec.Dot("sessionAffinity"), "weft does not keep callers at one instance by their address; use a DestinationRule with consistentHash")
	}
	for i := range spec.Ports {
		p, ok := port(o, object.Spec.Dot("ports").At(i), &spec.Ports[i])
		switch {
		case !ok:
		case p.Protocol == model.UDP:
			s.Datagrams = append(s.Datagrams, p)
		default:
			s.Ports = append(s.Ports, p)
		}
	}
	s.Ports, s.Datagrams = byNumber(s.Ports), byNumber(s.Datagrams)
	switch {
	case spec.Type == corev1.ServiceTypeExternalName:
		name := strings.ToLower(spec.ExternalName)
		if !o.CheckHost(object.Spec.Dot("externalName"), name) {
			return nil
		}
		s.External, s.Resolution, s.Selector = true, model.ByDNS, nil
		s.Addresses = []model.Address{{Host: name}}
	case len(spec.Selector) == 0:
		s.Resolution = model.Static // an empty selector would match every workload
	}
	s.VIPs = virtualIPs(spec)
	return []model.Service{s}
}

// byNumber are the ports in order, each once.
func byNumber(ports []model.Port) []model.Port {
	slices.SortFunc(ports, func(a, b model.Port) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(ports, func(a, b model.Port) bool { return a.Number == b.Number })
}

// virtualIPs are those that Kubernetes gave the service.
func virtualIPs(spec *corev1.ServiceSpec) []string {
	var all []string
	for _, ip := range spec.ClusterIPs {
		if model.Callable(ip) { // a headless service has "None"
			all = append(all, ip)
		}
	}
	return all
}

func port(o *object.Object, at object.Path, in *corev1.ServicePort) (model.Port, bool) {
	p := model.Port{Number: uint32(in.Port), Name: in.Name}
	if in.Protocol != "" && in.Protocol != corev1.ProtocolTCP && in.Protocol != corev1.ProtocolUDP {
		o.NotHonoured(at.Dot("protocol"), "weft does not carry %s, so the port is left out", in.Protocol)
		return p, false
	}
	if !o.CheckPort(at.Dot("port"), p.Number) {
		return p, false
	}
	switch {
	case in.TargetPort.Type == intstr.String && in.TargetPort.StrVal != "":
		p.TargetName = in.TargetPort.StrVal
	case in.TargetPort.IntVal != 0 && o.CheckPort(at.Dot("targetPort"), uint32(in.TargetPort.IntVal)):
		if target := uint32(in.TargetPort.IntVal); target != p.Number {
			p.Target = target
		}
	}
	if in.Protocol == corev1.ProtocolUDP {
		p.Protocol = model.UDP
		return p, true
	}
	word := ""
	if in.AppProtocol != nil {
		word = *in.AppProtocol
	}
	var ok bool
	if p.Protocol, ok = object.Protocol(word, in.Name); !ok {
		o.NotHonoured(at.Dot("appProtocol"), "weft does not know %q and treats the port as TCP; write http, http2, grpc, tcp or tls", word)
	}
	return p, true
}
