package folder

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weft.dev/test/envoytest"
	"weft.dev/test/process"
)

const (
	patience = 30 * time.Second
	// prompt is how soon a changed file is traffic, on a busy machine.
	prompt = 5 * time.Second
)

// weft is the binary; weft-agent is beside it.
var weft string

func TestMain(m *testing.M) {
	process.Main("folder", func(dir string) (int, error) {
		weft = filepath.Join(dir, "weft")
		if err := process.Build(map[string]string{weft: "../../cmd/weft", weft + "-agent": "../../cmd/weft-agent"}); err != nil {
			return 1, err
		}
		return m.Run(), nil
	})
}

// site is a weft that serves a folder.
type site struct {
	t              *testing.T
	dir            string
	from           []string // flags of serve; nil: the folder config
	config, data   string   // folders
	api, mesh, xds string
	server         *child
}

// newSite starts weft with two services, each one process, in its folder.
func newSite(t *testing.T) *site {
	t.Helper()
	s := emptySite(t)
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		s.write(name+".yaml", service(name, s.backend(name)))
	}
	s.serve()
	return s
}

// emptySite has places and ports, and no folder yet.
func emptySite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	return &site{t: t, dir: dir, data: filepath.Join(dir, "data"), api: free(t), mesh: free(t), xds: free(t), config: filepath.Join(dir, "config")}
}

func (s *site) serve() {
	s.t.Helper()
	s.begin()
	s.says("status --wait 30s", "0 problems")
}

// begin starts the server and does not wait for it.
func (s *site) begin() {
	s.t.Helper()
	from := s.from
	if from == nil {
		from = []string{"--config", s.config}
	}
	s.server = s.start(weft, append([]string{"serve", "--data", s.data, "--listen", s.api, "--mesh", s.mesh, "--xds-plaintext", s.xds}, from...)...)
}

// replica is another server of the same folder.
func (s *site) replica() *site {
	s.t.Helper()
	other := &site{t: s.t, dir: s.dir, config: s.config, data: filepath.Join(s.dir, "replica"), api: free(s.t), mesh: free(s.t), xds: free(s.t)}
	other.serve()
	return other
}

// backend is a process that answers with its name.
func (s *site) backend(name string) (address string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	s.t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// join makes this machine a host of the mesh.
func (s *site) join() {
	s.t.Helper()
	token, err := s.command("token", "create").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	if out, err := s.command(strings.Fields(string(token))[1:]...).CombinedOutput(); err != nil {
		s.t.Fatalf("join: %v: %s", err, out)
	}
}

func service(name, address string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: shop}
spec:
  hosts: [%s.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: %s}}]
`, name, name, port(address))
}

// route sends what is for a to another service.
func route(to string) string { return routeTo(fmt.Sprintf("{host: %s.example.com}", to)) }

func routeTo(destination string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.example.com]
  http:
  - route:
    - destination: %s
`, destination)
}

// write puts a file into the folder in one step.
func (s *site) write(name, text string) {
	s.t.Helper()
	temp := filepath.Join(s.dir, name)
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(s.config, name)); err != nil {
		s.t.Fatal(err)
	}
}

// envoy is one without an agent.
type envoy struct {
	*child
	s      *site
	client *http.Client // of its proxy
	admin  string
}

func (s *site) envoy(node, protocol, xds string) *envoy {
	s.t.Helper()
	outbound, admin := free(s.t), free(s.t)
	path := filepath.Join(s.t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(bootstrap(s.t, xds, admin, outbound, protocol)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	process := s.start(envoytest.Binary(s.t), "-c", path, "--service-node", node, "--service-cluster", "web", "--use-dynamic-base-id", "-l", "warn")
	return &envoy{process, s, through(outbound), admin}
}

// call asks until the answer is right.
func (e *envoy) call(url, want string) {
	e.s.t.Helper()
	e.s.until(url+" answers "+want, func() error { return answers(e.client, url, want) })
}

// through is a client of a proxy.
func through(proxy string) *http.Client {
	by := http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	return &http.Client{Timeout: patience, Transport: &http.Transport{Proxy: by, MaxIdleConnsPerHost: callers}}
}

// answers calls once, and wants a whole body and 200.
func answers(client *http.Client, url, want string) error {
	status, body, err := get(client, url)
	if err == nil && (status != http.StatusOK || body != want) {
		err = fmt.Errorf("%s answers %d %q, want %q", url, status, body, want)
	}
	return err
}

func get(client *http.Client, url string) (status int, body string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// bootstrap is that of the example, at other ports.
func bootstrap(t *testing.T, xds, admin, outbound, protocol string) string {
	t.Helper()
	text, err := os.ReadFile("../../examples/envoy/bootstrap.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for was, is := range map[string]string{"port_value: 15010": "port_value: " + port(xds), "port_value: 15000": "port_value: " + port(admin), `"15001"`: `"` + port(outbound) + `"`, "DELTA_GRPC": protocol} {
		if !strings.Contains(changed, was) {
			t.Fatalf("the example has no %s", was)
		}
		changed = strings.Replace(changed, was, is, 1)
	}
	return changed
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// child is a process that a test started.
type child struct {
	cmd  *exec.Cmd
	log  string // file with everything that it said
	once sync.Once
}

// stop asks it to end, and waits.
func (c *child) stop() { c.end(syscall.SIGTERM) }

// kill ends it as a crash does.
func (c *child) kill() { c.end(syscall.SIGKILL) }

func (c *child) end(by os.Signal) {
	c.once.Do(func() {
		_ = c.cmd.Process.Signal(by) // it may have ended
		_ = c.cmd.Wait()
	})
}

// said wants a text in what it said.
func (c *child) said(want string) error {
	text, err := os.ReadFile(c.log)
	if err == nil && !strings.Contains(string(text), want) {
		err = fmt.Errorf("it said: %s", text)
	}
	return err
}

// start starts a process that ends with the test; what it said is shown if that fails.
func (s *site) start(name string, args ...string) *child {
	s.t.Helper()
	t := s.t
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = file, file, s.environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, log: log}
	t.Cleanup(func() {
		c.stop()
		if said, _ := os.ReadFile(log); t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), said)
		}
	})
	return c
}

func (s *site) environment() []string {
	return append(os.Environ(), "WEFT_DATA="+s.data, "WEFT_SERVER=http://"+s.api)
}

func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(weft, args...)
	cmd.Env = s.environment()
	return cmd
}

// says asks until a command prints a text.
func (s *site) says(command, want string) {
	s.t.Helper()
	s.until("weft "+command+" says "+want, func() error {
		out, err := s.command(strings.Fields(command)...).CombinedOutput()
		if err == nil && !strings.Contains(string(out), want) {
			err = fmt.Errorf("it says: %s", out)
		}
		return err
	})
}

func (s *site) until(what string, check func() error) {
	s.t.Helper()
	if err := process.Until(patience, check); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func free(t *testing.T) string {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return process.Loopback(port)
}
