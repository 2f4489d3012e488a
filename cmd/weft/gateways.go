package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/install/gateway"
	"weft.dev/install/inject"
	"weft.dev/model"
	"weft.dev/store"
)

// runGateways has the cluster run the gateways that people write, with the
// proxies that pods get. It is part of the wiring.
func (m *mesh) runGateways(client *store.Client, path string) error {
	if path == "" {
		return nil
	}
	options, err := injection(path)
	if err != nil {
		return err
	}
	pod := func(g model.GatewayPods) (corev1.PodSpec, error) {
		return inject.GatewayPod(options, string(m.authority.CA.RootsPEM()), g.Name, g.Annotations)
	}
	controller := gateway.New(m.rows.GatewayPods, gatewayCluster{client}, pod, m.log)
	m.more = append(m.more, controller.Run)
	return nil
}

// Whose fields of a gateway's objects they are: an owner who offered a field
// must not be the one who lets go of it.
const (
	gatewayManager = "weft-gateway"
	gatewayOffers  = "weft-gateway-offers"
)

// gatewayCluster applies a gateway's objects to the cluster.
type gatewayCluster struct{ client *store.Client }

func (c gatewayCluster) Apply(ctx context.Context, o gateway.Object) error {
	if o.Offered {
		return c.client.OfferObject(ctx, gatewayOffers, o.Resource, o.Body)
	}
	return c.client.ApplyObject(ctx, gatewayManager, o.Resource, o.Body)
}

func (c gatewayCluster) Remove(ctx context.Context, o gateway.Object) error {
	return c.client.RemoveObject(ctx, o.Resource, o.Body)
}
