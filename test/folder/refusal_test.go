package folder

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// threeNames is a value that weft lets pass and Envoy 1.40 does not: at most two names.
const threeNames = "%REQ(x-a?x-b?x-c)%"

const fourNames = "%REQ(x-a?x-b?x-c?x-d)%"

// longName is one more: an SNI has at most 255 bytes.
var longName = strings.Repeat("x", 300)

// What Envoy refuses harms its cause: that keeps its last good version and has a
// problem, and everything else goes on, also what comes later.
func TestRefusals(t *testing.T) {
	s := newSite(t)
	envoy := s.envoy("shop/web", "DELTA_GRPC", s.xds)
	envoy.call("http://a.example.com/", "a")
	for _, name := range []string{"c", "d"} {
		s.write(name+".yaml", service(name, s.backend(name)))
	}
	load := envoy.load("http://b.example.com/")

	t.Run("route", func(t *testing.T) {
		s.t = t
		s.write("bad.yaml", routeWith("bad", "a", "b", threeNames))
		s.refused("VirtualService shop/bad", "VirtualHost outbound/a.example.com:80", "ServiceEntry shop/a", "ServiceEntry shop/b")
		s.first(envoy.client, "http://a.example.com/", "a")
		// Other hosts of the same table: one that is known, one that is called for the first time, one that changes.
		s.first(envoy.client, "http://b.example.com/", "b")
		s.first(envoy.client, "http://c.example.com/", "c")
		s.write("good.yaml", routeWith("good", "c", "b", "plain"))
		envoy.call("http://c.example.com/", "b")
	})
	t.Run("changed", func(t *testing.T) {
		s.t = t
		s.write("good.yaml", routeWith("good", "c", "c", fourNames))
		s.refused("VirtualService shop/good", "VirtualHost outbound/c.example.com:80", "ServiceEntry shop/c")
		s.first(envoy.client, "http://c.example.com/", "b")
		s.write("good.yaml", routeWith("good", "c", "b", "plain"))
		s.says("status", ", 1 problems")
	})
	t.Run("cluster", func(t *testing.T) {
		s.t = t
		s.write("tls.yaml", tlsTo("b", longName))
		s.refused("DestinationRule shop/b", "Cluster b.example.com:80")
		s.first(envoy.client, "http://b.example.com/", "b")
		s.first(envoy.client, "http://d.example.com/", "d")
		s.first(envoy.client, "http://a.example.com/", "a")
	})
	t.Run("late", func(t *testing.T) {
		s.t = t
		late := s.envoy("shop/late", "DELTA_GRPC", s.xds)
		late.call("http://d.example.com/", "d")
		for _, host := range []string{"a", "b"} { // it has no version that was good
			began := time.Now()
			status, body, err := get(late.client, "http://"+host+".example.com/")
			if took := time.Since(began); err != nil || status < 500 || took > prompt {
				t.Errorf("%s answers %d %q (%v) after %v", host, status, body, err, took)
			}
		}
		late.stop()
	})
	t.Run("corrected", func(t *testing.T) {
		s.t = t
		s.delete("tls.yaml")
		s.write("bad.yaml", routeWith("bad", "a", "b", "plain"))
		s.says("status", " 1 of 1 proxies current, 0 problems")
	})
	s.t = t
	envoy.call("http://a.example.com/", "b")
	if load() == 0 {
		t.Error("nothing was called")
	}
}

// refused waits until an object, and none that is innocent, has the problem that a resource was
// refused, and a proxy says so.
func (s *site) refused(object, resource string, innocent ...string) {
	s.t.Helper()
	s.until(object+" is to blame", func() error {
		out, err := s.command("get", "problems").CombinedOutput()
		blames := func(object string) bool {
			return slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
				return strings.HasPrefix(line, object+" ") && strings.Contains(line, resource)
			})
		}
		if err == nil || !blames(object) || slices.ContainsFunc(innocent, blames) {
			return fmt.Errorf("%v, and %v are innocent: %s", err, innocent, out)
		}
		for _, row := range s.proxies() {
			for _, one := range row.Refused {
				if strings.HasPrefix(one, resource) {
					return nil
				}
			}
		}
		return fmt.Errorf("no proxy says so: %+v", s.proxies())
	})
}

// routeWith sends requests elsewhere, with a header.
func routeWith(name, from, to, header string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: shop}
spec:
  hosts: [%s.example.com]
  http:
  - headers: {request: {set: {x-test: "%s"}}}
    route: [{destination: {host: %s.example.com}}]
`, name, from, header, to)
}

func tlsTo(name, sni string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: shop}
spec:
  host: %s.example.com
  trafficPolicy: {tls: {mode: SIMPLE, sni: %s}}
`, name, name, sni)
}
