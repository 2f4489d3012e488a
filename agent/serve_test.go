package agent

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"weft.dev/agent/relay"
	"weft.dev/identity"
)

// One generation of Envoy may follow another at once, at the same path: a serving
// that is ended before it has begun must not close its socket later, when the path
// is the other's. One processor has it begin late.
func TestServingLeavesNothingForLater(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	log := slog.New(slog.DiscardHandler)
	a := &agent{Options: Options{Log: log}, relay: relay.Open(relay.Cache{Files: identity.Dir(t.TempDir())}, log)}
	socket := filepath.Join(t.TempDir(), "ads-0.sock")
	for range 20 {
		leave, err := a.serveAt(socket)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("the socket is still there when it is said to be closed")
		}
	}
}
