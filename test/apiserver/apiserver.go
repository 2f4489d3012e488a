// Package apiserver runs the embedded API server for one test.
//
// Input: the namespaces that the test needs. Output: a client with all rights. It must not know what a test stores.
package apiserver

import (
	"context"
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// startTime is how long a server may take on a busy machine.
const startTime = time.Minute

// Start runs a server until the test ends.
func Start(t *testing.T, namespaces ...string) *store.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := serve.New(ctx, serve.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err // for the end of the test
		t.Fatal(err)
	case <-time.After(startTime):
		t.Fatal("the server is not ready")
	}
	client, err := store.NewClient(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range namespaces {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := store.For[corev1.Namespace](client, api.Namespace).Create(t.Context(), ns); err != nil {
			t.Fatal(err)
		}
	}
	return client
}
