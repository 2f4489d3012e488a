package serve_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/store/serve"
)

// childDir tells this test binary that it is a server to be killed.
const childDir = "WEFT_TEST_SERVE_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	s, err := serve.New(ctx, serve.Options{Dir: dir, Listen: "127.0.0.1:0", Log: slog.Default()})
	if err == nil {
		err = s.Run(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// child is a server in a process of its own.
type child struct {
	cmd        *exec.Cmd
	kubeconfig string
	ready      time.Duration
}

func launch(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), kubeconfig: filepath.Join(dir, "admin.kubeconfig")}
	c.cmd.Env = append(os.Environ(), childDir+"="+dir)
	c.cmd.Stderr = t.Output()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	return c
}

// startChild launches a server and waits until it is ready.
func startChild(t *testing.T, dir string) *child {
	t.Helper()
	os.Remove(filepath.Join(dir, "admin.kubeconfig")) // a killed server's
	began := time.Now()
	c := launch(t, dir)
	for {
		if _, err := os.Stat(c.kubeconfig); err == nil {
			c.ready = time.Since(began)
			return c
		}
		if time.Since(began) > deadline {
			t.Fatal("the server wrote no kubeconfig")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait() //nolint:errcheck // killed
}

// memory is the line of the process' status that the name begins.
func (c *child) memory(name string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return "unknown on this system"
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return "unknown"
}

// kill -9 at any time, in the middle of the very first start too, leaves a
// directory that starts again with everything that was acknowledged.
func TestKilledServerComesBack(t *testing.T) {
	dir := t.TempDir()
	for _, after := range []time.Duration{50, 150, 400, 900} {
		c := launch(t, dir)
		time.Sleep(after * time.Millisecond) // the moment is meant to be arbitrary
		c.kill()
	}
	c := startChild(t, dir)
	t.Logf("ready after %v on a directory left half made", c.ready)
	k := newKubectl(t, c.kubeconfig)
	k.ok(t, split, "apply -f -", "created")
	c.kill()

	c = startChild(t, dir)
	t.Logf("ready after %v at a restart; VmRSS %s, RssAnon %s", c.ready, c.memory("VmRSS"), c.memory("RssAnon"))
	k.ok(t, "", "get trafficsplit/reviews", "reviews")
	k.ok(t, service, "apply -f -", "created")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
}

// etcd's log is made before it names the log's only member. A server that is killed between the two could never start again.
func TestKilledAtTheFirstWriteComesBack(t *testing.T) {
	dir := t.TempDir()
	c := launch(t, dir)
	wal := filepath.Join(dir, "etcd", "member", "wal")
	for began := time.Now(); ; time.Sleep(100 * time.Microsecond) {
		if _, err := os.Stat(wal); err == nil {
			break
		}
		if time.Since(began) > deadline {
			t.Fatal("etcd made no log at", wal)
		}
	}
	c.kill()
	c = startChild(t, dir)
	newKubectl(t, c.kubeconfig).ok(t, split, "apply -f -", "created")
}
