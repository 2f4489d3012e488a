package agent_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/agent"
	"weft.dev/test/envoytest"
)

// replaceable starts an agent whose Envoy is the file at the returned path.
func replaceable(t *testing.T, m *mesh, handover time.Duration) (r *running, binary string, hup func()) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "envoy")
	if err := os.Symlink(envoytest.Binary(t), binary); err != nil {
		t.Fatal(err)
	}
	o := options(t, m, filepath.Join(t.TempDir(), "app-1"), m.join())
	signals := make(chan os.Signal, 1)
	o.Envoy, o.Handover, o.Signals = binary, handover, signals
	r = start(t, o)
	until(t, "it serves", func() bool { return get(fresh(), m, "/") == answer })
	until(t, "it is healthy", func() bool { return healthy(m, 1) })
	return r, binary, func() { signals <- syscall.SIGHUP }
}

func (r *running) logged(text string) int { return strings.Count(r.log.String(), text) }

// Envoy is replaced again and again under load: no call fails, a stream that had
// begun ends as it should, and the new one is given what changes.
func TestReplaced(t *testing.T) {
	m := newMesh(t)
	r, _, hup := replaceable(t, m, 2*time.Second)
	stop := load(t, func(client *http.Client) bool { return get(client, m, "/") == answer })
	const times = 3
	for n := range times {
		streamed := make(chan string, 1)
		go func() {
			// Of its own connection: one that is kept may be of the Envoy before, and be cut with it.
			streamed <- get(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, m, "/stream")
		}()
		hup()
		until(t, "a new Envoy has taken over", func() bool { return r.logged("has taken over") == n+1 })
		if got := <-streamed; got != strings.Repeat("x", streamParts) {
			t.Errorf("the stream ended after %d of %d parts", len(got), streamParts)
		}
	}
	until(t, "the old ones have ended", func() bool { return r.logged("the Envoy before has ended") == times })
	stop()
	if n := r.logged("Envoy started"); n != times+1 {
		t.Errorf("%d Envoys were started, want %d", n, times+1)
	}
	until(t, "the status knows the new one", func() bool {
		s, err := agent.ReadStatus(r.dir)
		return err == nil && s.EnvoyReady && s.Connected
	})
	if err := m.authority.CA.Rotate(time.Hour); err != nil {
		t.Fatal(err)
	}
	until(t, "the new one is given what changes", func() bool {
		return strings.Contains(r.log.String(), "the trusted roots changed") && get(fresh(), m, "/") == answer
	})
	r.stop()
	if left, _ := filepath.Glob(filepath.Join(r.dir, "h_*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What cannot take over leaves the old one serving, and a good one may follow.
func TestReplacementFails(t *testing.T) {
	m := newMesh(t)
	r, binary, hup := replaceable(t, m, time.Second)
	stop := load(t, func(client *http.Client) bool { return get(client, m, "/") == answer })
	good := envoytest.Binary(t)
	for n, script := range []string{
		"exit 1", // it is no Envoy
		`case "$*" in *--mode*) exit 1;; esac; exec ` + good + ` "$@"`,          // it refuses the bootstrap
		`case "$*" in *--restart-epoch*) exit 1;; esac; exec ` + good + ` "$@"`, // it crashes
	} {
		replace(t, binary, fmt.Sprintf("#!/bin/sh\n%s\n", script))
		hup()
		until(t, "it is not replaced", func() bool { return r.logged("Envoy is not replaced") == n+1 })
	}
	replace(t, binary, fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", good))
	hup()
	until(t, "a good one takes over", func() bool { return r.logged("has taken over") == 1 })
	stop()
	if err := r.log.envoy(t).Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "one that crashes later is started again", func() bool {
		return r.logged("is started again") == 1 && get(fresh(), m, "/") == answer
	})
}

// A new one that crashes when it has taken over leaves the one before to end what it
// has begun, while another is started.
func TestNewOneCrashes(t *testing.T) {
	m := newMesh(t)
	r, _, hup := replaceable(t, m, patience)
	before := r.log.envoy(t)
	begun, held := filepath.Join(t.TempDir(), "begun"), make(chan string, 1)
	go func() {
		held <- get(&http.Client{Timeout: 2 * patience, Transport: &http.Transport{DisableKeepAlives: true}}, m, "/held?begun="+begun)
	}()
	until(t, "a call has begun", func() bool { return exists(begun) })
	hup()
	until(t, "a new Envoy has taken over", func() bool { return r.logged("has taken over") == 1 })
	if err := r.log.envoy(t).Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "another is started", func() bool { return r.logged("is started again") == 1 && get(fresh(), m, "/") == answer })
	if err := os.Remove(begun); err != nil {
		t.Fatal(err)
	}
	if got := <-held; got != "held" {
		t.Errorf("what was begun before was answered with %q", got)
	}
	r.stop()
	until(t, "the one before ends with the agent", func() bool { return before.Signal(syscall.Signal(0)) != nil })
}

// replace puts another file in place, as an upgrade does.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
