package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	admission "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"

	"weft.dev/identity"
	"weft.dev/install/chart"
	"weft.dev/install/inject"
)

// trustInterval is how often the webhook's trust is looked at: somebody may have
// written it anew. A change of the roots does not wait for it.
const trustInterval = time.Minute

// webhook is what injects proxies: every replica does, so there is nothing to elect.
type webhook struct {
	options inject.Options
	ca      *identity.CA
	configs admission.MutatingWebhookConfigurationInterface
	log     *slog.Logger
}

func newWebhook(path string, config *rest.Config, ca *identity.CA, log *slog.Logger) (*webhook, error) {
	options, err := injection(path)
	if err != nil {
		return nil, err
	}
	client, err := admission.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &webhook{options, ca, client.MutatingWebhookConfigurations(), log}, nil
}

// injection is what proxies in pods are.
func injection(path string) (inject.Options, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return inject.Options{}, fmt.Errorf("--injection: %w", err)
	}
	options, err := inject.ReadOptions(text)
	if err != nil {
		return options, fmt.Errorf("--injection %s: %w", path, err)
	}
	return options, nil
}

// serve answers the API server until ctx ends.
func (w *webhook) serve(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--webhook %s: %w; choose another one", address, err)
	}
	host := chart.Name(w.options.Revision) + "." + ownNamespace() + ".svc"
	handler := inject.Webhook{Options: w.options, Roots: func() string { return string(w.ca.RootsPEM()) }, Log: w.log}
	return serveHTTP(ctx, tls.NewListener(listener, w.ca.HostTLS(host)), handler)
}

// beTrusted keeps the roots in the webhook's configuration, until ctx ends.
func (w *webhook) beTrusted(ctx context.Context) error {
	tick := time.NewTicker(trustInterval)
	defer tick.Stop()
	for {
		changed := w.ca.Changed()
		wait := tick.C
		if err := w.writeRoots(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("the API server cannot trust injection: pods get no proxy", "why", err)
			wait = time.After(retryPeriod)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-wait:
		}
	}
}

// writeRoots writes them by server-side apply, so that nobody else's write is lost.
func (w *webhook) writeRoots(ctx context.Context) error {
	name := chart.Name(w.options.Revision)
	found, err := w.configs.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	roots := w.ca.RootsPEM()
	if !slices.ContainsFunc(found.Webhooks, func(h admissionv1.MutatingWebhook) bool { return !bytes.Equal(h.ClientConfig.CABundle, roots) }) {
		return nil
	}
	body, err := json.Marshal(trusting(found, roots))
	if err != nil {
		return err
	}
	_, err = w.configs.Patch(ctx, name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: fieldManager + "-server", Force: new(true)})
	return err
}

// trusting is the configuration with the roots, and nothing else.
func trusting(found *admissionv1.MutatingWebhookConfiguration, roots []byte) map[string]any {
	hooks := make([]any, len(found.Webhooks))
	for i, hook := range found.Webhooks {
		hooks[i] = map[string]any{"name": hook.Name, "clientConfig": map[string]any{"caBundle": roots}}
	}
	return map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"metadata": map[string]any{"name": found.Name}, "webhooks": hooks,
	}
}
