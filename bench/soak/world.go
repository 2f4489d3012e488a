package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/release/provider/fake"
	"weft.dev/store"
)

const (
	// rate of requests to each application, and the part of them that versions answer badly.
	rate            = 200.0
	good, bad       = 0.002, 0.2
	instancesOfEach = 3
	// spread is how long proxies take to acknowledge.
	spread = 300 * time.Millisecond
)

// world is the traffic of all applications: it goes where the stored splits say.
type world struct {
	mu     sync.Mutex
	splits map[string]*flowing // by service
	now    func() time.Time
	fleet  fleet
}

// flowing is the traffic of a service.
type flowing struct {
	split   *v1alpha1.TrafficSplit
	changed time.Time // when it was seen
	counted time.Time
	counts  map[string]release.Counts
}

func newWorld(now func() time.Time, apps int) *world {
	running := fake.New(fake.Options{Now: now, Start: 3 * time.Second, Stop: time.Second})
	return &world{splits: map[string]*flowing{}, now: now, fleet: fleet{running, apps}}
}

// watch follows the splits, as proxies do.
func (w *world) watch(ctx context.Context, client *store.Client) error {
	return store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit).Watch(ctx, "", func(s *v1alpha1.TrafficSplit, _ bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		at := s.Namespace + "/" + s.Spec.Service
		f := w.splits[at]
		if f == nil {
			f = &flowing{counts: map[string]release.Counts{}, counted: w.now()}
			w.splits[at] = f
		}
		w.count(f)
		f.split, f.changed = s, w.now()
	})
}

// count lets the requests come that have come by now.
func (w *world) count(f *flowing) {
	now := w.now()
	requests := rate * now.Sub(f.counted).Seconds()
	f.counted = now
	if f.split == nil {
		return
	}
	for _, v := range f.split.Spec.Versions {
		n := requests * float64(v.Weight) / 100
		part := good
		if isBad(v.Version) {
			part = bad
		}
		f.counts[v.Version] = f.counts[v.Version].Add(release.Counts{Requests: uint64(n), Errors: uint64(n * part)})
	}
}

// Applied says that proxies follow after a moment.
func (w *world) Applied(namespace, name string, generation int64) release.Applied {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.splits {
		if f.split.Namespace == namespace && f.split.Name == name && f.split.Generation >= generation {
			if w.now().Sub(f.changed) < spread {
				return release.Applied{Known: true, Proxies: instancesOfEach, Missing: []string{"a-proxy"}}
			}
			return release.Applied{Known: true, Proxies: instancesOfEach}
		}
	}
	return release.Applied{}
}

// Routes is for mesh.Mesh: here a service has one.
func (*world) Routes(release.Target) map[string]map[string]release.Counts { return nil }

// Traffic is what came by now.
func (w *world) Traffic(t release.Target) map[string]map[string]release.Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.splits[t.Namespace+"/"+t.Service]
	if f == nil {
		return nil
	}
	w.count(f)
	all := map[string]map[string]release.Counts{}
	for version, counts := range f.counts {
		all[version] = map[string]release.Counts{"": counts}
	}
	return all
}

// fleet is the instances of all applications, as the mesh sees them.
type fleet struct {
	*fake.Provider
	apps int
}

// Healthy implements the release provider's Mesh.
func (w *world) Healthy(t release.Target) map[string]int {
	all := map[string]int{}
	versions, err := w.fleet.Observe(context.Background(), instances.Target{Namespace: t.Namespace, Application: t.Application})
	if err != nil {
		return all // who waits for instances waits
	}
	for version, seen := range versions {
		all[version] = seen.Ready
	}
	return all
}

// versionOf is what the n-th release brings: every tenth version is bad.
func versionOf(n int) string {
	if n%10 == 9 {
		return fmt.Sprintf("v%d-bad", n)
	}
	return fmt.Sprintf("v%d", n)
}

func isBad(version string) bool { return len(version) > 4 && version[len(version)-4:] == "-bad" }

func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

var quiet = slog.New(slog.DiscardHandler)
