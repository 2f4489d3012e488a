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

// podKind is the workload that the pods of one template are, each with a name, an
// address and a health of its own. Key: the template's.
type podKind struct {
	ID string
	model.Workload
}

func (k podKind) Key() string          { return k.ID }
func (k podKind) Equal(o podKind) bool { return k.ID == o.ID && k.Workload.Equal(o.Workload) }

// workloadsOf makes workloads of pods. The services that select a pod say which
// ports it serves and what is spoken there: that is found once for all replicas.
func workloadsOf(pods *flow.Collection[model.Pod], written *flow.Collection[item[claim]]) *flow.Collection[model.Workload] {
	selecting := flow.NewIndex(written, func(i item[claim]) []string {
		s := i.Value.Service
		if s.Resolution != model.ByWorkload || len(s.Selector) == 0 {
			return nil
		}
		label := selectorLabel(s.Selector)
		return []string{labelKey(s.Namespace, label, s.Selector[label])}
	})
	templates := flow.NewIndex(pods, func(p model.Pod) []string { return []string{p.ID} })
	kinds := flow.Group(templates, "pod templates", func(x *flow.Ctx, id string, all []model.Pod) *podKind {
		p := all[0].PodTemplate
		k := podKind{id, workloadOf(p)}
		if k.Gateway != "" {
			return &k
		}
		for _, label := range model.SortedKeys(p.Labels) {
			for _, i := range flow.Lookup(x, selecting, labelKey(p.Namespace, label, p.Labels[label])) {
				if model.Matches(i.Value.Selector, p.Labels) {
					k.Ports = servedFor(i.Value.Service, p, k.Ports)
				}
			}
		}
		k.Ports = declared(p, k.Ports)
		slices.SortFunc(k.Ports, func(a, b model.WorkloadPort) int { return cmp.Compare(a.Number, b.Number) })
		return &k
	})
	return flow.Derive(pods, "pods", func(x *flow.Ctx, p model.Pod) []model.Workload {
		k, _ := flow.Get(x, kinds, p.ID)
		w := k.Workload
		w.Name, w.Address, w.Health = p.Name, p.Address, healthOf(p)
		return []model.Workload{w}
	})
}

func healthOf(p model.Pod) model.Health {
	switch {
	case p.Leaving:
		return model.Draining
	case p.Ready:
		return model.Healthy
	}
	return model.Unhealthy
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
	w.Interception = model.Redirected
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
func servedFor(s model.Service, p *model.PodTemplate, ports []model.WorkloadPort) []model.WorkloadPort {
	for _, port := range s.Ports {
		number := cmp.Or(port.Target, port.Number)
		if port.TargetName != "" {
			i := slices.IndexFunc(p.Ports, func(q model.PodPort) bool { return q.Name == port.TargetName })
			if i < 0 {
				continue // no container has it, and Kubernetes sends nothing there either
			}
			number = p.Ports[i].Number
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
