package store

import (
	"context"
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api"
)

// ChangeStatus reads an object, has change alter its status, and writes it back
// if it became another one. Change may be called again, with a fresh object,
// when somebody else writes in between; object is not to be changed. An object
// that is gone needs no status.
func (c *Client) ChangeStatus(ctx context.Context, kind api.Kind, namespace, name string, change func(object, status map[string]any) error) error {
	resource := c.resource(kind, namespace)
	err := RetryOnConflict(func() error {
		u, err := resource.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		before, _, err := unstructured.NestedMap(u.Object, "status") // a copy
		if err != nil {
			return err
		}
		after := runtime.DeepCopyJSON(before)
		if after == nil {
			after = map[string]any{}
		}
		if err := change(u.Object, after); err != nil {
			return err
		}
		if equality.Semantic.DeepEqual(before, after) || len(before) == 0 && len(after) == 0 {
			return nil
		}
		u.Object["status"] = after
		_, err = resource.UpdateStatus(ctx, u, metav1.UpdateOptions{})
		return err
	})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// SetCondition puts a condition into status.conditions in place of the one of
// its type. If only the time of the transition would change, nothing does.
func SetCondition(status map[string]any, c metav1.Condition) error {
	wanted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&c)
	if err != nil {
		return err
	}
	list, _, err := unstructured.NestedSlice(status, "conditions")
	if err != nil {
		return err
	}
	for i, each := range list {
		present, ok := each.(map[string]any)
		if !ok || present["type"] != c.Type {
			continue
		}
		if present["status"] == wanted["status"] {
			wanted["lastTransitionTime"] = present["lastTransitionTime"]
		}
		if !maps.EqualFunc(present, wanted, func(a, b any) bool { return equality.Semantic.DeepEqual(a, b) }) {
			list[i] = wanted
		}
		status["conditions"] = list
		return nil
	}
	status["conditions"] = append(list, wanted)
	return nil
}
