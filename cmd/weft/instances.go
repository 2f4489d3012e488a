package main

import (
	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/kubernetes"
	"weft.dev/release/provider/places"
	"weft.dev/store"
)

// newPlaces is who runs applications, by their spec.runs.
func (m *mesh) newPlaces(client *store.Client) places.Places {
	return places.Places{Applications: store.For[v1alpha1.Application](client, api.Application), Kubernetes: m.front.runs}
}

// newInstances is what runs of pipelines start and stop versions with.
func (m *mesh) newInstances(client *store.Client) places.World {
	return places.World{Places: m.newPlaces(client), Blobs: store.For[v1alpha1.Blob](client, api.Blob)}
}

// clusterRuns runs versions in a cluster, as far as weft's role there lets it.
func clusterRuns(config *rest.Config) (instances.Provider, error) {
	client, mapper, err := newObjects(config)
	if err != nil {
		return nil, err
	}
	return kubernetes.New(client, mapper), nil
}
