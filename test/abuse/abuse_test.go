// Package abuse proves that who misuses the real server, by its mesh port or its
// API, gets a clear answer, costs it little, and keeps nobody else from working.
package abuse

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/peer"
	"weft.dev/test/process"
)

const (
	namespace = "abuse"
	// patience is how long an honest proxy may wait for a change.
	patience = 20 * time.Second
	// maxGrowth in MiB is what the server's memory may grow by during one abuse. Up to half of a
	// server's heap of some 150 MiB is garbage that is not collected yet, whatever happens.
	maxGrowth = 128
)

// fixture is one server for all tests, and an honest workload beside the abusers.
type fixture struct {
	server  *process.Server
	objects dynamic.Interface
	machine *peer.Host
	held    *identity.Credential // of the honest workload
	proxy   *peer.Proxy
	changes int
}

var shared fixture

func TestMain(m *testing.M) {
	process.Main("abuse", func(dir string) (int, error) {
		weft := filepath.Join(dir, "weft")
		if err := process.Build(map[string]string{weft: "../../cmd/weft"}); err != nil {
			return 1, err
		}
		var err error
		if shared.server, err = process.Serve(weft, dir); err != nil {
			return 1, err
		}
		defer shared.server.Stop()
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		if err := shared.open(ctx); err != nil {
			return 1, err
		}
		running.Go(func() { shared.proxy.Run(ctx) })
		return m.Run(), nil
	})
}

// open joins the server with the honest workload.
func (f *fixture) open(ctx context.Context) error {
	config, err := f.server.Config()
	if err != nil {
		return err
	}
	if f.objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	token, err := f.server.Token("", namespace)
	if err != nil {
		return err
	}
	if f.machine, err = peer.Join(ctx, f.server.Mesh, token, "honest-host"); err != nil {
		return err
	}
	if f.held, err = f.machine.Workload(ctx, namespace, "honest"); err != nil {
		return err
	}
	f.proxy, err = peer.NewProxy(f.server.Mesh, f.held, workload("honest", "honest-1"))
	return err
}

func workload(app, name string) model.Registration {
	return model.Registration{Namespace: namespace, Name: name, App: app, Version: "v1", Address: "127.0.0.1", OutboundPort: 15001}
}

var (
	serviceEntries  = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "serviceentries"}
	sidecars        = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "sidecars"}
	virtualServices = schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "virtualservices"}
)

// outside is a ServiceEntry.
func outside(name string, port int, hosts ...string) *unstructured.Unstructured {
	all := make([]any, len(hosts))
	for i, host := range hosts {
		all[i] = host
	}
	return object("ServiceEntry", name, map[string]any{
		"hosts": all, "location": "MESH_EXTERNAL", "resolution": "DNS",
		"ports": []any{map[string]any{"number": int64(port), "name": "http", "protocol": "HTTP"}},
	})
}

func object(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": kind,
		"metadata": map[string]any{"namespace": namespace, "name": name}, "spec": spec,
	}}
}

func (f *fixture) apply(ctx context.Context, kind schema.GroupVersionResource, o *unstructured.Unstructured) error {
	_, err := f.objects.Resource(kind).Namespace(namespace).Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "abuse", Force: true})
	return err
}

// stillServes fails unless a new change reaches the honest proxy.
func (f *fixture) stillServes(t *testing.T) {
	t.Helper()
	f.changes++
	host := fmt.Sprintf("change-%d.test", f.changes)
	must(t, f.apply(t.Context(), serviceEntries, outside("change", 80, host)))
	f.receives(t, host, 80)
}

// receives waits until the honest proxy, which calls the host, has its cluster.
func (f *fixture) receives(t *testing.T, host string, port int) {
	t.Helper()
	cluster := fmt.Sprintf("%s:%d", host, port)
	f.proxy.Call(host)
	must(t, process.Until(patience, func() error {
		if f.proxy.Resource(model.TypeCluster, cluster) == nil {
			return fmt.Errorf("the honest proxy has no cluster %s", cluster)
		}
		return nil
	}))
}

// bounded runs an abuse and fails if the server's memory grew by more than maxGrowth meanwhile.
func (f *fixture) bounded(t *testing.T, abuse func()) {
	t.Helper()
	before, errBefore := f.server.Memory()
	abuse()
	after, errAfter := f.server.Memory()
	must(t, errors.Join(errBefore, errAfter))
	t.Logf("memory of the server: %d MiB, after it %d MiB", before, after)
	if after-before > maxGrowth {
		t.Errorf("the server grew by %d MiB, more than %d", after-before, maxGrowth)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails unless an error says all of these words.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was let through; want an error with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %.300q; want %q in it", err.Error(), word)
		}
	}
}

// TestAbuse runs one abuse after another. After each the server must still serve.
func TestAbuse(t *testing.T) {
	shared.stillServes(t)
	for _, abuse := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"one token, 100 uses at once", tokenRace},
		{"tokens that are none", badTokens},
		{"one address joins too often", joinFlood},
		{"a certificate of another CA", otherCA},
		{"a workload wants to be another", otherIdentity},
		{"200 connections that say nothing", silentConnections},
		{"a message of 100 MB", hugeMessage},
		{"a regex of a megabyte", hugeRegex},
		{"an object of two megabytes", hugeObject},
		{"fields that do not exist", unknownFields},
		{"a proxy that never reads", neverReads},
	} {
		t.Run(abuse.name, func(t *testing.T) {
			abuse.run(t, &shared)
			shared.stillServes(t)
		})
	}
}
