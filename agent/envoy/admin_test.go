package envoy_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"weft.dev/agent/envoy"
)

// An Envoy that was replaced lives on with its connections: the admin is asked of
// who has the socket now.
func TestAdminAfterAReplacement(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	admin := envoy.NewAdmin(socket)
	for epoch := range 3 {
		serveAdmin(t, socket, epoch)
		if !admin.Serves(t.Context(), epoch) {
			t.Errorf("the Envoy of epoch %d is not asked", epoch)
		}
	}
}

// serveAdmin takes a socket over from whoever has it, and lets that one live.
func serveAdmin(t *testing.T, socket string, epoch int) {
	t.Helper()
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"state":"LIVE","command_line_options":{"restart_epoch":%d}}`, epoch)
	}))
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}
