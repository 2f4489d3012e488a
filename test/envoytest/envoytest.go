// Package envoytest finds the real Envoy for the tests that run one.
//
// Input: $WEFT_ENVOY, $PATH and weft's cache. Output: the path of a binary. It
// must not know what a test does with it.
package envoytest

import (
	"log/slog"
	"os"
	"sync"
	"testing"

	"weft.dev/agent/envoy"
)

// pinned verifies the binary once for all tests of a package.
var pinned = sync.OnceValues(func() (string, error) { return envoy.Pinned(slog.Default()) })

// Binary is $WEFT_ENVOY, else the pinned Envoy of this machine.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("WEFT_ENVOY"); path != "" {
		return path
	}
	path, err := pinned()
	if err != nil {
		t.Fatalf("no Envoy: %v; set WEFT_ENVOY, or run `weft envoy`, which fetches it", err)
	}
	return path
}
