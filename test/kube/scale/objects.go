package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"weft.dev/model"
)

const (
	// writers ask the API server at once.
	writers = 16
	// perNamespace is how many services a team has.
	perNamespace = 100
	port         = 8080
)

// shape is how large the cluster is.
type shape struct {
	services, replicas, nodes int
	config                    *rest.Config
	client                    kubernetes.Interface
}

func namespace(service int) string { return fmt.Sprintf("scale-%d", service/perNamespace) }
func service(i int) string         { return fmt.Sprintf("s%d", i) }
func pod(service, replica int) string {
	return fmt.Sprintf("s%d-%d", service, replica)
}

// each does n things, some of them at once.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range n {
		group.Go(func() error {
			if err := do(ctx, i); !apierrors.IsAlreadyExists(err) {
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

func (s shape) makeNodes(ctx context.Context) error {
	return each(ctx, s.nodes, func(ctx context.Context, i int) error {
		_, err := s.client.CoreV1().Nodes().Create(ctx, &core.Node{
			ObjectMeta: meta.ObjectMeta{Name: node(i), Labels: map[string]string{"type": "fake"}, Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"}},
			Spec:       core.NodeSpec{Taints: []core.Taint{{Key: "fake", Effect: core.TaintEffectNoSchedule}}},
		}, meta.CreateOptions{})
		return err
	})
}

func node(i int) string { return fmt.Sprintf("fake-%d", i) }

func (s shape) makeServices(ctx context.Context) error {
	err := each(ctx, (s.services+perNamespace-1)/perNamespace, func(ctx context.Context, i int) error {
		_, err := s.client.CoreV1().Namespaces().Create(ctx, &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: namespace(i * perNamespace)}}, meta.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, s.services, func(ctx context.Context, i int) error {
		_, err := s.client.CoreV1().Services(namespace(i)).Create(ctx, &core.Service{
			ObjectMeta: meta.ObjectMeta{Name: service(i)},
			Spec: core.ServiceSpec{
				Selector: map[string]string{"app": service(i)},
				Ports:    []core.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt(port)}},
			},
		}, meta.CreateOptions{})
		return err
	})
}

// makePods makes replicas [0, to) of every service.
func (s shape) makePods(ctx context.Context, to int) error {
	return each(ctx, s.services*to, func(ctx context.Context, i int) error {
		_, err := s.client.CoreV1().Pods(namespace(i%s.services)).Create(ctx, s.newPod(i%s.services, i/s.services), meta.CreateOptions{})
		return err
	})
}

// newPod is bound to its node at once: the scheduler is not what is measured.
func (s shape) newPod(of, replica int) *core.Pod {
	now, no := int64(0), false
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: pod(of, replica), Labels: map[string]string{
			"app": service(of), "version": "v1", "pod-template-hash": "5c677749d9", model.ProxyLabel: "sidecar",
		}},
		Spec: core.PodSpec{
			NodeName: node((of + replica) % s.nodes), TerminationGracePeriodSeconds: &now, AutomountServiceAccountToken: &no,
			Tolerations: []core.Toleration{{Operator: core.TolerationOpExists}},
			Containers:  []core.Container{{Name: "app", Image: "fake:v1", Ports: []core.ContainerPort{{Name: "http", ContainerPort: port}}}},
		},
	}
}

// ready counts the pods that are Ready.
func (s shape) ready(ctx context.Context) (int, error) {
	count := 0
	for i := 0; i < s.services; i += perNamespace {
		pods, err := s.client.CoreV1().Pods(namespace(i)).List(ctx, meta.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return 0, err
		}
		for _, p := range pods.Items {
			for _, c := range p.Status.Conditions {
				if c.Type == core.PodReady && c.Status == core.ConditionTrue {
					count++
				}
			}
		}
	}
	return count, nil
}
