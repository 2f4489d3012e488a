package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	crdclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/flow"
	source "weft.dev/source/store"
	"weft.dev/store"
	"weft.dev/store/serve"
)

const deadline = time.Minute // of anything that a test waits for

// serveAt runs a server until stop is called, and returns the address it has.
func serveAt(t *testing.T, dir, listen string) (config *rest.Config, address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := serve.New(ctx, serve.Options{Dir: dir, Listen: listen, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatal(err)
	case <-time.After(deadline):
		t.Fatal("the server is not ready")
	}
	if config, err = clientcmd.BuildConfigFromFlags("", s.Kubeconfig()); err != nil {
		t.Fatal(err)
	}
	return config, strings.TrimPrefix(s.URL(), "https://"), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func newResilience(name string, retries int32) *v1alpha1.Resilience {
	return &v1alpha1.Resilience{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ResilienceSpec{TargetRefs: []v1alpha1.ServiceTarget{{Kind: "Service", Name: "ratings"}}, CallPolicy: v1alpha1.CallPolicy{Calls: v1alpha1.Calls{Retries: &retries}}},
	}
}

func newClient(t *testing.T, config *rest.Config) *store.Client {
	t.Helper()
	c, err := store.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// One server and its successor: what was there comes in one commit, changes
// follow, and after the server's return so does what changed meanwhile.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	config, address, stop := serveAt(t, dir, "127.0.0.1:0")
	c := newClient(t, config)
	all := store.For[v1alpha1.Resilience](c, api.Resilience)
	for i := range 3 {
		create(t, all, newResilience(fmt.Sprintf("f%d", i), 2))
	}
	deep := &envoyFilter{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "deep"}}
	if err := json.Unmarshal([]byte(nested(40)), &deep.Spec); err != nil {
		t.Fatal(err)
	}
	create(t, store.For[envoyFilter](c, api.EnvoyFilter), deep)
	removeCRD(t, config, "wasmplugins.extensions.istio.io")

	graph := flow.New(flow.Options{})
	s := source.New(c, graph, api.Resilience, api.EnvoyFilter, api.WasmPlugin, api.Namespace)
	changes := make(chan []flow.Change[api.Object], 100)
	s.Observe(func(_ flow.Revision, all []flow.Change[api.Object]) { changes <- all })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }() //nolint:errcheck // it ends with the test
	defer func() { cancel(); <-ended }()

	first := next(t, changes)
	select {
	case <-s.Synced():
	case <-time.After(deadline):
		t.Fatal("not synced after the first commit")
	}
	if first["Resilience/default/f2"] == nil || first["Namespace//default"] == nil || graph.Revision() != 1 {
		t.Errorf("the first commit, revision %d, has %v", graph.Revision(), first)
	}
	if o := first["EnvoyFilter/default/deep"]; o == nil || o.Spec != nil || !strings.Contains(o.Err, "nested deeper") {
		t.Errorf("an object that cannot be read is %+v", o)
	}

	create(t, all, newResilience("f3", 2))
	if got := next(t, changes); got["Resilience/default/f3"] == nil {
		t.Errorf("after a creation: %v", got)
	}
	if err := all.Delete(t.Context(), "default", "f3"); err != nil {
		t.Fatal(err)
	}
	if got, seen := next(t, changes)["Resilience/default/f3"]; !seen || got != nil {
		t.Errorf("after a deletion: %v", got)
	}

	stop()
	_, _, stop = serveAt(t, dir, address)
	defer stop()
	create(t, all, newResilience("f4", 2))
	if err := all.Delete(t.Context(), "default", "f0"); err != nil {
		t.Fatal(err)
	}
	for seen := map[string]*api.Object{}; seen["Resilience/default/f4"] == nil || len(seen) < 2; {
		for key, o := range next(t, changes) {
			if key != "Resilience/default/f4" && key != "Resilience/default/f0" && !strings.HasPrefix(key, "Namespace/") {
				t.Errorf("%s did not change", key)
			}
			seen[key] = o
		}
	}
}

// next is what the next commit changed: nil for a row that is gone.
func next(t *testing.T, changes <-chan []flow.Change[api.Object]) map[string]*api.Object {
	t.Helper()
	select {
	case all := <-changes:
		rows := map[string]*api.Object{}
		for _, c := range all {
			rows[c.Key] = c.New
		}
		return rows
	case <-time.After(deadline):
		t.Fatal("no commit")
		return nil
	}
}

func create[T any](t *testing.T, r store.Resource[T], o *T) {
	t.Helper()
	if _, err := r.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// envoyFilter is Istio's, with any spec.
type envoyFilter struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any `json:"spec"`
}

// nested is the spec of an EnvoyFilter with a value so deep.
func nested(levels int) string {
	value := strings.Repeat(`{"a":[`, levels) + strings.Repeat(`]}`, levels)
	return `{"configPatches":[{"applyTo":"CLUSTER","patch":{"operation":"MERGE","value":` + value + `}}]}`
}

// removeCRD makes the server one that does not have a kind.
func removeCRD(t *testing.T, config *rest.Config, name string) {
	t.Helper()
	c, err := crdclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CustomResourceDefinitions().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}
