package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/source/host"
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
	return w.status(ctx, workload.Namespace, workload.Name, model.Health(workload.Annotations[host.HealthAnnotation]))
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
		if workload.Annotations[host.HealthAnnotation] == string(health) {
			return nil
		}
		workload.Annotations[host.HealthAnnotation] = string(health)
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
