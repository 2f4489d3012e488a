package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/release"
	"weft.dev/translate"
)

// What a release is told of its traffic: by version and caller; slow answers only if it asks.
func TestTraffic(t *testing.T) {
	edges := metrics.NewEdges(func(string) []uint32 { return nil })
	latency := make([]uint64, len(model.LatencyBounds)+1)
	latency[0], latency[len(latency)-1] = 7, 2
	edges.Record(metrics.End{Namespace: "shop", App: "web"}, model.TrafficReport{Period: time.Second, Edges: []model.EdgeCounters{
		{Cluster: "reviews.shop.svc.cluster.local:9080/v3", Requests: 10, Retries: 3, Errors: 1, Latency: latency},
	}}, time.Unix(1000, 0))
	f := facts{edges: edges}
	target := release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"}
	want := release.Counts{Requests: 10, Retries: 3, Errors: 1}
	if got := f.Traffic(target); !maps.Equal(got["v3"], map[string]release.Counts{"shop/web": want}) {
		t.Errorf("latency not asked for: %+v", got)
	}
	target.SlowerThan, want.Timed, want.Slow = time.Second, 9, 2
	if got := f.Traffic(target); !maps.Equal(got["v3"], map[string]release.Counts{"shop/web": want}) {
		t.Errorf("slower than a second: %+v", got)
	}
}

// A release counts the instances that get traffic: workloads that registered, and pods.
func TestHealthy(t *testing.T) {
	graph := flow.New(flow.Options{})
	objects, pods := flow.NewSource[api.Object](graph, "objects"), flow.NewSource[model.Pod](graph, "kube/pods")
	s := newStreet(graph, objects.Collection, streetOptions{Options: translate.Options{TrustDomain: "cluster.local", Pods: pods.Collection}}, nil)
	f := facts{running: newRunning(graph, s.replicas)}
	graph.Commit(func(tx *flow.Tx) {
		for i, health := range []model.Health{model.Healthy, model.Lost, model.Unhealthy, model.Draining} {
			o, err := api.Decode(fmt.Appendf(nil, `{"apiVersion": "weft.dev/v1alpha1", "kind": "Workload",
				"metadata": {"namespace": "shop", "name": "host-%d", "annotations": {"weft.dev/health": %q}},
				"spec": {"app": "reviews", "version": "v1", "address": "192.0.2.%d"}}`, i, health, i+1))
			if err != nil {
				t.Fatal(err)
			}
			objects.Set(tx, o)
		}
		for i, p := range []struct {
			app, version string
			health       model.Health
		}{
			{"reviews", "v1", model.Healthy}, {"reviews", "v2", model.Healthy}, {"reviews", "v2", model.Unhealthy},
			{"reviews", "v2", model.Draining}, {"ratings", "v2", model.Healthy},
		} {
			pods.Set(tx, model.Pod{
				Instance:    &model.Instance{Workload: fmt.Sprint("shop/pod-", i), Address: fmt.Sprint("10.0.0.", i+1), Health: p.health},
				PodTemplate: model.NewPodTemplate(model.PodTemplate{Namespace: "shop", Labels: map[string]string{"app": p.app, "version": p.version}}),
			})
		}
	})
	want := map[string]int{"v1": 3, "v2": 1}
	if got := f.Healthy(release.Target{Namespace: "shop", Application: "reviews"}); !maps.Equal(got, want) {
		t.Errorf("healthy instances %v, want %v", got, want)
	}
}
