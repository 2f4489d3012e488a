package kubernetes

import (
	"context"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// FloorAnnotation has the minReplicas that an autoscaler had before weft held it.
const FloorAnnotation = "weft.dev/min-replicas"

// scalers are the autoscalers of a workload.
func (p *Provider) scalers(ctx context.Context, w workload) ([]unstructured.Unstructured, error) {
	all, err := p.list(ctx, autoscalers, w.GetNamespace(), "")
	return slices.DeleteFunc(all, func(u unstructured.Unstructured) bool {
		kind, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(u.Object, "spec", "scaleTargetRef", "name")
		return kind != w.GetKind() || name != w.GetName()
	}), err
}

// hold keeps a workload's autoscaler from taking instances away: the side that gets
// no traffic for a while has no load, and would have to take a rollback at once.
func (p *Provider) hold(ctx context.Context, w workload) error {
	all, err := p.scalers(ctx, w)
	if err != nil {
		return err
	}
	for i := range all {
		least := number(all[i].Object, 1, "spec", "minReplicas")
		if _, held := all[i].GetAnnotations()[FloorAnnotation]; held || least >= w.replicas() {
			continue
		}
		if err := p.setFloor(ctx, &all[i], w.replicas(), strconv.Itoa(least)); err != nil {
			return err
		}
	}
	return nil
}

// free puts back what hold changed.
func (p *Provider) free(ctx context.Context, w workload) error {
	all, err := p.scalers(ctx, w)
	if err != nil {
		return err
	}
	for i := range all {
		least, err := strconv.Atoi(all[i].GetAnnotations()[FloorAnnotation])
		if err != nil {
			continue // weft does not hold it
		}
		if err := p.setFloor(ctx, &all[i], least, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) setFloor(ctx context.Context, scaler *unstructured.Unstructured, least int, before any) error {
	return p.merge(ctx, autoscalers, scaler, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{FloorAnnotation: before}},
		"spec":     map[string]any{"minReplicas": int64(least)},
	})
}
