// Package hosted tests provider host with real machines' agents: each a process of weft
// host, which starts, finds again and ends other processes. What runs an instance is a
// stand-in for weft run that needs no Envoy; release/provider/host decides over a store in
// memory, and source/host carries the words over TLS.
package hosted

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"weft.dev/agent"
	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/release/instances"
	hosted "weft.dev/release/provider/host"
	"weft.dev/source/host"
	"weft.dev/test/process"
	"weft.dev/test/shelf"
	"weft.dev/xds"
)

const (
	patience = 15 * time.Second // on a busy machine
	look     = 50 * time.Millisecond
)

var agentBinary string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		os.Exit(standIn(os.Args[2:]))
	}
	process.Main("hosted", func(dir string) (int, error) {
		agentBinary = filepath.Join(dir, "weft-agent")
		if err := process.Build(map[string]string{agentBinary: "../../cmd/weft-agent"}); err != nil {
			return 1, err
		}
		if err := flag.Set("test.parallel", "12"); err != nil { // they wait for processes, and not for the processor
			return 1, err
		}
		return m.Run(), nil
	})
}

// world is a server, and the machines that joined it.
type world struct {
	*testing.T
	dir       string
	authority identity.Authority
	versions  versions
	address   string
	*hosted.Provider
	stop func() // the server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	ca, err := identity.OpenCA(identity.Dir(w.dir), "shop.test", time.Now)
	check(t, err)
	tokens, err := identity.OpenTokens(identity.Dir(w.dir), time.Now)
	check(t, err)
	w.authority = identity.Authority{CA: ca, Tokens: tokens}
	live, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w.versions.Objects = shelf.Objects[v1alpha1.HostVersion]{
		Shelf: shelf.New[v1alpha1.HostVersion](&sync.Mutex{}), Process: shelf.NewProcess(cancel, func() bool { return live.Err() != nil }),
	}
	port, err := process.FreePort()
	check(t, err)
	w.address = process.Loopback(port)
	w.serve()
	t.Cleanup(func() { w.stop() })
	return w
}

// serve starts a server that remembers nothing but what is stored.
func (w *world) serve() {
	w.Helper()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	w.Provider = hosted.New(hosted.Options{Versions: w.versions, Now: time.Now, Log: log})
	server := grpc.NewServer(append(xds.ServerOptions(), grpc.Creds(credentials.NewTLS(w.authority.CA.ServerTLS())))...)
	host.New(host.Options{Authority: w.authority, Machines: w.Provider, Now: time.Now, Log: log}).Register(server)
	listener, err := net.Listen("tcp", w.address)
	check(w.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Provider.Run(ctx) })
	running.Go(func() { server.Serve(listener) })
	w.stop = func() { cancel(); server.Stop(); running.Wait() }
}

// machine is a host: what it keeps, and the process that is told what to run there.
type machine struct {
	w   *world
	dir string
	cmd *exec.Cmd
}

// join makes a machine whose operator allows what a file says.
func (w *world) join(name, allow string) *machine {
	w.Helper()
	m := &machine{w: w, dir: filepath.Join(w.dir, name)}
	token, err := w.authority.NewToken(identity.Grant{Namespaces: []string{"*"}})
	check(w.T, err)
	check(w.T, agent.Join(w.Context(), agent.JoinOptions{Server: w.address, Token: token, Dir: m.dir, Host: name}))
	check(w.T, os.WriteFile(filepath.Join(m.dir, "allow.yaml"), []byte(allow), 0o600))
	w.Cleanup(m.clear)
	m.start()
	return m
}

func (m *machine) start() {
	m.w.Helper()
	self, err := os.Executable()
	check(m.w.T, err)
	m.cmd = exec.Command(agentBinary, "host", "--allow", filepath.Join(m.dir, "allow.yaml"), "--host-dir", m.dir, "--dir", filepath.Join(m.dir, "deployed"), "--agent", self)
	log, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	check(m.w.T, err)
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log
	check(m.w.T, m.cmd.Start())
}

func (m *machine) kill() {
	m.cmd.Process.Kill()
	m.cmd.Wait()
}

// processes are those that run instances, by name of the instance.
func (m *machine) processes() map[string]int {
	all := map[string]int{}
	dirs, _ := filepath.Glob(filepath.Join(m.dir, "deployed", "instances", "*"))
	for _, dir := range dirs {
		if s, err := agent.ReadStatus(filepath.Join(dir, "agent")); err == nil && syscall.Kill(s.AgentProcess, 0) == nil {
			all[strings.TrimPrefix(filepath.Base(dir), "shop_")] = s.AgentProcess
		}
	}
	return all
}

// clear ends all that a test has left.
func (m *machine) clear() {
	m.kill()
	for _, pid := range m.processes() {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	check(m.w.T, process.Until(patience, func() error {
		if left := m.processes(); len(left) > 0 {
			return fmt.Errorf("there are still %v", left)
		}
		return nil
	}))
	if m.w.Failed() {
		text, _ := os.ReadFile(filepath.Join(m.dir, "log"))
		m.w.Logf("%s says:\n%s", filepath.Base(m.dir), text)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// versions are the stored ones.
type versions struct {
	shelf.Objects[v1alpha1.HostVersion]
}

func (v versions) Remove(ctx context.Context, o *v1alpha1.HostVersion) error {
	now, err := v.Get(ctx, o.Namespace, o.Name)
	if err != nil || now.ResourceVersion != o.ResourceVersion {
		return apierrors.NewConflict(schema.GroupResource{}, o.Name, err)
	}
	return v.Delete(ctx, o.Namespace, o.Name)
}

// target is an application whose instances are a command.
func target(name string, command ...string) instances.Target {
	return instances.Target{Namespace: "shop", Application: name, Runs: &v1alpha1.Runs{Host: &v1alpha1.HostRuns{Command: command}}}
}

// until waits until a version is as wanted.
func (w *world) until(t instances.Target, version, what string, is func(instances.Seen) bool) instances.Seen {
	w.Helper()
	var seen map[string]instances.Seen
	err := process.Until(patience, func() (err error) {
		if seen, err = w.Observe(w.Context(), t); err == nil && !is(seen[version]) {
			err = fmt.Errorf("%s %s: never; there is %+v", version, what, seen)
		}
		return err
	})
	check(w.T, err)
	return seen[version]
}

// heard waits until the server knows of machines.
func (w *world) heard(machines ...*machine) {
	w.Helper()
	for _, m := range machines {
		check(w.T, process.Until(patience, func() error {
			if _, _, known := w.Order(filepath.Base(m.dir)); !known {
				return fmt.Errorf("nothing was heard of %s", m.dir)
			}
			return nil
		}))
	}
}

// killOne kills a process of the machine, and waits until there is another.
func (m *machine) killOne() {
	m.w.Helper()
	before := m.processes()
	for name, pid := range before {
		check(m.w.T, syscall.Kill(pid, syscall.SIGKILL))
		check(m.w.T, process.Until(patience, func() error {
			if now := m.processes()[name]; now == 0 || now == pid {
				return fmt.Errorf("%s was process %d, and is %d", name, pid, now)
			}
			return nil
		}))
		return
	}
}

// pack makes an artifact of one program; it is at an address, and has a digest.
func (w *world) pack(name, text string) (address, digest string) {
	w.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	check(w.T, out.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}))
	_, err := out.Write([]byte(text))
	check(w.T, errors.Join(err, out.Close(), zip.Close()))
	path := filepath.Join(w.dir, "artifacts", name+".tar.gz")
	check(w.T, os.MkdirAll(filepath.Dir(path), 0o755))
	check(w.T, os.WriteFile(path, packed.Bytes(), 0o644))
	return "file://" + path, fmt.Sprintf("%x", sha256.Sum256(packed.Bytes()))
}
