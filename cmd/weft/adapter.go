package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/store"
)

// workloads gives source/host the stored Workloads.
type workloads struct {
	client *store.Client
	kind   store.Resource[v1alpha1.Workload]
	now    func() time.Time
}

func newWorkloads(client *store.Client) workloads {
	return workloads{client, store.For[v1alpha1.Workload](client, api.Workload), time.Now}
}

func (w workloads) List(ctx context.Context) ([]v1alpha1.Workload, error) {
	found, err := w.kind.List(ctx, "")
	all := make([]v1alpha1.Workload, 0, len(found))
	for _, workload := range found {
		all = append(all, *workload)
	}
	return all, err
}

// Apply writes the registration, and its health both where people and where
// derivations look.
func (w workloads) Apply(ctx context.Context, workload v1alpha1.Workload) error {
	if _, err := w.kind.Apply(ctx, fieldManager, &workload); err != nil {
		return err
	}
	if err := w.ensureService(ctx, workload); err != nil {
		return err
	}
	return w.status(ctx, workload.Namespace, workload.Name, model.Health(workload.Annotations[v1alpha1.HealthAnnotation]))
}

// ensureService gives an application without a Service one, so that its name
// outlives its last instance: then callers get a 503 or its fallback, not an
// unknown host. A Service that somebody wrote is theirs.
func (w workloads) ensureService(ctx context.Context, workload v1alpha1.Workload) error {
	if workload.Spec.App == "" || len(workload.Spec.Ports) == 0 {
		return nil
	}
	services := store.For[corev1.Service](w.client, api.Service)
	return store.RetryOnConflict(func() error {
		service, err := services.Get(ctx, workload.Namespace, workload.Spec.App)
		if store.IsNotFound(err) {
			_, err = services.Create(ctx, serviceOf(workload)) // another instance may be quicker, and its Service lack a port
			return err
		}
		if err != nil || service.Labels[managedBy] != fieldManager || !addPorts(service, workload) {
			return err
		}
		_, err = services.Update(ctx, service)
		return err
	})
}

// managedBy is Kubernetes' label for who made an object.
const managedBy = "app.kubernetes.io/managed-by"

func serviceOf(workload v1alpha1.Workload) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: workload.Namespace, Name: workload.Spec.App, Labels: map[string]string{managedBy: fieldManager},
		},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": workload.Spec.App}},
	}
	addPorts(service, workload)
	return service
}

// addPorts adds the ports that the service lacks, and says whether there were any.
func addPorts(service *corev1.Service, workload v1alpha1.Workload) bool {
	added := false
	for _, port := range workload.Spec.Ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol == string(model.UDP) {
			protocol = corev1.ProtocolUDP
		}
		has := func(p corev1.ServicePort) bool {
			return p.Port == port.Number && (p.Protocol == corev1.ProtocolUDP) == (protocol == corev1.ProtocolUDP)
		}
		if slices.ContainsFunc(service.Spec.Ports, has) {
			continue
		}
		added = true
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("%s-%d", port.Protocol, port.Number), Port: port.Number, Protocol: protocol,
		})
	}
	return added
}

func (w workloads) SetHealth(ctx context.Context, namespace, name string, health model.Health) error {
	err := store.RetryOnConflict(func() error {
		workload, err := w.kind.Get(ctx, namespace, name)
		if err != nil {
			return err
		}
		if workload.Annotations == nil {
			workload.Annotations = map[string]string{}
		}
		if workload.Annotations[v1alpha1.HealthAnnotation] == string(health) {
			return nil
		}
		workload.Annotations[v1alpha1.HealthAnnotation] = string(health)
		_, err = w.kind.Update(ctx, workload)
		return err
	})
	if store.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.status(ctx, namespace, name, health)
}

func (w workloads) status(ctx context.Context, namespace, name string, health model.Health) error {
	return w.client.ChangeStatus(ctx, api.Workload, namespace, name, func(_, status map[string]any) error {
		if status["health"] != string(health) {
			status["health"], status["since"] = string(health), metav1.NewTime(w.now()).UTC().Format(time.RFC3339)
		}
		return nil
	})
}

func (w workloads) Delete(ctx context.Context, namespace, name string) error {
	return w.kind.Delete(ctx, namespace, name)
}
