// Package scenario runs the scripts in testdata: a real weft, real Envoys, and
// applications that call each other. A script says what traffic must do; there
// is no other oracle.
//
// Commands beside testscript's own (a command that asks for a state tries again
// until it holds, for at most 30 s):
//
//	run NAME [version=V] [port=9080] [protocol=http] [label...]   a workload: app NAME beside its Envoy
//	gateway NAME port=LISTENER [label=value...]                    a gateway's Envoy; `call gateway:NAME` enters there
//	apply FILE|FOLDER...        weft apply, in the script's namespace; must be accepted
//	settle                      every proxy holds the newest configuration
//	call FROM METHOD URL [header:value...] [expectation...]
//	     status=200  from=app/version  body=REGEXP  header=name:REGEXP  atleast=1s  under=1s
//	share FROM URL n=400 [header:value...] app/version=90±5...
//	problem OBJECT CODE [REGEXP]  a problem of "Kind/name" or "Kind/namespace/name"
//	noproblem [OBJECT]
//	received NAME/VERSION METHOD PATH COUNT
//	sent NAME/VERSION RouteConfiguration=1 ...  resources pushed since the last `mark`
//	stop NAME/VERSION           SIGTERM, and wait for the end
//	kill NAME/VERSION           the workload's agent, Envoy and application are gone at once
//	gone NAME/VERSION           the mesh no longer knows the workload
//	mark                        remembers what was pushed until now
package scenario

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a state may take to come about.
const patience = 30 * time.Second

// mesh is one weft for all scripts, each of which has a namespace of its own.
type mesh struct {
	dir, weft, echo string
	server          *exec.Cmd
	log             string
}

var shared mesh

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scenario:", err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "weft-scenario-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	shared = mesh{dir: dir, weft: filepath.Join(dir, "weft"), echo: filepath.Join(dir, "echo"), log: filepath.Join(dir, "server.log")}
	for binary, source := range map[string]string{
		shared.weft: "../../cmd/weft", filepath.Join(dir, "weft-agent"): "../../cmd/weft-agent", shared.echo: "./echo",
	} {
		if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
			return 1, fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
	}
	if err := shared.start(); err != nil {
		return 1, err
	}
	defer shared.stop()
	return m.Run(), nil
}

func (m *mesh) environ() []string {
	return append(os.Environ(), "WEFT_DATA="+m.data())
}

func (m *mesh) data() string { return filepath.Join(m.dir, "data") }

func (m *mesh) command(args ...string) *exec.Cmd {
	cmd := exec.Command(m.weft, args...)
	cmd.Env = m.environ()
	return cmd
}

// start starts weft serve, and joins this machine for every namespace.
func (m *mesh) start() error {
	api, err := freePort()
	if err != nil {
		return err
	}
	mesh, err := freePort()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	m.server = m.command("serve", "--listen", addressOf(api), "--mesh", addressOf(mesh))
	m.server.Stdout, m.server.Stderr = log, log
	m.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.server.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := m.command("status").CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("weft serve is not ready: %s", out)
		}
		time.Sleep(100 * time.Millisecond) // a poll, bounded by the deadline
	}
}

func (m *mesh) stop() {
	_ = m.server.Process.Signal(syscall.SIGTERM)
	_ = m.server.Wait()
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func addressOf(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// TestScenarios runs the scripts side by side: they are also each other's noise.
func TestScenarios(t *testing.T) { runScripts(t, "testdata") }

// TestAlone runs those that count what is pushed.
func TestAlone(t *testing.T) { runScripts(t, "testdata/alone") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir:   dir,
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run":       with((*script).run),
			"gateway":   with((*script).gateway),
			"apply":     with((*script).apply),
			"settle":    with((*script).settle),
			"call":      with((*script).call),
			"share":     with((*script).share),
			"problem":   with((*script).problem),
			"noproblem": with((*script).noProblem),
			"received":  with((*script).received),
			"mark":      with((*script).mark),
			"sent":      with((*script).sent),
			"stop":      with((*script).stop),
			"kill":      with((*script).kill),
			"gone":      with((*script).gone),
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}
