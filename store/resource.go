package store

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weft.dev/api"
)

// Resource is typed access to one kind, e.g. Resource[v1alpha1.Release]. Objects
// that it returns are the caller's own.
type Resource[T any] struct {
	client *Client
	info   api.Info
}

// For makes typed access to a kind, whose objects are Ts.
func For[T any](c *Client, kind api.Kind) Resource[T] {
	info, ok := kind.Info()
	if _, isObject := any(new(T)).(metav1.Object); !ok || !isObject {
		panic(fmt.Sprintf("store: kind %q with objects of type %T", kind, new(T)))
	}
	return Resource[T]{client: c, info: info}
}

// Get reads one object.
func (r Resource[T]) Get(ctx context.Context, namespace, name string) (*T, error) {
	u, err := r.in(namespace).Get(ctx, name, metav1.GetOptions{})
	return r.typed(u, err)
}

// List reads all objects of a namespace, or of all of them if it is empty.
func (r Resource[T]) List(ctx context.Context, namespace string) ([]*T, error) {
	var all []*T
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := r.in(namespace).List(ctx, options)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			o, err := r.typed(&page.Items[i], nil)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
}

// Create makes a new object and returns it as the server completed it.
func (r Resource[T]) Create(ctx context.Context, o *T) (*T, error) {
	u, err := r.untyped(o)
	if err != nil {
		return nil, err
	}
	u, err = r.in(u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{})
	return r.typed(u, err)
}

// Update replaces everything but the status. It fails with a conflict if the
// object has changed since o was read.
func (r Resource[T]) Update(ctx context.Context, o *T) (*T, error) {
	u, err := r.untyped(o)
	if err != nil {
		return nil, err
	}
	u, err = r.in(u.GetNamespace()).Update(ctx, u, metav1.UpdateOptions{})
	return r.typed(u, err)
}

// Try is Update without effect, or Create where o is of no stored version: its error is what theirs would be.
func (r Resource[T]) Try(ctx context.Context, o *T) error {
	u, err := r.untyped(o)
	if err != nil {
		return err
	}
	dry := []string{metav1.DryRunAll}
	if u.GetResourceVersion() == "" {
		_, err = r.in(u.GetNamespace()).Create(ctx, u, metav1.CreateOptions{DryRun: dry})
	} else {
		_, err = r.in(u.GetNamespace()).Update(ctx, u, metav1.UpdateOptions{DryRun: dry})
	}
	return err
}

// UpdateStatus replaces the status alone, and conflicts like Update.
func (r Resource[T]) UpdateStatus(ctx context.Context, o *T) (*T, error) {
	u, err := r.untyped(o)
	if err != nil {
		return nil, err
	}
	u, err = r.in(u.GetNamespace()).UpdateStatus(ctx, u, metav1.UpdateOptions{})
	return r.typed(u, err)
}

// Apply makes the fields that o has what o says, in the name of owner, and
// leaves those of other owners alone; one that o disputes it takes over. Fields
// that owner applied before and o lacks are removed.
func (r Resource[T]) Apply(ctx context.Context, owner string, o *T) (*T, error) {
	u, err := r.untyped(o)
	if err != nil {
		return nil, err
	}
	unstructured.RemoveNestedField(u.Object, "status") // not through this door
	u.SetManagedFields(nil)
	u, err = r.in(u.GetNamespace()).Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: owner, Force: true})
	return r.typed(u, err)
}

// Patch merges a JSON merge patch into everything but the status, in the name of owner.
func (r Resource[T]) Patch(ctx context.Context, owner, namespace, name string, patch []byte) (*T, error) {
	u, err := r.in(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: owner})
	return r.typed(u, err)
}

// Delete removes an object. It is no error if there is none.
func (r Resource[T]) Delete(ctx context.Context, namespace, name string) error {
	err := r.in(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// Remove deletes an object, and fails with a conflict if it has changed since o was read.
// It is no error if there is none.
func (r Resource[T]) Remove(ctx context.Context, o *T) error {
	m := any(o).(metav1.Object)
	version := m.GetResourceVersion()
	err := r.in(m.GetNamespace()).Delete(ctx, m.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// DeleteAll removes the objects with a label, however many there are.
func (r Resource[T]) DeleteAll(ctx context.Context, namespace, label, value string) error {
	return r.in(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: label + "=" + value})
}

// Watch tells of every object that there is, and then of each change, until ctx
// ends. After a lost connection it tells of everything again; so deleted means
// only that the object is gone now, and the object is as it was last seen, without its status.
func (r Resource[T]) Watch(ctx context.Context, namespace string, changed func(o *T, deleted bool)) error {
	return follow(ctx, r.in(namespace), r.info, &typedFollower[T]{resource: r, changed: changed, last: map[string]*T{}})
}

func (r Resource[T]) in(namespace string) dynamic.ResourceInterface {
	return r.client.resource(r.info.Kind, namespace)
}

func (r Resource[T]) typed(u *unstructured.Unstructured, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	o := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, o); err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", r.info.Kind, u.GetNamespace(), u.GetName(), err)
	}
	return o, nil
}

func (r Resource[T]) untyped(o *T) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.info.Kind, err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(r.info.Version)
	return u, nil
}
