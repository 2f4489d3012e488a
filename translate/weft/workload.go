package weft

import (
	"cmp"
	"maps"
	"slices"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Labels of a workload that follow from its spec.
const (
	appLabel     = "app"
	versionLabel = "version"
	gatewayLabel = "gateway"
)

// Workload gives one workload, or none where it cannot be reached.
func Workload(o *object.Object, spec *v1alpha1.WorkloadSpec) []model.Workload {
	w := model.Workload{
		Namespace: o.Namespace, Name: o.Key.Name, App: spec.App, Version: spec.Version, Gateway: spec.Gateway,
		Labels: map[string]string{}, Address: spec.Address, Outbound: uint32(max(0, spec.OutboundPort)),
		DualStack: spec.DualStack, Health: health(o),
	}
	if spec.Redirected {
		w.Interception = model.Caught
	}
	if !model.Callable(spec.Address) {
		o.Invalid(object.Spec.Dot("address"), "%q is no IP address that others can call; the agent that registered it is of another version", spec.Address)
		return nil
	}
	if len(spec.Ports) > object.MaxList || len(o.Labels) > object.MaxList {
		o.Invalid(object.Spec, "has more than %d ports or labels", object.MaxList)
		return nil
	}
	if spec.MetricsPort != 0 && o.CheckPort(object.Spec.Dot("metricsPort"), uint32(spec.MetricsPort)) {
		w.MetricsPort = uint32(spec.MetricsPort)
	}
	maps.Copy(w.Labels, o.Labels)
	for label, v := range map[string]string{appLabel: spec.App, versionLabel: spec.Version, gatewayLabel: spec.Gateway} {
		if v != "" {
			w.Labels[label] = v
		}
	}
	for i, p := range spec.Ports {
		port, ok := workloadPort(o, object.Spec.Dot("ports").At(i), p, w.Gateway != "")
		switch {
		case !ok:
		case port.Protocol == model.UDP:
			w.Datagrams = append(w.Datagrams, port)
		default:
			w.Ports = append(w.Ports, port)
		}
	}
	w.Ports, w.Datagrams = byNumber(w.Ports), byNumber(w.Datagrams)
	if w.App != "" && len(w.Ports)+len(w.Datagrams) > 0 {
		o.CheckHost(object.Spec.Dot("app"), model.HostOf(w.Namespace, w.App)) // others would call it by this name
	}
	return []model.Workload{w}
}

// workloadPort is false where it is not usable. A gateway has no application behind it, and a port of UDP no proxy before it.
func workloadPort(o *object.Object, at object.Path, p v1alpha1.WorkloadPort, gateway bool) (model.WorkloadPort, bool) {
	port := model.WorkloadPort{Number: uint32(p.Number), Protocol: model.UDP, ProxyPort: uint32(p.ProxyPort), AppPort: uint32(p.AppPort)}
	usable := true
	if p.Protocol != string(model.UDP) {
		var known bool
		if port.Protocol, known = object.Protocol(p.Protocol, ""); !known {
			o.NotHonoured(at.Dot("protocol"), "weft does not know %q and treats the port as tcp; write http, http2, grpc, tcp or udp", p.Protocol)
		}
		usable = gateway || o.CheckPort(at.Dot("appPort"), port.AppPort)
	}
	return port, usable && o.CheckPort(at.Dot("number"), port.Number) && o.CheckPort(at.Dot("proxyPort"), port.ProxyPort)
}

// byNumber are the ports in order, each once.
func byNumber(ports []model.WorkloadPort) []model.WorkloadPort {
	slices.SortFunc(ports, func(a, b model.WorkloadPort) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(ports, func(a, b model.WorkloadPort) bool { return a.Number == b.Number })
}

func health(o *object.Object) model.Health {
	switch h := model.Health(o.Annotations[v1alpha1.HealthAnnotation]); h {
	case model.Unhealthy, model.Draining, model.Lost:
		return h
	}
	return model.Healthy
}
