package kube

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
)

// Pods are those of a cluster, with the labels of their nodes that say where they are.
type Pods struct {
	*Source[*corev1.Pod, model.Pod]
	nodes *Source[*corev1.Node, node]
}

// nodePatience is how long pods wait for what is said of their nodes. A server that does not let
// nodes be read gives pods all the same.
const nodePatience = 5 * time.Second

// Run follows nodes and pods until ctx ends.
func (p *Pods) Run(ctx context.Context) error {
	go p.nodes.Run(ctx) //nolint:errcheck // it ends with ctx
	patience := time.NewTimer(nodePatience)
	defer patience.Stop()
	select {
	case <-p.nodes.Synced():
	case <-patience.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return p.Source.Run(ctx)
}

// node is where a node is. Key: its name.
type node struct {
	name   string
	labels map[string]string
}

func (n node) Key() string       { return n.name }
func (n node) Equal(o node) bool { return n.name == o.name && maps.Equal(n.labels, o.labels) }

// topology are the labels of a node that are about its pods.
var topology = []string{model.RegionLabel, model.ZoneLabel, model.SubzoneLabel}

func newNodes(graph *flow.Graph, client cache.Getter) *Source[*corev1.Node, node] {
	from := cache.NewListWatchFromClient(client, "nodes", corev1.NamespaceAll, fields.Everything())
	return newSource(graph, "kube/nodes", from, &corev1.Node{}, nodeOf)
}

func nodeOf(n *corev1.Node) (node, bool) {
	row := node{n.Name, map[string]string{}}
	for _, label := range topology {
		if v := n.Labels[label]; v != "" {
			row.labels[label] = v
		}
	}
	return row, len(row.labels) > 0
}

// labelsOf are the labels of a pod, with those of its node that it does not have itself. A node is known before its
// pods have addresses; what changes of it later they have when they change.
func labelsOf(p *corev1.Pod, where func(name string) map[string]string) map[string]string {
	labels := p.Labels
	for label, v := range where(p.Spec.NodeName) {
		if _, own := labels[label]; !own {
			if labels = maps.Clone(labels); labels == nil {
				labels = map[string]string{}
			}
			labels[label] = v
		}
	}
	return labels
}
