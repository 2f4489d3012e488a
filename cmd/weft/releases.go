package main

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weft.dev/api/v1alpha1"
)

// releases reads and writes the Release objects of one namespace.
type releases struct{ client dynamic.ResourceInterface }

func releaseClient(c *cobra.Command) (*releases, error) {
	config, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	namespace, _ := c.Flags().GetString("namespace")
	kind := schema.GroupVersionResource{Group: "weft.dev", Version: "v1alpha1", Resource: "releases"}
	return &releases{client.Resource(kind).Namespace(namespace)}, nil
}

func (r *releases) create(ctx context.Context, release *v1alpha1.Release) (*v1alpha1.Release, error) {
	release.TypeMeta = metav1.TypeMeta{APIVersion: "weft.dev/v1alpha1", Kind: "Release"}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(release)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	made, err := r.client.Create(ctx, &unstructured.Unstructured{Object: content}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return typedRelease(made)
}

func (r *releases) get(ctx context.Context, name string) (*v1alpha1.Release, error) {
	object, err := r.client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return typedRelease(object)
}

func (r *releases) list(ctx context.Context) ([]*v1alpha1.Release, error) {
	objects, err := r.client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	all := make([]*v1alpha1.Release, 0, len(objects.Items))
	for i := range objects.Items {
		release, err := typedRelease(&objects.Items[i])
		if err != nil {
			return nil, err
		}
		all = append(all, release)
	}
	return all, nil
}

func (r *releases) patch(ctx context.Context, name string, kind types.PatchType, patch []byte) error {
	_, err := r.client.Patch(ctx, name, kind, patch, metav1.PatchOptions{FieldManager: fieldManager})
	return err
}

func typedRelease(object *unstructured.Unstructured) (*v1alpha1.Release, error) {
	release := &v1alpha1.Release{}
	return release, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, release)
}
