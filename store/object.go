package store

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ApplyObject is Resource.Apply for an object of a kind that the mesh is not made
// of, which is typed and says its own kind.
func (c *Client) ApplyObject(ctx context.Context, owner string, r schema.GroupVersionResource, object any) error {
	return c.applyObject(ctx, r, object, metav1.ApplyOptions{FieldManager: owner, Force: true})
}

// OfferObject applies an object unless that changes what other owners have made
// of its fields, or makes an invalid one: then nothing happens. Of what is
// applied owner is an owner, too, and it stays when the others let go of it.
func (c *Client) OfferObject(ctx context.Context, owner string, r schema.GroupVersionResource, object any) error {
	err := c.applyObject(ctx, r, object, metav1.ApplyOptions{FieldManager: owner})
	if IsConflict(err) || IsInvalid(err) {
		return nil
	}
	return err
}

func (c *Client) applyObject(ctx context.Context, r schema.GroupVersionResource, object any, o metav1.ApplyOptions) error {
	u, err := bare(object)
	if err != nil {
		return err
	}
	_, err = c.dynamic.Resource(r).Namespace(u.GetNamespace()).Apply(ctx, u.GetName(), u, o)
	return err
}

// RemoveObject removes one. It is no error if there is none.
func (c *Client) RemoveObject(ctx context.Context, r schema.GroupVersionResource, object any) error {
	u, err := bare(object)
	if err != nil {
		return err
	}
	err = c.dynamic.Resource(r).Namespace(u.GetNamespace()).Delete(ctx, u.GetName(), metav1.DeleteOptions{})
	if IsNotFound(err) {
		return nil
	}
	return err
}

// bare is an object without what a typed one says for nothing.
func bare(object any) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(fields, "spec", "template", "metadata", "creationTimestamp")
	return &unstructured.Unstructured{Object: fields}, nil
}
