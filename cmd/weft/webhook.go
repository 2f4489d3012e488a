package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	admission "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"

	"weft.dev/identity"
	"weft.dev/install/chart"
	target "weft.dev/install/cluster"
	"weft.dev/install/inject"
	"weft.dev/store"
)

// trustInterval is how often the webhook's trust is looked at: somebody may have
// written it anew. A change of the roots does not wait for it.
const trustInterval = time.Minute

// webhook is what the API server asks: pods get their proxies, and who freezes applications is looked at. Every
// replica answers, so there is nothing to elect.
type webhook struct {
	options inject.Options
	freezes http.Handler
	ca      *identity.CA
	configs rest.Interface
	log     *slog.Logger
}

// trusting is a configuration by which the API server asks here.
type trusting struct{ resource, kind, name string }

func newWebhook(path string, config *rest.Config, client *store.Client, ca *identity.CA, log *slog.Logger) (*webhook, error) {
	options, err := injection(path)
	if err != nil {
		return nil, err
	}
	configs, err := admission.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &webhook{options, freezeReview{newWishes(client)}, ca, configs.RESTClient(), log}, nil
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
	handler := http.NewServeMux()
	handler.Handle(inject.Path, inject.Webhook{Options: w.options, Roots: func() string { return string(w.ca.RootsPEM()) }, Log: w.log})
	handler.Handle(freezesPath, w.freezes)
	return serveHTTP(ctx, tls.NewListener(listener, w.ca.HostTLS(host)), handler)
}

// beTrusted keeps the roots in the webhooks' configurations, until ctx ends.
func (w *webhook) beTrusted(ctx context.Context) error {
	tick := time.NewTicker(trustInterval)
	defer tick.Stop()
	for {
		changed := w.ca.Changed()
		wait := tick.C
		if err := w.writeAllRoots(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("the API server cannot trust weft, so pods get no proxy or nobody may freeze an application", "why", err)
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

func (w *webhook) writeAllRoots(ctx context.Context) error {
	injects := trusting{"mutatingwebhookconfigurations", "MutatingWebhookConfiguration", chart.Name(w.options.Revision)}
	freezes := trusting{"validatingwebhookconfigurations", "ValidatingWebhookConfiguration", target.FreezesName}
	asked := w.writeRoots(ctx, freezes)
	if apierrors.IsNotFound(asked) {
		asked = nil // it came with another revision, and went with it
	}
	return errors.Join(w.writeRoots(ctx, injects), asked)
}

// writeRoots writes them by server-side apply, so that nobody else's write is lost.
func (w *webhook) writeRoots(ctx context.Context, t trusting) error {
	text, err := w.configs.Get().Resource(t.resource).Name(t.name).Do(ctx).Raw()
	if err != nil {
		return err
	}
	var found struct {
		Webhooks []struct {
			Name         string
			ClientConfig admissionv1.WebhookClientConfig
		}
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return err
	}
	roots, distrusted := w.ca.RootsPEM(), false
	hooks := make([]any, len(found.Webhooks))
	for i, hook := range found.Webhooks {
		distrusted = distrusted || !bytes.Equal(hook.ClientConfig.CABundle, roots)
		hooks[i] = map[string]any{"name": hook.Name, "clientConfig": map[string]any{"caBundle": roots}}
	}
	if !distrusted {
		return nil
	}
	// The roots, and nothing else.
	body, err := json.Marshal(map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": t.kind, "metadata": map[string]any{"name": t.name}, "webhooks": hooks,
	})
	if err != nil {
		return err
	}
	return w.configs.Patch(types.ApplyPatchType).Resource(t.resource).Name(t.name).
		Param("fieldManager", fieldManager+"-server").Param("force", "true").Body(body).Do(ctx).Error()
}
