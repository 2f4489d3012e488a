package crash

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/store"
	"weft.dev/test/peer"
	"weft.dev/test/process"
)

const (
	applications = 100
	namespaces   = 10
	// writers write to the API at the same time.
	writers = 8
	// patience is how long writing something for every subject may take while the server is killed again and again.
	patience = time.Minute

	oldVersion, newVersion = "v1", "v2"
	servicePort            = 9080
)

// subject is one application and its release.
type subject struct {
	namespace, name string
	strategy        v1alpha1.StrategyType
	bad             bool // its new version answers 20% of all requests badly
}

func (s subject) String() string { return s.namespace + "/" + s.name }
func (s subject) host() string   { return model.HostOf(s.namespace, s.name) }

// subjects mix strategies with good and bad versions.
func subjects() []subject {
	all := make([]subject, applications)
	for i := range all {
		all[i] = subject{
			namespace: fmt.Sprintf("crash-%d", i%namespaces), name: fmt.Sprintf("app-%02d", i),
			strategy: v1alpha1.Canary, bad: i/2%3 == 0,
		}
		if i%2 == 1 {
			all[i].strategy = v1alpha1.BlueGreen
		}
	}
	return all
}

// world is a server with objects in it, and who reads and writes them.
type world struct {
	t        *testing.T
	ctx      context.Context
	server   *process.Server
	subjects []subject

	applications store.Resource[v1alpha1.Application]
	releases     store.Resource[v1alpha1.Release]
	splits       store.Resource[v1alpha1.TrafficSplit]
	workloads    store.Resource[v1alpha1.Workload]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	weft := filepath.Join(dir, "weft")
	check(t, process.Build(map[string]string{weft: "../../cmd/weft"}))
	server, err := process.Serve(weft, dir)
	check(t, err)
	t.Cleanup(server.Stop)
	config, err := server.Config()
	check(t, err)
	client, err := store.NewClient(config)
	check(t, err)
	return &world{
		t: t, ctx: t.Context(), server: server, subjects: subjects(),
		applications: store.For[v1alpha1.Application](client, api.Application),
		releases:     store.For[v1alpha1.Release](client, api.Release),
		splits:       store.For[v1alpha1.TrafficSplit](client, api.TrafficSplit),
		workloads:    store.For[v1alpha1.Workload](client, api.Workload),
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// callers join the mesh: proxies that take configuration and report the traffic that follows it.
func (w *world) callers(count int) {
	names := make([]string, namespaces)
	for i := range names {
		names[i] = fmt.Sprintf("crash-%d", i)
	}
	token, err := w.server.Token("", names...)
	check(w.t, err)
	machine, err := peer.Join(w.ctx, w.server.Mesh, token, "crash-host")
	check(w.t, err)
	as, err := machine.Workload(w.ctx, names[0], "load")
	check(w.t, err)
	ctx, cancel := context.WithCancel(w.ctx)
	var running sync.WaitGroup
	w.t.Cleanup(running.Wait)
	w.t.Cleanup(cancel)
	for i := range count {
		proxy, err := peer.NewProxy(w.server.Mesh, as, model.Registration{
			Namespace: names[0], Name: fmt.Sprintf("load-%d", i), App: "load", Version: "v1",
			Address: "127.0.0.1", OutboundPort: 15001,
		})
		check(w.t, err)
		for _, s := range w.subjects {
			proxy.Call(s.host())
		}
		running.Go(func() { proxy.Run(ctx) })
		running.Go(func() { drive(ctx, proxy, w.subjects) })
	}
}

// each does something for every subject, a few at a time, until it succeeds.
func (w *world) each(what string, do func(i int, s subject) error) {
	w.t.Helper()
	var running sync.WaitGroup
	free := make(chan struct{}, writers)
	deadline := time.Now().Add(patience)
	for i, s := range w.subjects {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			err := process.Until(time.Until(deadline), func() error {
				err := do(i, s)
				if store.IsExists(err) { // the answer to an earlier try was lost in a crash
					return nil
				}
				return err
			})
			if err != nil {
				w.t.Errorf("%s of %s: %v", what, s, err)
			}
		})
	}
	running.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// run writes the workload of one version, as its agent would have.
func (w *world) run(i int, s subject, version string) error {
	port := int32(20000 + 10*i)
	if version == newVersion {
		port += 5
	}
	made, err := w.workloads.Create(w.ctx, &v1alpha1.Workload{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: s.name + "-" + version,
			Labels:      map[string]string{"app": s.name, "version": version},
			Annotations: map[string]string{v1alpha1.HealthAnnotation: string(model.Healthy)},
		},
		Spec: v1alpha1.WorkloadSpec{
			App: s.name, Version: version, Address: "127.0.0.1",
			Ports: []v1alpha1.WorkloadPort{{Number: servicePort, Protocol: string(model.HTTP), ProxyPort: port, AppPort: port + 1}},
		},
	})
	if store.IsExists(err) {
		made, err = w.workloads.Get(w.ctx, s.namespace, s.name+"-"+version)
	}
	if err != nil {
		return err
	}
	made.Status.Health, made.Status.Since = string(model.Healthy), metav1.Now()
	_, err = w.workloads.UpdateStatus(w.ctx, made)
	return err
}

// serve brings every application into service with its old version, which weft adopts.
func (w *world) serve() {
	w.each("the old version", func(i int, s subject) error { return w.run(i, s, oldVersion) })
	w.each("application", func(_ int, s subject) error {
		_, err := w.applications.Create(w.ctx, &v1alpha1.Application{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name},
			Spec:       v1alpha1.ApplicationSpec{Strategy: v1alpha1.Strategy{Type: s.strategy}},
		})
		return err
	})
	w.each("adoption", func(_ int, s subject) error {
		app, err := w.applications.Get(w.ctx, s.namespace, s.name)
		if err == nil && app.Status.Version != oldVersion {
			err = fmt.Errorf("serves %q, want %q", app.Status.Version, oldVersion)
		}
		return err
	})
	w.each("the new version", func(i int, s subject) error { return w.run(i, s, newVersion) })
}

// release asks for all releases.
func (w *world) release() {
	w.each("release", func(_ int, s subject) error {
		_, err := w.releases.Create(w.ctx, &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name},
			Spec:       v1alpha1.ReleaseSpec{Application: s.name, Version: newVersion},
		})
		return err
	})
}
