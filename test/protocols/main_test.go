// Package protocols has real servers speak through the mesh: their clients' bytes
// enter one Envoy, go to another by mTLS, and there to the server.
package protocols

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/test/process"
	"weft.dev/web"
)

// patience is how long a state may take to come about on a busy machine.
const patience = 90 * time.Second

// Namespaces of the mesh: servers, their callers, and callers who are shut out.
const (
	servers  = "data"
	callers  = "shop"
	outcasts = "other"
)

// mesh is one weft, and one machine in it, for all tests.
type mesh struct {
	*process.Server
	client  *http.Client // of the administrator
	api     string
	dir     string
	clients map[string]string // where a proxy of that namespace takes calls
}

var shared mesh

func TestMain(m *testing.M) {
	process.Main("protocols", func(dir string) (int, error) {
		weft := filepath.Join(dir, "weft")
		if err := process.Build(map[string]string{weft: "../../cmd/weft", filepath.Join(dir, "weft-agent"): "../../cmd/weft-agent"}); err != nil {
			return 1, err
		}
		server, err := process.Serve(weft, dir)
		if err != nil {
			return 1, err
		}
		defer server.Stop()
		config, err := server.Config()
		if err != nil {
			return 1, err
		}
		shared = mesh{Server: server, api: config.Host, dir: dir, clients: map[string]string{}}
		if shared.client, err = rest.HTTPClientFor(config); err != nil {
			return 1, err
		}
		if err := flag.Set("test.parallel", "12"); err != nil { // they wait for processes, and not for the processor
			return 1, err
		}
		stop, err := shared.begin()
		defer stop()
		if err != nil {
			return 1, err
		}
		return m.Run(), nil
	})
}

// begin has the machine join, two callers run on it, and mTLS be asked of everybody.
func (m *mesh) begin() (stop func(), err error) {
	var started []*workload
	stop = func() { end(started) }
	token, err := m.Token("", servers, callers, outcasts)
	if err != nil {
		return stop, err
	}
	if out, err := m.Command("join", "--host-dir", m.host(), "--server", m.Mesh, "--token", token).CombinedOutput(); err != nil {
		return stop, fmt.Errorf("join: %w: %s", err, out)
	}
	for _, namespace := range []string{callers, outcasts} {
		port, err := process.FreePort()
		if err != nil {
			return stop, err
		}
		m.clients[namespace] = process.Loopback(port)
		w, err := m.start(namespace, "client", "--app", "client", "--outbound", strconv.Itoa(port))
		if err != nil {
			return stop, err
		}
		started = append(started, w)
	}
	return stop, m.write(object("security.istio.io/v1", "PeerAuthentication", servers, "default", `{mtls: {mode: STRICT}}`))
}

func (m *mesh) host() string { return filepath.Join(m.dir, "machine") }

// workload is a proxy beside a server that runs already.
type workload struct {
	id, dir, log string
	cmd          *exec.Cmd
	done         chan struct{}
}

// start starts one. Connections of a chain that changes are cut after a second, not after ten minutes.
func (m *mesh) start(namespace, name string, more ...string) (*workload, error) {
	w := &workload{
		id: namespace + "/" + name, dir: filepath.Join(m.dir, "workloads", namespace, name),
		log: filepath.Join(m.dir, namespace+"-"+name+".log"), done: make(chan struct{}),
	}
	log, err := os.Create(w.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	w.cmd = m.Command(append([]string{"run", "--dir", w.dir, "--host-dir", m.host(),
		"--namespace", namespace, "--name", name, "--handover", "1s", "--drain", "100ms"}, more...)...)
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { defer close(w.done); _ = w.cmd.Wait() }()
	return w, nil
}

// end stops workloads, all at once.
func end(all []*workload) {
	for _, w := range all {
		_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	}
	for _, w := range all {
		select {
		case <-w.done:
		case <-time.After(patience):
			_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
			<-w.done
		}
	}
}

// serve puts a server into the mesh: each of the ports leads to it at port app of loopback.
func serve(t *testing.T, name, protocol string, app int, ports ...int) {
	t.Helper()
	args := []string{"--app", name, "--protocol", protocol, "--health", "tcp"}
	for _, port := range ports {
		args = append(args, "--port", fmt.Sprintf("%d:%d", port, app))
	}
	begin(t, servers, name, args...)
}

// begin runs a workload until the test ends, and waits until the mesh knows it.
func begin(t *testing.T, namespace, name string, args ...string) *workload {
	t.Helper()
	w, err := shared.start(namespace, name, args...)
	check(t, err)
	t.Cleanup(func() {
		end([]*workload{w})
		if t.Failed() {
			said, _ := os.ReadFile(w.log)
			t.Logf("%s said:\n%s", w.id, said)
		}
	})
	until(t, func() error { return shared.settled(w.id) })
	return w
}

// get asks the server for JSON.
func (m *mesh) get(path string, into any) error {
	response, err := m.client.Get(m.api + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}

// settled says whether a workload can be called, and all proxies hold the newest configuration.
func (m *mesh) settled(ids ...string) error {
	var workloads []struct{ ID, Health string }
	if err := m.get(web.Prefix+"workloads", &workloads); err != nil {
		return err
	}
	healthy := map[string]bool{}
	for _, w := range workloads {
		healthy[w.ID] = w.Health == "Healthy"
	}
	var proxies []struct {
		ID      string
		Current bool
		Refused []string
	}
	if err := m.get(web.Prefix+"proxies", &proxies); err != nil {
		return err
	}
	for _, p := range proxies {
		if !p.Current || len(p.Refused) > 0 {
			return fmt.Errorf("proxy %+v does not hold the newest configuration", p)
		}
	}
	for _, id := range ids {
		if !healthy[id] {
			return fmt.Errorf("%s is not healthy: %v", id, workloads)
		}
	}
	return nil
}

// object is one in YAML, its spec on one line.
func object(version, kind, namespace, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {namespace: %s, name: %s}\nspec: %s\n", version, kind, namespace, name, spec)
}

func (m *mesh) write(objects ...string) error {
	cmd := m.Command("apply", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.Join(objects, ""))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("weft apply: %w: %s", err, out)
	}
	return nil
}

// apply writes objects, and waits until all proxies have what follows from them.
func apply(t *testing.T, objects ...string) {
	t.Helper()
	check(t, shared.write(objects...))
	until(t, func() error { return shared.settled() })
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, holds func() error) {
	t.Helper()
	check(t, process.Until(patience, holds))
}
