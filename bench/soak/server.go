package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/expr"
	"weft.dev/release/instances"
	"weft.dev/release/judge"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/mesh"
	"weft.dev/release/provider/objects"
	"weft.dev/release/provider/places"
	"weft.dev/release/provider/versions"
	"weft.dev/release/runner"
	"weft.dev/release/stage"
	"weft.dev/release/strategy"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// startStore runs an API server of its own until ctx ends, and returns what waits for its end.
func startStore(ctx context.Context, dir string) (*store.Client, func() error, error) {
	server, err := serve.New(ctx, serve.Options{Dir: dir, Listen: "127.0.0.1:0", Log: quiet})
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	select {
	case <-server.Ready():
	case err := <-ended:
		return nil, nil, fmt.Errorf("the API server ended: %w", err)
	}
	client, err := store.NewClient(server.Config())
	return client, func() error { return <-ended }, err
}

// engines are those of releases and of runs, as weft serve has them.
func engines(client *store.Client, w *world, took func(late, lasted time.Duration)) (*release.Engine, *runner.Engine, error) {
	errors := judge.ErrorRate{}
	apps, splits, blobs := store.For[v1alpha1.Application](client, api.Application), store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit), store.For[v1alpha1.Blob](client, api.Blob)
	at := places.Places{Applications: apps, Named: map[string]instances.Provider{providerName: w.fleet}}
	traffic := objects.Traffic{Applications: apps, Splits: splits}
	releases := release.NewEngine(release.Options{
		Releases:     store.For[v1alpha1.Release](client, api.Release),
		Applications: apps,
		Strategies: map[v1alpha1.StrategyType]release.Strategy{
			v1alpha1.Canary: strategy.Canary(errors),
		},
		Instances: at,
		Provider:  mesh.New(splits, w),
		Now:       time.Now, Log: quiet, Took: took,
	})
	language, err := expr.New()
	if err != nil {
		return nil, nil, err
	}
	all, decisions := store.For[v1alpha1.PipelineRun](client, api.PipelineRun), store.For[v1alpha1.Decision](client, api.Decision)
	return releases, runner.New(runner.Options{
		Runs: all, Decisions: decisions, Blobs: blobs,
		Pipelines: store.For[v1alpha1.Pipeline](client, api.Pipeline).Get,
		With:      pipeline.With{Stages: stage.All(), Eval: language},
		Worlds: map[string]runner.World{
			"release":   objects.Releases{All: store.For[v1alpha1.Release](client, api.Release)},
			"run":       objects.Runs{All: all, Decisions: decisions},
			"instances": places.World{Places: at, Blobs: blobs},
			"traffic":   traffic,
			"version": versions.World{Records: versions.Records{
				Versions: store.For[v1alpha1.Version](client, api.Version), Blobs: blobs, Applications: apps, Traffic: traffic,
			}},
		},
		Leading: func() bool { return true }, Now: time.Now, Log: quiet, Took: took,
	}), nil
}

// prepare makes the applications, each with a pipeline and a version that serves.
func prepare(ctx context.Context, client *store.Client, w *world) error {
	apps, splits, pipelines := store.For[v1alpha1.Application](client, api.Application), store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit), store.For[v1alpha1.Pipeline](client, api.Pipeline)
	namespaces := store.For[corev1.Namespace](client, api.Namespace)
	for i := range w.fleet.apps {
		namespace, name := place(i)
		if i%appsOfNamespace == 0 {
			if _, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: named("", namespace)}); err != nil {
				return err
			}
		}
		app, err := apps.Create(ctx, applicationOf(namespace, name))
		if err != nil {
			return err
		}
		app.Status.Version = firstVersion
		if _, err = apps.UpdateStatus(ctx, app); err != nil {
			return err
		}
		split := &v1alpha1.TrafficSplit{ObjectMeta: named(namespace, name), Spec: v1alpha1.TrafficSplitSpec{
			Service: name, Versions: []v1alpha1.VersionWeight{{Version: firstVersion, Weight: 100}},
		}}
		if _, err = splits.Create(ctx, split); err != nil {
			return err
		}
		err = w.fleet.Do(ctx, instances.Action{
			ID: "first", Seq: 1, Verb: instances.Deploy, Version: firstVersion, Replicas: instancesOfEach,
			Target: instances.Target{Namespace: namespace, Application: name},
		})
		if err != nil {
			return err
		}
		if _, err = pipelines.Create(ctx, pipelineOf(namespace, name)); err != nil {
			return err
		}
	}
	return nil
}

const (
	appsOfNamespace = 50
	firstVersion    = "v"
	providerName    = "fake"
)

// place is the namespace and name of an application.
func place(i int) (namespace, name string) {
	return fmt.Sprintf("team-%d", i/appsOfNamespace), fmt.Sprintf("app-%d", i)
}

// applicationOf is one whose instances weft starts and stops.
func applicationOf(namespace, name string) *v1alpha1.Application {
	return &v1alpha1.Application{ObjectMeta: named(namespace, name), Spec: v1alpha1.ApplicationSpec{
		Runs:     &v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{Name: providerName}},
		Strategy: v1alpha1.Strategy{Type: v1alpha1.Canary, KeepFor: &metav1.Duration{Duration: 10 * time.Second}},
	}}
}

// pipelineOf releases a version of one application.
func pipelineOf(namespace, name string) *v1alpha1.Pipeline {
	return &v1alpha1.Pipeline{ObjectMeta: named(namespace, name), Spec: v1alpha1.PipelineSpec{
		Application: name, Parameters: []v1alpha1.Parameter{{Name: "version", Required: true}},
		Stages: []v1alpha1.Stage{
			{Name: "named", Check: &v1alpha1.CheckStage{Expression: `params.version != ""`}},
			{Name: "deploy", After: []string{"named"}, Deploy: &v1alpha1.DeployStage{Version: "${params.version}"}},
			{Name: "shift", After: []string{"deploy"}, Release: &v1alpha1.ReleaseStage{Version: "${params.version}"}},
		},
	}}
}
