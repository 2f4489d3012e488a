// Package host proves weft on plain hosts: the real binaries, started as systemd
// starts them, under load while things change.
package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/envoytest"
	"weft.dev/test/process"
)

const patience = time.Minute

// bin has the binaries, and shared is the server of all tests.
var (
	bin    string
	shared *process.Server
)

func TestMain(m *testing.M) {
	process.Main("host", func(dir string) (int, error) {
		bin = filepath.Join(dir, "bin")
		if err := process.Build(map[string]string{
			filepath.Join(bin, "weft"): "../../cmd/weft", filepath.Join(bin, "weft-agent"): "../../cmd/weft-agent",
			filepath.Join(bin, "echo"): "../scenario/echo",
		}); err != nil {
			return 1, err
		}
		var err error
		if shared, err = process.Serve(filepath.Join(bin, "weft"), dir); err != nil {
			return 1, err
		}
		defer shared.Stop()
		return m.Run(), nil
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what is to come true.
func until(t *testing.T, holds func() error) {
	t.Helper()
	check(t, process.Until(patience, holds))
}

// machine is a host that has joined, for one namespace.
type machine struct {
	t         *testing.T
	namespace string
	dir       string // of its credentials and workloads: $WEFT_DATA
	config    string // of its workload files
	server    *process.Server
}

func newMachine(t *testing.T, namespace string) *machine {
	t.Helper()
	return newMachineOf(t, shared, namespace)
}

// newMachineOf is a machine of another server, whose weft it runs.
func newMachineOf(t *testing.T, server *process.Server, namespace string) *machine {
	t.Helper()
	envoytest.Binary(t)
	m := &machine{t: t, namespace: namespace, dir: t.TempDir(), config: t.TempDir(), server: server}
	token, err := server.Token("", namespace)
	check(t, err)
	out, err := m.weft("join", "--server", server.Mesh, "--token", token).CombinedOutput()
	if err != nil {
		t.Fatalf("join: %v: %s", err, out)
	}
	return m
}

// weft is a command of this machine.
func (m *machine) weft(args ...string) *exec.Cmd {
	cmd := exec.Command(m.server.Weft, args...)
	cmd.Env = append(os.Environ(), "WEFT_DATA="+m.dir)
	return cmd
}

// service is a process that a service manager would have started.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

// start runs a command in a process group of its own.
func start(t *testing.T, name string, cmd *exec.Cmd) *service {
	t.Helper()
	s := &service{t: t, cmd: cmd, log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	log, err := os.Create(s.log)
	check(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, cmd.Start())
	go func() { s.err = cmd.Wait(); close(s.done) }()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, s.said())
		}
	})
	return s
}

func (s *service) said() string {
	text, _ := os.ReadFile(s.log)
	return string(text)
}

func (s *service) signal(signal os.Signal) { check(s.t, s.cmd.Process.Signal(signal)) }

// stop asks for the end, and waits for it.
func (s *service) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		s.t.Errorf("it did not end within %v of SIGTERM", patience)
	}
}

// file writes a workload file of this machine.
func (m *machine) file(name, format string, args ...any) string {
	m.t.Helper()
	path := filepath.Join(m.config, name+".yaml")
	text := fmt.Sprintf("namespace: %s\nname: %s\n", m.namespace, name) + fmt.Sprintf(format, args...)
	check(m.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// run starts the workload that a file describes.
func (m *machine) run(name, format string, args ...any) *service {
	m.t.Helper()
	return start(m.t, name, m.weft("run", "-v", "--file", m.file(name, format, args...)))
}

// health is what the mesh knows of a workload; "" if nothing.
func (m *machine) health(name string) (string, error) {
	var all []struct{ ID, Health string }
	if err := m.server.Ask(&all, "get", "workloads", "-o", "json"); err != nil {
		return "", err
	}
	for _, w := range all {
		if w.ID == m.namespace+"/"+name {
			return w.Health, nil
		}
	}
	return "", nil
}

func (m *machine) await(name, health string) {
	m.t.Helper()
	until(m.t, func() error {
		got, err := m.health(name)
		if err == nil && got != health {
			err = fmt.Errorf("workload %s is %q, want %q", name, got, health)
		}
		return err
	})
}

// proxied calls a URL through a proxy of loopback.
func proxied(port int, url string) error {
	out, err := exec.Command("curl", "-fsS", "--max-time", "5", "--proxy", fmt.Sprintf("http://127.0.0.1:%d", port), url).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", url, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := process.FreePort()
	check(t, err)
	return port
}
