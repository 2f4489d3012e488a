// Package kube brings the pods of a Kubernetes cluster into flow.
//
// Input: the cluster's API server. Output: one row for each pod that has an
// address and is not over. Pods are read in the API server's binary form, and
// of each only what the mesh uses is kept: there are more of them than of all
// else. The package decides nothing: what a pod is to the mesh is for translate.
package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
)

// pageSize is how many pods a list asks for at once.
const pageSize = 500

// Source is the collection of all pods of a cluster.
type Source struct {
	*flow.Source[model.Pod]
	graph  *flow.Graph
	client rest.Interface
	synced chan struct{}
}

// New makes the source; it is empty until Run has read everything once.
func New(config *rest.Config, graph *flow.Graph) (*Source, error) {
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	return &Source{
		Source: flow.NewSource[model.Pod](graph, "kube/pods"),
		graph:  graph, client: client, synced: make(chan struct{}),
	}, nil
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

// Synced is closed once all pods that there were are committed.
func (s *Source) Synced() <-chan struct{} { return s.synced }

// Run follows the pods until ctx ends. An API server that does not answer is
// asked again, and the rows stay as they are.
func (s *Source) Run(ctx context.Context) error {
	// The node's agents report pods that are over for long after.
	alive := fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed")
	pods := cache.NewListWatchFromClient(s.client, "pods", corev1.NamespaceAll, alive)
	reflector := cache.NewReflectorWithOptions(pods, &corev1.Pod{}, follower{s}, cache.ReflectorOptions{Name: "weft", TypeDescription: "pods"})
	reflector.WatchListPageSize = pageSize
	reflector.RunWithContext(ctx)
	return ctx.Err()
}

// follower lets a reflector make rows instead of keeping pods.
type follower struct{ *Source }

func (f follower) Add(o any) error    { f.set(o.(*corev1.Pod)); return nil }
func (f follower) Update(o any) error { f.set(o.(*corev1.Pod)); return nil }
func (f follower) Resync() error      { return nil }

func (f follower) Delete(o any) error {
	p := o.(*corev1.Pod)
	f.graph.Submit(func(tx *flow.Tx) { f.Source.Delete(tx, p.Namespace+"/"+p.Name) })
	return nil
}

func (f follower) set(p *corev1.Pod) {
	row, ok := rowOf(p)
	f.graph.Submit(func(tx *flow.Tx) {
		if ok {
			f.SetFrom(tx, origin, row)
		} else {
			f.Source.Delete(tx, p.Namespace+"/"+p.Name)
		}
	})
}

// origin is whose rows they are: all of them are replaced at once.
const origin = "pods"

func (f follower) Replace(list []any, _ string) error {
	rows := make([]model.Pod, 0, len(list))
	for i, o := range list {
		if row, ok := rowOf(o.(*corev1.Pod)); ok {
			rows = append(rows, row)
		}
		list[i] = nil // so that both forms are never in memory together
	}
	f.graph.Commit(func(tx *flow.Tx) { f.Source.Replace(tx, origin, rows) })
	select {
	case <-f.synced:
	default:
		close(f.synced)
	}
	return nil
}

// rowOf is what the mesh uses of a pod; false: it is no part of the mesh. A pod
// in its node's own network has no ports of its own.
func rowOf(p *corev1.Pod) (model.Pod, bool) {
	if !model.Callable(p.Status.PodIP) {
		return model.Pod{}, false
	}
	row := model.Pod{
		Namespace: p.Namespace, Name: p.Name, Labels: p.Labels, ServiceAccount: p.Spec.ServiceAccountName,
		Address: p.Status.PodIP, Leaving: p.DeletionTimestamp != nil, Proxy: p.Labels[model.ProxyLabel] != "" && !p.Spec.HostNetwork,
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			row.Ready = c.Status == corev1.ConditionTrue
		}
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Protocol == corev1.ProtocolTCP || port.Protocol == "" {
				row.Ports = append(row.Ports, model.PodPort{Name: port.Name, Number: uint32(port.ContainerPort)})
			}
		}
	}
	return row, true
}
