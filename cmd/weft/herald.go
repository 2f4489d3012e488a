package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/herald"
	"weft.dev/release/notify"
	"weft.dev/store"
)

// newHerald tells people what becomes of runs and releases: one of the leader's duties.
func (m *mesh) newHerald(client *store.Client, flags serveFlags) *herald.Herald {
	h := herald.New(herald.Options{
		Runs:         store.For[v1alpha1.PipelineRun](client, api.PipelineRun),
		Releases:     store.For[v1alpha1.Release](client, api.Release),
		Pipelines:    store.For[v1alpha1.Pipeline](client, api.Pipeline),
		Applications: store.For[v1alpha1.Application](client, api.Application),
		Secrets:      store.For[corev1.Secret](client, api.Secret),
		Connect:      flags.guard().DialContext,
		Now:          time.Now,
		Log:          m.log,
	})
	m.more = append(m.more, h.Run)
	return h
}

// withButtons adds /slack to what takes deliveries, where a Secret says who may press buttons.
func (m *mesh) withButtons(client *store.Client, flags serveFlags, deliveries http.Handler) http.Handler {
	if flags.hooks.slack == "" {
		return deliveries
	}
	namespace, name, _ := strings.Cut(flags.hooks.slack, "/")
	secrets := store.For[corev1.Secret](client, api.Secret)
	both := http.NewServeMux()
	both.Handle("/", deliveries)
	both.Handle("/slack", &herald.Buttons{
		Decisions: store.For[v1alpha1.Decision](client, api.Decision),
		Secret:    func(ctx context.Context) (*corev1.Secret, error) { return secrets.Get(ctx, namespace, name) },
		Client:    notify.NewClient(flags.guard().DialContext),
		Now:       time.Now,
		Log:       m.log,
	})
	return both
}
