package main

import (
	"context"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release"
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
		Beside:       beside{client},
	}
}

// newEarlier finds what an undo that names no version goes back to.
func newEarlier(client *store.Client) func(ctx context.Context, namespace, application string) (string, error) {
	apps, releases := store.For[v1alpha1.Application](client, api.Application), store.For[v1alpha1.Release](client, api.Release)
	return func(ctx context.Context, namespace, application string) (string, error) {
		all, err := releases.List(ctx, namespace)
		if err != nil {
			return "", err
		}
		app, err := apps.Get(ctx, namespace, application)
		if err != nil {
			return "", err
		}
		return release.Earlier(app, all)
	}
}

// newTraffic sees who gets an application's.
func newTraffic(client *store.Client) children.Traffic {
	return children.Traffic{
		Applications: store.For[v1alpha1.Application](client, api.Application),
		Splits:       store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit),
	}
}
