// Package folder runs `weft serve --config` beside Envoys that know nothing of
// weft: what stands in the files is what their traffic does.
package folder

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEnvoyWithoutAgent(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ name, protocol string }{{"delta", "DELTA_GRPC"}, {"whole", "GRPC"}} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.write("web.yaml", route("a"))
			node := "shop/" + c.name
			envoy := s.envoy(node, c.protocol, s.xds)
			envoy.call("http://a.example.com/", "a")
			envoy.call("http://b.example.com/", "b")

			s.write("web.yaml", route("b"))
			began := time.Now()
			envoy.call("http://a.example.com/", "b")
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
			envoy.call("http://a.example.com/", "b")
			s.write("web.yaml", route("a"))
			envoy.call("http://a.example.com/", "a")
			s.says("status", " 1 of 1 proxies current, 0 problems")
			s.says("get proxies", node+"  yes ")
			s.says("explain "+node+" GET http://a.example.com/", filepath.Join(s.config, "web.yaml")+":")

			envoy.stop()
			s.says("get proxies", "no proxies")
		})
	}
}

// Agents join as they do with an API server, and what they registered outlives the server.
func TestAgents(t *testing.T) {
	s := newSite(t)
	s.join()
	if err := os.WriteFile(filepath.Join(s.dir, "index.html"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(weft, "run", "--app", "hello", "--port", "8000", "--", "sh", "-c", `exec python3 -m http.server --bind 127.0.0.1 --directory "$0" "$PORT"`, s.dir)
	visit := func() {
		t.Helper()
		s.says("status --wait 30s --workloads 1", "1 of 1 workloads healthy")
		s.says("run --app visitor -- curl -fsS http://hello:8000/", "hello")
	}
	visit()
	s.server.stop()
	s.serve()
	visit()
}
