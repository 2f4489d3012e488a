package kube

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/flow"
	"weft.dev/model"
)

// A pod is where its node is, unless it says so itself.
func TestPodsAreWhereTheirNodesAre(t *testing.T) {
	g := flow.New(flow.Options{})
	nodes := newSource(g, "kube/nodes", nil, &corev1.Node{}, nodeOf)
	pods := newPods(g, nil, func(name string) map[string]string { n, _ := nodes.Get(name); return n.labels })
	all := follower[*corev1.Node, node]{nodes}
	at := func(name string, labels map[string]string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	_ = all.Replace([]any{
		at("one", map[string]string{model.RegionLabel: "eu", model.ZoneLabel: "a", "kubernetes.io/hostname": "one"}), at("two", nil),
	}, "1")
	seen := func(name, on string, own, want map[string]string) {
		t.Helper()
		pod := podAt(name, "10.0.0.1")
		pod.Spec.NodeName, pod.Labels = on, maps.Clone(own)
		row, ok := pods.row(pod)
		if !ok || !maps.Equal(row.Labels, want) {
			t.Errorf("%s on node %s: labels %v, want %v", name, on, row.Labels, want)
		}
	}
	seen("none", "one", nil, map[string]string{model.RegionLabel: "eu", model.ZoneLabel: "a"})
	seen("own", "one", map[string]string{"app": "web", model.ZoneLabel: "b"}, map[string]string{"app": "web", model.RegionLabel: "eu", model.ZoneLabel: "b"})
	seen("nowhere", "two", map[string]string{"app": "web"}, map[string]string{"app": "web"})
	seen("unknown", "three", nil, nil)
}
