package host

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestUnits verifies what weft systemd writes, and the drop-in of the guide, by
// systemd itself.
func TestUnits(t *testing.T) {
	dir := writeUnits(t)
	guide, err := os.ReadFile("../../docs/guides/hosts.md")
	check(t, err)
	dropIn := dropInForm.FindSubmatch(guide)
	if dropIn == nil {
		t.Fatal("the guide has no drop-in")
	}
	check(t, os.Mkdir(filepath.Join(dir, "weft-agent@reviews.service.d"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "weft-agent@reviews.service.d", "redirect.conf"), dropIn[1], 0o600))
	out, err := exec.Command("systemd-analyze", "verify", filepath.Join(dir, "weft.service"), filepath.Join(dir, "weft-host.service"), filepath.Join(dir, "weft-agent@reviews.service")).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v: %s\n(it is in the package systemd)", err, out)
	}
}

var dropInForm = regexp.MustCompile("(?ms)^```ini\n(.*?)^```$")

func writeUnits(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command(filepath.Join(bin, "weft"), "systemd", "--dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("weft systemd: %v: %s", err, out)
	}
	return dir
}

// unit is a unit file as far as a test acts for systemd.
type unit map[string]string

// readUnit resolves specifiers: the instance, and the folders of this machine.
func (m *machine) readUnit(path, instance string) unit {
	m.t.Helper()
	text, err := os.ReadFile(path)
	check(m.t, err)
	resolve := strings.NewReplacer("%i", instance, "%E/weft", m.config, "%S/weft", m.dir)
	u := unit{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			u[key] = resolve.Replace(value)
		}
	}
	return u
}

// manager hears what services tell it.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return &manager{t, path, conn}
}

// start runs a unit's ExecStart with its environment.
func (n *manager) start(name string, u unit) *service {
	n.t.Helper()
	words := strings.Fields(u["ExecStart"])
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), u["Environment"], "NOTIFY_SOCKET="+n.path)
	return start(n.t, name, cmd)
}

func (n *manager) want(state string) {
	n.t.Helper()
	check(n.t, n.conn.SetReadDeadline(time.Now().Add(patience)))
	buffer := make([]byte, 1024)
	count, err := n.conn.Read(buffer)
	if err != nil || string(buffer[:count]) != state {
		n.t.Fatalf("told %q, %v; want %q", buffer[:count], err, state)
	}
}

// The unit of a workload starts an application, and another one stands beside a
// service that runs already; each is ready when it says so.
func TestAgentUnit(t *testing.T) {
	m := newMachine(t, "units")
	template := filepath.Join(writeUnits(t), "weft-agent@.service")
	out := freePort(t)
	m.file("api", "app: api\nversion: v1\nport: 8080\nhealth: /\ncommand: [%s/echo]\n", bin)
	running := freePort(t)
	m.file("web", "app: web\nversion: v1\nport: \"80:%d\"\noutbound: %d\n", running, out)

	api := newManager(t)
	started := api.start("api", m.readUnit(template, "api"))
	api.want("READY=1")
	m.await("api", "Healthy")

	beside := newManager(t)
	beside.start("web", m.readUnit(template, "web"))
	beside.want("READY=1")
	m.await("web", "Unhealthy") // its service does not run yet
	service := exec.Command(filepath.Join(bin, "echo"))
	service.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", running))
	running2 := start(t, "service", service)
	m.await("web", "Healthy")
	until(t, func() error { return proxied(out, "http://api:8080/") })
	until(t, func() error { return proxied(out, "http://web/") })

	_ = running2.cmd.Process.Kill()
	m.await("web", "Unhealthy")
	started.signal(syscall.SIGTERM)
	api.want("STOPPING=1")
	m.await("api", "")
}

// The unit of the control plane says that it is ready when agents can come.
func TestServerUnit(t *testing.T) {
	m := newMachine(t, "server-unit")
	u := m.readUnit(filepath.Join(writeUnits(t), "weft.service"), "")
	api, mesh := freePort(t), freePort(t)
	u["Environment"] = "WEFT_DATA=" + t.TempDir()
	u["ExecStart"] += fmt.Sprintf(" --listen 127.0.0.1:%d --mesh 127.0.0.1:%d", api, mesh)
	n := newManager(t)
	n.start("weft", u)
	n.want("READY=1")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", mesh))
	check(t, err)
	conn.Close()
}
