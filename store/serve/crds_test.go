package serve

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// A server that is killed between accepting a CRD's names and establishing it is ready at its next start.
func TestKilledBeforeACRDWasEstablished(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(t.Output(), nil))
	untilReady(t, dir, log)
	unestablish(t, dir, log, "trafficsplits.weft.dev")
	untilReady(t, dir, log)
}

// untilReady runs a server in dir until it is ready.
func untilReady(t *testing.T, dir string, log *slog.Logger) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	s, err := New(ctx, Options{Dir: dir, Listen: "127.0.0.1:0", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
		stop()
		err = <-ended
	case err = <-ended:
		t.Error("never ready")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// unestablish takes the condition from what etcd has of a CRD.
func unestablish(t *testing.T, dir string, log *slog.Logger, name string) {
	t.Helper()
	e, err := startEtcd(t.Context(), dir, log)
	if err != nil {
		t.Fatal(err)
	}
	defer e.stop()
	client, key := v3client.New(e.server.Server), "/registry/apiextensions.k8s.io/customresourcedefinitions/"+name
	found, err := client.Get(t.Context(), key)
	if err != nil || len(found.Kvs) != 1 {
		t.Fatalf("%s in etcd: %v, %v", key, found, err)
	}
	crd := &crdv1.CustomResourceDefinition{}
	if err := json.Unmarshal(found.Kvs[0].Value, crd); err != nil {
		t.Fatal(err)
	}
	is := func(c crdv1.CustomResourceDefinitionCondition) bool { return c.Type == crdv1.Established }
	if !slices.ContainsFunc(crd.Status.Conditions, is) {
		t.Fatalf("%s was not established: %v", name, crd.Status.Conditions)
	}
	crd.Status.Conditions = slices.DeleteFunc(crd.Status.Conditions, is)
	text, err := json.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(t.Context(), key, string(text)); err != nil {
		t.Fatal(err)
	}
}
