package main

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate"
)

// mostOfPod is what one more replica may add to the heap of a server, in bytes: what an endpoint may.
const mostOfPod = 300

// A pod with a proxy costs a server little while nobody asks about it: most of what
// is known of it is known of its replicas, too. make bench-kube weighs the process.
func TestMemoryOfPods(t *testing.T) {
	const services, replicas = 200, 10
	graph := flow.New(flow.Options{})
	objects, pods := flow.NewSource[api.Object](graph, "objects"), flow.NewSource[model.Pod](graph, "kube/pods")
	s := newStreet(graph, objects.Collection, streetOptions{Options: translate.Options{TrustDomain: "mesh.test", Pods: pods.Collection}}, nil)
	graph.Commit(func(tx *flow.Tx) {
		for i := range services {
			objects.Set(tx, serviceOfPods(i))
		}
	})
	templates := make([]*model.PodTemplate, services)
	for i := range templates {
		templates[i] = templateOfPods(i)
	}
	grow := func(from, to int) {
		for r := from; r < to; r++ {
			graph.Commit(func(tx *flow.Tx) {
				for i, template := range templates {
					name, address := fmt.Sprintf("shop/s%d-5c677749d9-%d", i, r), fmt.Sprintf("10.%d.%d.%d", r, i/250, i%250)
					pods.Set(tx, model.Pod{Instance: &model.Instance{Workload: name, Address: address, Health: model.Healthy}, PodTemplate: template})
				}
			})
		}
	}
	grow(0, replicas)
	before := liveHeap()
	grow(replicas, 2*replicas)
	each := int(liveHeap()-before) / (services * replicas)
	t.Logf("%d B a pod", each)
	if each > mostOfPod {
		t.Errorf("a pod costs %d B, want at most %d", each, mostOfPod)
	}
	if n := len(s.workloads()); n != 2*services*replicas {
		t.Errorf("%d workloads, want one for each pod", n)
	}
}

func serviceOfPods(i int) api.Object {
	name := fmt.Sprintf("s%d", i)
	return api.Object{Kind: api.Service, Namespace: "shop", Name: name, Spec: &corev1.ServiceSpec{
		ClusterIP: fmt.Sprintf("10.96.%d.%d", i/250, i%250), Selector: map[string]string{"app": name},
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt(8080)}},
	}}
}

func templateOfPods(i int) *model.PodTemplate {
	return model.NewPodTemplate(model.PodTemplate{
		Namespace: "shop", ServiceAccount: "default", Proxy: true, Ports: []model.PodPort{{Name: "http", Number: 8080}},
		Labels: map[string]string{"app": fmt.Sprintf("s%d", i), "version": "v1", "pod-template-hash": "5c677749d9", model.ProxyLabel: "sidecar"},
	})
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}
