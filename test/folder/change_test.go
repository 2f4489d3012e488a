package folder

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	changes = 200
	callers = 4
)

// Clusters come and go, routes move between them, subsets appear and are dropped,
// instances are replaced, while requests are under way all the time: none fails.
func TestChangesDropNothing(t *testing.T) {
	s := newSite(t)
	envoy := s.envoy("shop/web", "DELTA_GRPC", s.xds)
	envoy.call("http://a.example.com/", "a")
	envoy.call("http://b.example.com/", "b")
	load := envoy.load("http://a.example.com/")

	backends := [2]string{s.backend("even"), s.backend("odd")}
	names := [2]string{"even", "odd"}
	for i := range changes {
		name, backend := names[i%2], backends[i%2]
		host := fmt.Sprintf("v%d", i/8)
		switch i % 8 {
		case 0, 1: // a new service, and the next one's instance in its place
			s.write(host+".yaml", service(host, backend))
			s.write("web.yaml", route(host))
		case 2, 3: // each instance is a version, the route names one
			s.write("rule.yaml", subsets(host))
			s.write(host+".yaml", versions(host, backends))
			s.write("web.yaml", routeTo(fmt.Sprintf("{host: %s.example.com, subset: %s}", host, name)))
		case 4, 5: // another service, at once back and forth
			s.write("web.yaml", route("b"))
			s.write("web.yaml", routeTo(fmt.Sprintf("{host: %s.example.com, subset: %s}", host, name)))
		case 6, 7: // the route leaves the service, which goes with its subsets
			to := "w" + name
			s.write(to+".yaml", service(to, backend))
			s.write("web.yaml", route(to))
			if i%8 == 6 {
				s.delete("rule.yaml")
				s.delete(host + ".yaml")
			} else {
				s.delete("weven.yaml")
			}
		}
		envoy.call("http://a.example.com/", name) // the change is in effect
	}
	good := load()
	t.Logf("%d requests while %d changes came into effect", good, changes)
	if good < changes*callers {
		t.Errorf("only %d requests: nothing was proved", good)
	}
	s.says("status", " 1 of 1 proxies current, 0 problems")
}

// load calls without a pause until end is called, which says how many were
// answered well; any other answer fails the test.
func (e *envoy) load(url string) (end func() int) {
	t := e.s.t
	t.Helper()
	var running sync.WaitGroup
	var over atomic.Bool
	var good, bad atomic.Int64
	for range callers {
		running.Go(func() {
			for !over.Load() && bad.Load() < 10 {
				status, body, err := get(e.client, url)
				if err == nil && status == http.StatusOK {
					good.Add(1)
					continue
				}
				bad.Add(1)
				t.Errorf("a request failed after %d good ones: %d %q %v", good.Load(), status, body, err)
			}
		})
	}
	end = sync.OnceValue(func() int {
		over.Store(true)
		running.Wait()
		return int(good.Load())
	})
	t.Cleanup(func() { end() })
	return end
}

func (s *site) delete(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.config, name)); err != nil {
		s.t.Fatal(err)
	}
}

// versions is a service of two instances, each of a version of its own.
func versions(name string, backends [2]string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: shop}
spec:
  hosts: [%s.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 127.0.0.1, ports: {http: %s}, labels: {version: even}}
  - {address: 127.0.0.1, ports: {http: %s}, labels: {version: odd}}
`, name, name, port(backends[0]), port(backends[1]))
}

func subsets(name string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: rule, namespace: shop}
spec:
  host: %s.example.com
  subsets:
  - {name: even, labels: {version: even}}
  - {name: odd, labels: {version: odd}}
`, name)
}
