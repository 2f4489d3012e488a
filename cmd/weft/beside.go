package main

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/api"
	"weft.dev/store"
)

// beside reads, and for an undo writes, the objects that an application's versions depend on.
type beside struct{ client *store.Client }

func (b beside) of(kind string) store.Resource[unstructured.Unstructured] {
	return store.For[unstructured.Unstructured](b.client, api.Kind(kind))
}

// Get is an object; nil: there is none.
func (b beside) Get(ctx context.Context, kind, namespace, name string) (map[string]any, error) {
	o, err := b.of(kind).Get(ctx, namespace, name)
	if store.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return o.Object, nil
}

// List are the objects of a kind; none: there is no such kind, either.
func (b beside) List(ctx context.Context, kind, namespace string) ([]map[string]any, error) {
	list, err := b.of(kind).List(ctx, namespace)
	if err != nil && !store.IsNotFound(err) {
		return nil, err
	}
	var all []map[string]any
	for _, o := range list {
		all = append(all, o.Object)
	}
	return all, nil
}

// Put has an object be so; one that somebody changes meanwhile is a conflict.
func (b beside) Put(ctx context.Context, kind string, o map[string]any, there bool) error {
	write := b.of(kind).Create
	if there {
		write = b.of(kind).Update
	}
	_, err := write(ctx, &unstructured.Unstructured{Object: o})
	return err
}

// Remove deletes an object as it was read.
func (b beside) Remove(ctx context.Context, kind string, o map[string]any) error {
	return b.of(kind).Remove(ctx, &unstructured.Unstructured{Object: o})
}
