package main

import (
	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	children "weft.dev/release/provider/objects"
	"weft.dev/release/provider/versions"
	"weft.dev/store"
)

// newRecords are the versions that can be started again.
func newRecords(client *store.Client) versions.Records {
	return versions.Records{
		Versions:     store.For[v1alpha1.Version](client, api.Version),
		Blobs:        store.For[v1alpha1.Blob](client, api.Blob),
		Applications: store.For[v1alpha1.Application](client, api.Application),
		Traffic:      newTraffic(client),
	}
}

// newTraffic sees who gets an application's.
func newTraffic(client *store.Client) children.Traffic {
	return children.Traffic{
		Applications: store.For[v1alpha1.Application](client, api.Application),
		Splits:       store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit),
	}
}
