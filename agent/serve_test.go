package agent

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"testing"

	"weft.dev/agent/relay"
	"weft.dev/identity"
)

// One generation of Envoy may follow another at once, at the same socket: what is
// left of the serving of the first must not take the socket from the second.
func TestServedAgainAtOnce(t *testing.T) {
	files := identity.Dir(t.TempDir())
	log := slog.New(slog.DiscardHandler)
	a := &agent{
		Options: Options{Dir: string(files), Log: log}, files: files, sockets: string(files),
		keeper: &keeper{}, relay: relay.Open(relay.Cache{Files: files}, log), leaveEnvoy: func() {},
	}
	socket := a.socket("ads-0.sock")
	for range 100 {
		for range 2 {
			if _, err := a.serveEnvoy(0); err != nil {
				t.Fatal(err)
			}
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		a.leaveEnvoy()
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("the socket is still there when it is said to be left")
		}
	}
}
