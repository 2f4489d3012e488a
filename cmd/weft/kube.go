package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/install/chart"
	"weft.dev/source/kube"
	"weft.dev/store"
	"weft.dev/web"
)

// Where weft is in a cluster.
const (
	authoritySecret  = "weft-authority" // the certificate authority and the join tokens
	foundingTries    = 5                // of replicas that start at once, one founds the authority
	namespaceFile    = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	foundingInterval = time.Second
)

// runKube serves a Kubernetes cluster until ctx ends: the resources are in its
// API server, and its pods are workloads.
func runKube(ctx context.Context, flags serveFlags, log *slog.Logger) error {
	config, err := clusterConfig(flags.kubeconfig)
	if err != nil {
		return err
	}
	client, err := store.NewClient(config)
	if err != nil {
		return err
	}
	authority, err := foundAuthority(ctx, client, flags.trustDomain, log)
	if err != nil {
		return err
	}
	graph := flow.New(flow.Options{KeepLastGood: true})
	reviews, err := newReviewer(config)
	if err != nil {
		return err
	}
	front, err := kubeFront(config, client, reviews, authority, graph, log)
	if err != nil {
		return err
	}
	m := newMesh(graph, front, authority, flags, log)
	m.releases = m.newReleases(client)
	if err := m.runPipelines(client, flags); err != nil {
		return err
	}
	m.keepLedger(client)
	if err := m.runGateways(client, flags.injection); err != nil {
		return err
	}
	people := reviews.people(m.people(flags, meshAddress))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return servePeopleTLS(ctx, flags.listen, authority.CA.PeopleTLS(), people) })
	group.Go(func() error { return m.run(ctx, flags) })
	if flags.ui.address != "" {
		gate := kubeGate{config, flags.ui.prefix, newSharedKey(client, ownNamespace())}
		group.Go(func() error { return flags.ui.serve(ctx, gate, newSecretBook(client, ownNamespace())) })
	}
	if flags.injection != "" {
		hook, err := newWebhook(flags.injection, config, client, authority.CA, log)
		if err != nil {
			return err
		}
		group.Go(func() error { return hook.serve(ctx, flags.webhook) })
		group.Go(func() error { return hook.beTrusted(ctx) })
	}
	go m.announce(ctx, fmt.Sprintf("weft serves the cluster at %s, agents join at %s", config.Host, flags.mesh))
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// meshAddress is where pods reach the mesh port.
const meshAddress = "weft." + chart.Namespace + ".svc:7444"

// clusterConfig is that of the pod that this is, or of a named kubeconfig.
func clusterConfig(path string) (*rest.Config, error) {
	if path != "" {
		return clientcmd.BuildConfigFromFlags("", path)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, exitCode{exitUsage, fmt.Errorf("--kube: %w; outside of a pod name a kubeconfig with --cluster-kubeconfig", err)}
	}
	return config, nil
}

// ownNamespace is where this pod is.
func ownNamespace() string {
	if text, err := os.ReadFile(namespaceFile); err == nil {
		return strings.TrimSpace(string(text))
	}
	return chart.Namespace
}

// foundAuthority opens the certificate authority that all replicas share.
func foundAuthority(ctx context.Context, client *store.Client, trust string, log *slog.Logger) (a identity.Authority, err error) {
	for range foundingTries {
		if a, err = openAuthorityIn(store.NewSecretFiles(client, ownNamespace(), authoritySecret), trust); err == nil {
			return a, nil
		}
		log.Warn("the certificate authority is not there yet", "why", err)
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(foundingInterval):
		}
	}
	return a, err
}

// kubeFront is the API server of a cluster.
func kubeFront(config *rest.Config, client *store.Client, reviews reviewer, authority identity.Authority, graph *flow.Graph, log *slog.Logger) (front, error) {
	pods, err := kube.New(config, graph)
	if err != nil {
		return front{}, err
	}
	addresses, err := kube.NewAddresses(config, graph)
	if err != nil {
		return front{}, err
	}
	f := storeFront(client, graph, log)
	if f.runs, err = clusterRuns(config); err != nil {
		return front{}, err
	}
	elected, err := newElection(config, ownNamespace(), log)
	if err != nil {
		return front{}, err
	}
	f.pods, f.lead, f.leading = pods.Collection, elected.lead, elected.leading.Load
	f.namespaces = func(names []string) error { return checkNamespaces(client, names) }
	vouches, err := newVouching(config)
	if err != nil {
		return front{}, err
	}
	f.vouched = vouches.vouched
	f.callers = &callers{}
	f.cluster = cluster{pods.Collection, reviews, authority, f.callers, elected}
	f.addresses = addresses.Collection
	missing := flow.Union("missing pods and addresses", pods.Problems.Collection, addresses.Problems.Collection)
	logProblems(missing, log)()
	f.problems = flow.Union("all that is missing", f.problems, missing)
	f.synced = all(f.synced, pods.Synced(), addresses.Synced())
	run := f.run
	f.run = func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return run(ctx) })
		group.Go(func() error { return pods.Run(ctx) })
		group.Go(func() error { return addresses.Run(ctx) })
		return group.Wait()
	}
	return f, nil
}

// checkNamespaces refuses those that are not there: in a cluster they are somebody's to make.
func checkNamespaces(client *store.Client, names []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	namespaces := store.For[corev1.Namespace](client, api.Namespace)
	for _, name := range names {
		_, err := namespaces.Get(ctx, "", name)
		if store.IsNotFound(err) {
			return web.Invalid("namespace %q is not in the cluster: make it first", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// all is closed once all of them are.
func all(parts ...<-chan struct{}) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for _, part := range parts {
			<-part
		}
		close(done)
	}()
	return done
}
