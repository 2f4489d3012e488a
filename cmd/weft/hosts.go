package main

import (
	"log/slog"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/provider/host"
	"weft.dev/store"
)

// newHosted runs versions on hosts whose operators let weft do so.
func newHosted(client *store.Client, log *slog.Logger) *host.Provider {
	return host.New(host.Options{
		Versions: store.For[v1alpha1.HostVersion](client, api.HostVersion),
		Now:      time.Now,
		Log:      log,
	})
}
