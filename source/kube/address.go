package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
)

// gatewayNameLabel is on the Services of gateways.
const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name"

// Addresses are where the gateways of a cluster are called, by their Services.
type Addresses struct {
	*flow.Source[model.GatewayAddress]
	graph  *flow.Graph
	client rest.Interface
	synced chan struct{}
}

// NewAddresses makes the source; it is empty until Run has read everything once.
func NewAddresses(config *rest.Config, graph *flow.Graph) (*Addresses, error) {
	client, err := connect(config)
	if err != nil {
		return nil, err
	}
	return &Addresses{flow.NewSource[model.GatewayAddress](graph, "kube/addresses"), graph, client, make(chan struct{})}, nil
}

// Synced is closed once all that there were are committed.
func (a *Addresses) Synced() <-chan struct{} { return a.synced }

// Run follows the Services until ctx ends.
func (a *Addresses) Run(ctx context.Context) error {
	labelled := func(o *metav1.ListOptions) { o.LabelSelector = gatewayNameLabel }
	services := cache.NewFilteredListWatchFromClient(a.client, "services", corev1.NamespaceAll, labelled)
	reflector := cache.NewReflectorWithOptions(services, &corev1.Service{}, addressFollower{a}, cache.ReflectorOptions{Name: "weft", TypeDescription: "services of gateways"})
	reflector.RunWithContext(ctx)
	return ctx.Err()
}

type addressFollower struct{ *Addresses }

func (f addressFollower) Add(o any) error    { f.set(o.(*corev1.Service)); return nil }
func (f addressFollower) Update(o any) error { f.set(o.(*corev1.Service)); return nil }
func (f addressFollower) Resync() error      { return nil }

func (f addressFollower) Delete(o any) error {
	row := addressOf(o.(*corev1.Service))
	f.graph.Submit(func(tx *flow.Tx) { f.Source.Delete(tx, row.Gateway) })
	return nil
}

func (f addressFollower) set(s *corev1.Service) {
	f.graph.Submit(func(tx *flow.Tx) { f.SetFrom(tx, "services", addressOf(s)) })
}

func (f addressFollower) Replace(list []any, _ string) error {
	rows := make([]model.GatewayAddress, 0, len(list))
	for _, o := range list {
		rows = append(rows, addressOf(o.(*corev1.Service)))
	}
	f.graph.Commit(func(tx *flow.Tx) { f.Source.Replace(tx, "services", rows) })
	select {
	case <-f.synced:
	default:
		close(f.synced)
	}
	return nil
}

// addressOf is what a load balancer has given, or else what the cluster has.
func addressOf(s *corev1.Service) model.GatewayAddress {
	row := model.GatewayAddress{Gateway: s.Namespace + "/" + s.Labels[gatewayNameLabel]}
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		if model.Callable(s.Spec.ClusterIP) {
			row.Addresses = []string{s.Spec.ClusterIP}
		}
		return row
	}
	for _, at := range s.Status.LoadBalancer.Ingress {
		if at.IP != "" {
			row.Addresses = append(row.Addresses, at.IP)
		} else if at.Hostname != "" {
			row.Addresses = append(row.Addresses, at.Hostname)
		}
	}
	return row
}
