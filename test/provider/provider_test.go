// Package provider tests that a program that shares no code with weft runs versions for
// it, by the protocol alone: examples/provider, as people would start it.
package provider

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
	"weft.dev/release/provider/remote"
	"weft.dev/test/process"
)

const patience = 20 * time.Second

// start runs the program at a socket, and ends it with the test.
func start(t *testing.T) *remote.Provider {
	t.Helper()
	dir := t.TempDir()
	program, address := filepath.Join(dir, "provider"), "unix:"+filepath.Join(dir, "socket")
	if err := process.Build(map[string]string{program: "../../examples/provider"}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, address)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
		if err != nil {
			t.Errorf("the program ends with %v", err)
		}
	})
	p, err := remote.Dial("ours", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	err = process.Until(patience, func() error {
		_, err := p.Describe(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSample: what holds for every provider holds for it.
func TestSample(t *testing.T) {
	p := start(t)
	conform.Run(t, func(t *testing.T) conform.Subject {
		t.Parallel()
		_, name, _ := strings.Cut(t.Name(), "/")
		return conform.Subject{
			Provider: p, Good: "good", Bad: "bad", Pass: func() { time.Sleep(look) }, Looks: int(patience / look),
			Target: instances.Target{Namespace: "shop", Application: name, Runs: &v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{
				Name: "ours", Config: map[string]v1alpha1.Value{"command": `test "$IMAGE" = good && exec sleep 1000`},
			}}},
		}
	})
}

// look is how long nothing is asked between two looks.
const look = 50 * time.Millisecond

// TestSampleRefuses: it says in words what would help.
func TestSampleRefuses(t *testing.T) {
	p := start(t)
	err := p.Do(t.Context(), instances.Action{ID: "a/1", Verb: instances.Deploy, Version: "v1", Target: instances.Target{Namespace: "shop", Application: "reviews"}})
	if !errors.Is(err, instances.ErrRefused) || !strings.Contains(err.Error(), "spec.runs.provider.config.command") {
		t.Errorf("%v", err)
	}
}
