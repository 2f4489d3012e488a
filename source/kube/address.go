package kube

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
)

// NewAddresses are where the gateways of a cluster are called, by their Services.
func NewAddresses(config *rest.Config, graph *flow.Graph) (*Source[*corev1.Service, model.GatewayAddress], error) {
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	labelled := func(o *metav1.ListOptions) { o.LabelSelector = model.GatewayNameLabel }
	services := cache.NewFilteredListWatchFromClient(client, "services", corev1.NamespaceAll, labelled)
	return newSource(graph, "kube/addresses", services, &corev1.Service{}, addressOf), nil
}

// addressOf is what a load balancer has given, or else what the cluster has.
func addressOf(s *corev1.Service) (row model.GatewayAddress, ok bool) {
	row.Gateway = s.Namespace + "/" + s.Labels[model.GatewayNameLabel]
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		if model.Callable(s.Spec.ClusterIP) {
			row.Addresses = []string{s.Spec.ClusterIP}
		}
		return row, true
	}
	for _, at := range s.Status.LoadBalancer.Ingress {
		if at.IP != "" {
			row.Addresses = append(row.Addresses, at.IP)
		} else if at.Hostname != "" {
			row.Addresses = append(row.Addresses, at.Hostname)
		}
	}
	return row, true
}
