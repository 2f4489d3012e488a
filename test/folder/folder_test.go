// Package folder runs `weft serve --config` beside Envoys that know nothing of
// weft: what stands in the files is what their traffic does.
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
	"syscall"
	"testing"
	"time"

	"weft.dev/test/process"
)

const (
	patience = 30 * time.Second
	// prompt is how soon a changed file is traffic, on a busy machine.
	prompt = 5 * time.Second
)

// site is a weft that serves a folder.
type site struct {
	t              *testing.T
	weft, dir      string
	config         string
	api, mesh, xds string
	stop           func()
}

func TestEnvoyWithoutAgent(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ name, protocol string }{{"delta", "DELTA_GRPC"}, {"whole", "GRPC"}} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.write("web.yaml", route("a"))
			node := "shop/" + c.name
			stop, call := s.envoy(node, c.protocol)
			call("http://a.example.com/", "a")
			call("http://b.example.com/", "b")

			s.write("web.yaml", route("b"))
			began := time.Now()
			call("http://a.example.com/", "b")
			if took := time.Since(began); took > prompt {
				t.Errorf("a changed file was traffic after %v", took)
			} else {
				t.Logf("a changed file was traffic after %v", took)
			}

			s.write("web.yaml", route("a")[:120])
			s.until("the file's problem", func() error {
				out, err := s.command("get", "problems").CombinedOutput()
				if err == nil || !strings.Contains(string(out), "web.yaml:") || !strings.Contains(string(out), "stays in effect") {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			})
			call("http://a.example.com/", "b")
			s.write("web.yaml", route("a"))
			call("http://a.example.com/", "a")
			s.says("status", " 1 of 1 proxies current, 0 problems")
			s.says("get proxies", node+"  yes ")
			s.says("explain "+node+" GET http://a.example.com/", filepath.Join(s.config, "web.yaml")+":")

			stop()
			s.says("get proxies", "no proxies")
		})
	}
}

// newSite starts weft with two services, each one process, in its folder.
func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, weft: filepath.Join(dir, "weft"), dir: dir, api: free(t), mesh: free(t), xds: free(t), config: filepath.Join(dir, "config")}
	if err := process.Build(map[string]string{s.weft: "../../cmd/weft", s.weft + "-agent": "../../cmd/weft-agent"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.config, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
		t.Cleanup(server.Close)
		s.write(name+".yaml", service(name, server.Listener.Addr().String()))
	}
	t.Setenv("WEFT_DATA", filepath.Join(dir, "data"))
	t.Setenv("WEFT_SERVER", "http://"+s.api)
	s.serve()
	return s
}

func (s *site) serve() {
	s.t.Helper()
	s.stop = s.start(s.weft, "serve", "--config", s.config, "--listen", s.api, "--mesh", s.mesh, "--xds-plaintext", s.xds)
	s.says("status --wait 30s", "0 problems")
}

// Agents join as they do with an API server, and what they registered outlives the server.
func TestAgents(t *testing.T) {
	s := newSite(t)
	token, err := s.command("token", "create").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(strings.Fields(string(token))[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("join: %v: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "index.html"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(s.weft, "run", "--app", "hello", "--port", "8000", "--", "sh", "-c", `exec python3 -m http.server --bind 127.0.0.1 --directory "$0" "$PORT"`, s.dir)
	visit := func() {
		t.Helper()
		s.says("status --wait 30s --workloads 1", "1 of 1 workloads healthy")
		s.says("run --app visitor -- curl -fsS http://hello:8000/", "hello")
	}
	visit()
	s.stop()
	s.serve()
	visit()
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
func route(to string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.example.com]
  http:
  - route:
    - destination: {host: %s.example.com}
`, to)
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

// envoy starts an Envoy; call asks through it until the answer is right.
func (s *site) envoy(node, protocol string) (stop func(), call func(url, want string)) {
	s.t.Helper()
	outbound, admin := free(s.t), free(s.t)
	path := filepath.Join(s.t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(bootstrap(s.t, s.xds, admin, outbound, protocol)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	stop = s.start(envoyBinary(s.t), "-c", path, "--service-node", node, "--service-cluster", "web", "--use-dynamic-base-id", "-l", "warn")
	proxy := &url.URL{Scheme: "http", Host: outbound}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	return stop, func(url, want string) {
		s.t.Helper()
		s.until(url+" answers "+want, func() error {
			response, err := client.Get(url)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err == nil && string(body) != want {
				err = fmt.Errorf("%s %s", response.Status, body)
			}
			return err
		})
	}
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

// start starts a process that ends with the test; what it said is shown if that fails.
func (s *site) start(name string, args ...string) (stop func()) {
	s.t.Helper()
	t := s.t
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if said, _ := os.ReadFile(log); t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), said)
		}
	})
	return stop
}

func (s *site) command(args ...string) *exec.Cmd {
	return exec.Command(s.weft, args...)
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

// envoyBinary is WEFT_ENVOY, else that of $PATH, else that of weft's cache.
func envoyBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("WEFT_ENVOY"); path != "" {
		return path
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "weft", "envoy", "1.40.0", "envoy")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no Envoy: set WEFT_ENVOY or put 1.40.0 at %s", path)
	}
	return path
}
