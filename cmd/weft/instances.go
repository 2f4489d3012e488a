package main

import (
	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/provider/places"
	"weft.dev/store"
)

// newPlaces is who runs applications: nobody yet but whom spec.runs names here.
func newPlaces(client *store.Client) places.Places {
	return places.Places{Applications: store.For[v1alpha1.Application](client, api.Application)}
}

// newInstances is what runs of pipelines start and stop versions with.
func newInstances(client *store.Client) places.World {
	return places.World{Places: newPlaces(client), Blobs: store.For[v1alpha1.Blob](client, api.Blob)}
}
