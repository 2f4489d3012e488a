package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/opinion"
	"weft.dev/release/provider/ask"
	hooks "weft.dev/release/provider/web"
	"weft.dev/store"
)

// newAsker asks whom analyses name beside the proxies: for runs, and from now on for releases.
func (m *mesh) newAsker(client *store.Client, web *hooks.World, e opinion.Expander) *ask.Asker {
	asker := &ask.Asker{Web: web, Secrets: store.For[corev1.Secret](client, api.Secret), Now: time.Now}
	listener := asker.Listen()
	m.releases.Others = func(ctx context.Context, who string, o v1alpha1.Others, about opinion.About) map[string]opinion.Said {
		return listener.Hear(ctx, who, opinion.Asks(o, about, e, nil))
	}
	return asker
}
