package join

import (
	"cmp"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/object"
)

// Labels of a pod that say what it is.
const (
	versionLabel     = "version"
	kubeAppLabel     = "app.kubernetes.io/name" // Kubernetes' own words for app and version
	kubeVersionLabel = "app.kubernetes.io/version"
)

// replicasOf makes workloads of pods. The services that select a pod say which
// ports it serves and what is spoken there: that is found once for all replicas.
func replicasOf(pods *flow.Collection[model.Pod], written *flow.Collection[item[claim]]) *flow.Collection[model.Replicas] {
	selecting := flow.NewIndex(written, func(i item[claim]) []string {
		s := i.Value.Service
		if s.Resolution != model.ByWorkload || len(s.Selector) == 0 {
			return nil
		}
		label := selectorLabel(s.Selector)
		return []string{labelKey(s.Namespace, label, s.Selector[label])}
	})
	alike := flow.NewIndex(pods, func(p model.Pod) []string { return []string{p.ID + "@" + placeOf(p)} })
	return flow.Group(alike, "pods", func(x *flow.Ctx, id string, all []model.Pod) *model.Replicas {
		p := all[0].PodTemplate
		r := model.Replicas{ID: id, Workload: workloadOf(p), Instances: make([]*model.Instance, len(all))}
		r.Address = placeOf(all[0])
		for i, p := range all {
			r.Instances[i] = p.Instance
		}
		if r.Gateway != "" {
			return &r
		}
		for _, label := range model.SortedKeys(p.Labels) {
			for _, i := range flow.Lookup(x, selecting, labelKey(p.Namespace, label, p.Labels[label])) {
				if model.Matches(i.Value.Selector, p.Labels) {
					r.Ports = servedFor(i.Value.Service.Ports, p.Ports, r.Ports)
					r.Datagrams = servedFor(i.Value.Service.Datagrams, p.Datagrams, r.Datagrams)
				}
			}
		}
		r.Ports = declared(p, r.Ports)
		slices.SortFunc(r.Ports, func(a, b model.WorkloadPort) int { return cmp.Compare(a.Number, b.Number) })
		return &r
	})
}

// placeOf is the address as far as it tells pods of one template apart for their proxies:
// that of a gateway listens there.
func placeOf(p model.Pod) string {
	if p.Labels[model.GatewayNameLabel] != "" {
		return p.Address
	}
	return model.AnyAddress(p.Address)
}

func workloadOf(p *model.PodTemplate) model.Workload {
	w := model.Workload{
		Namespace: p.Namespace, Labels: p.Labels, ServiceAccount: p.ServiceAccount, DualStack: p.DualStack,
		App: cmp.Or(p.Labels[appLabel], p.Labels[kubeAppLabel]), Version: cmp.Or(p.Labels[versionLabel], p.Labels[kubeVersionLabel]),
		Interception: model.NoProxy,
	}
	if !p.Proxy {
		return w
	}
	w.Interception, w.MetricsPort = model.Redirected, p.MetricsPort
	if w.Gateway = p.Labels[model.GatewayNameLabel]; w.Gateway != "" {
		w.App = ""
	} else {
		w.Outbound = model.RedirectedOutbound
	}
	return w
}

// servedFor adds the ports of a pod to which those of a service lead. Of services
// that say different things of a port, one that says HTTP is right: a name without
// a protocol says nothing. Else it is the first.
func servedFor(service []model.Port, pod []model.PodPort, ports []model.WorkloadPort) []model.WorkloadPort {
	for _, port := range service {
		number := cmp.Or(port.Target, port.Number)
		if port.TargetName != "" {
			i := slices.IndexFunc(pod, func(q model.PodPort) bool { return q.Name == port.TargetName })
			if i < 0 {
				continue // no container has it, and Kubernetes sends nothing there either
			}
			number = pod[i].Number
		}
		ports = served(ports, model.WorkloadPort{Number: number, Name: port.TargetName, Protocol: port.Protocol})
	}
	return ports
}

// declared adds ports of containers that no service leads to.
func declared(p *model.PodTemplate, ports []model.WorkloadPort) []model.WorkloadPort {
	for _, port := range p.Ports {
		protocol, _ := object.Protocol("", port.Name)
		ports = served(ports, model.WorkloadPort{Number: port.Number, Name: port.Name, Protocol: protocol})
	}
	return ports
}

func served(ports []model.WorkloadPort, add model.WorkloadPort) []model.WorkloadPort {
	add.ProxyPort, add.AppPort = add.Number, add.Number
	i := slices.IndexFunc(ports, func(p model.WorkloadPort) bool { return p.Number == add.Number })
	if i < 0 {
		return append(ports, add)
	}
	ports[i].Name = cmp.Or(ports[i].Name, add.Name)
	if add.Protocol.IsHTTP() && !ports[i].Protocol.IsHTTP() {
		ports[i].Protocol = add.Protocol
	}
	return ports
}
