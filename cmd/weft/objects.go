package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api"
	"weft.dev/store"
)

// objects are those of one kind in one namespace, as people work with them: an
// error says what they can do about it, by its exit code.
type objects[T any] struct {
	all       store.Resource[T]
	namespace string
}

// objectsOf reaches the server and namespace that a command was told.
func objectsOf[T any](c *cobra.Command, kind api.Kind) (objects[T], error) {
	config, err := restConfig(c)
	if err != nil {
		return objects[T]{}, err
	}
	client, err := store.NewClient(config)
	if err != nil {
		return objects[T]{}, err
	}
	namespace, _ := c.Flags().GetString("namespace")
	return objects[T]{store.For[T](client, kind), namespace}, nil
}

func (o objects[T]) create(ctx context.Context, one *T) (*T, error) {
	made, err := o.all.Create(ctx, one)
	return made, answered(err)
}

func (o objects[T]) get(ctx context.Context, name string) (*T, error) {
	one, err := o.all.Get(ctx, o.namespace, name)
	return one, answered(err)
}

func (o objects[T]) list(ctx context.Context) ([]*T, error) {
	all, err := o.all.List(ctx, o.namespace)
	return all, answered(err)
}

// patch is a merge patch.
func (o objects[T]) patch(ctx context.Context, name string, patch []byte) error {
	_, err := o.all.Patch(ctx, fieldManager, o.namespace, name, patch)
	return answered(err)
}

// answered gives an error of the API server its exit code.
func answered(err error) error {
	var dial *net.OpError
	var asked *url.Error
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return exitCode{exitDenied, err}
	case apierrors.IsServiceUnavailable(err), apierrors.IsTooManyRequests(err), errors.As(err, &asked) && errors.As(err, &dial):
		return exitCode{exitNoServer, err}
	}
	return err
}

func namespaceFlag(c *cobra.Command, of string) {
	c.PersistentFlags().StringP("namespace", "n", "default", of)
}

// pollInterval is how often what is followed is read.
const pollInterval = 200 * time.Millisecond

// poll checks every pollInterval until it is done, fails, or ctx ends.
func poll(ctx context.Context, check func() (done bool, err error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
