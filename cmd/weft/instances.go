package main

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/kubernetes"
	"weft.dev/release/provider/places"
	"weft.dev/release/provider/remote"
	"weft.dev/store"
)

// newPlaces is who runs applications, by their spec.runs.
func (m *mesh) newPlaces(client *store.Client) places.Places {
	p := places.Places{Applications: store.For[v1alpha1.Application](client, api.Application), Named: m.named}
	if m.front.runs != nil {
		p.Kubernetes = m.front.runs
	}
	if m.front.hosted != nil {
		p.Host = m.front.hosted
	}
	return p
}

// newInstances is what runs of pipelines start and stop versions with.
func (m *mesh) newInstances(client *store.Client) places.World {
	return places.World{Places: m.newPlaces(client), Blobs: store.For[v1alpha1.Blob](client, api.Blob)}
}

// clusterRuns runs versions in a cluster, as far as weft's role there lets it.
func clusterRuns(config *rest.Config) (*kubernetes.Provider, error) {
	client, mapper, err := newObjects(config)
	if err != nil {
		return nil, err
	}
	logs, err := kubernetes.NewLogs(config)
	if err != nil {
		return nil, err
	}
	return kubernetes.New(client, mapper, kubernetes.Options{Own: ownNamespace(), Logs: logs}), nil
}

// dialProviders makes the providers that people named, each by its address. None is asked for yet.
func dialProviders(addresses map[string]string) (map[string]instances.Provider, error) {
	named := map[string]instances.Provider{}
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		p, err := remote.Dial(name, addresses[name])
		if err != nil {
			return nil, exitCode{exitUsage, fmt.Errorf("--provider: %w", err)}
		}
		named[name] = p
	}
	return named, nil
}
