package kube

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
)

// New is the collection of all pods of a cluster.
func New(config *rest.Config, graph *flow.Graph) (*Pods, error) {
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	// The node's agents report pods that are over for long after.
	alive := fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed")
	pods := cache.NewListWatchFromClient(client, "pods", corev1.NamespaceAll, alive)
	nodes := newNodes(graph, client)
	where := func(name string) map[string]string {
		n, _ := nodes.Get(name)
		return n.labels
	}
	return &Pods{newPods(graph, pods, where), nodes}, nil
}

func newPods(graph *flow.Graph, from cache.ListerWatcher, where func(node string) map[string]string) *Source[*corev1.Pod, model.Pod] {
	shared := templates{}
	s := newSource(graph, "kube/pods", from, &corev1.Pod{}, func(p *corev1.Pod) (model.Pod, bool) {
		p.Labels = labelsOf(p, where)
		return shared.rowOf(p)
	})
	s.list.Place = func(p model.Pod) string { return p.Address } // Kubernetes gives those of the dead to others
	return s
}

// connect speaks the API server's binary form.
func connect(config *rest.Config) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.QPS = -1 // the server limits requests, and it knows its load
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	return client, nil
}

// manyTemplates is how many are kept to be shared.
const manyTemplates = 4096

// templates are those of the last pods, by ID: replicas come one after the other,
// and what they have in common is more than all else.
type templates map[string]*model.PodTemplate

// rowOf is what the mesh uses of a pod; false: it is no part of the mesh.
func (t templates) rowOf(p *corev1.Pod) (model.Pod, bool) {
	one := &model.Instance{Workload: p.Namespace + "/" + p.Name, Address: p.Status.PodIP, Health: healthOf(p)}
	return model.Pod{Instance: one, PodTemplate: t.shared(templateOf(p))}, model.Callable(one.Address)
}

// healthOf is Healthy where Kubernetes sends requests to the pod.
func healthOf(p *corev1.Pod) model.Health {
	ready := func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }
	switch {
	case p.DeletionTimestamp != nil:
		return model.Draining
	case slices.ContainsFunc(p.Status.Conditions, ready):
		return model.Healthy
	}
	return model.Unhealthy
}

func (t templates) shared(one *model.PodTemplate) *model.PodTemplate {
	if have := t[one.ID]; have != nil {
		return have
	}
	if len(t) == manyTemplates {
		clear(t)
	}
	t[one.ID] = one
	return one
}

// templateOf: a pod in its node's own network has no ports of its own.
func templateOf(p *corev1.Pod) *model.PodTemplate {
	t := model.PodTemplate{
		Namespace: p.Namespace, Labels: p.Labels, ServiceAccount: p.Spec.ServiceAccountName,
		Proxy: p.Labels[model.ProxyLabel] != "" && !p.Spec.HostNetwork,
	}
	for _, other := range p.Status.PodIPs {
		t.DualStack = t.DualStack || strings.Contains(other.IP, ":") != strings.Contains(p.Status.PodIP, ":")
	}
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		for _, port := range c.Ports {
			if port.Name == model.MetricsPortName {
				t.MetricsPort = uint32(port.ContainerPort)
			}
		}
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == model.MetricsPortName {
				continue // nobody calls a service there
			}
			one := model.PodPort{Name: port.Name, Number: uint32(port.ContainerPort)}
			switch port.Protocol {
			case corev1.ProtocolTCP, "":
				t.Ports = append(t.Ports, one)
			case corev1.ProtocolUDP:
				t.Datagrams = append(t.Datagrams, one)
			}
		}
	}
	return model.NewPodTemplate(t)
}
