package folder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"weft.dev/model"
	"weft.dev/test/peer"
)

// sidecar has the workloads of one application know everything.
const sidecar = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: all, namespace: shop}
spec:
  workloadSelector: {labels: {app: all}}
  egress: [{hosts: ["*/*"]}]
`

// policies are about a: versions, a split of requests, a header.
const policies = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: shop}
spec:
  host: a.example.com
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}
  subsets:
  - {name: one, labels: {version: one}}
  - {name: two, labels: {version: two}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shared, namespace: shop}
spec:
  hosts: [s1.example.com, s2.example.com]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: a.example.com}, weight: 90}, {destination: {host: b.example.com}, weight: 10}]
    headers: {request: {set: {x-by: weft}}}
    timeout: 3s
  - route: [{destination: {host: a.example.com, subset: one}}]
`

// Two servers of one folder, of which one saw every change and the other the last
// state, agree on every version; a proxy that moves hears nothing that it knows.
func TestReplicas(t *testing.T) {
	s := newSite(t)
	for i := range 20 {
		s.write(fmt.Sprintf("s%d.yaml", i), service(fmt.Sprintf("s%d", i), s.backend("s")))
	}
	s.write("web.yaml", route("b"))
	s.write("sidecar.yaml", sidecar)
	all, some := s.guest("all"), s.guest("some")
	for _, host := range []string{"a.example.com", "s3.example.com:80", "nobody.example.com"} {
		some.Call(host)
	}
	leaveAll, leaveSome := s.visits(all), s.visits(some)
	s.holds(all, "Cluster s19.example.com:80", "VirtualHost outbound/s19.example.com:80", "ClusterLoadAssignment s19.example.com:80")
	s.holds(some, "VirtualHost outbound/a.example.com:80", "VirtualHost outbound/s3.example.com:80", "ClusterLoadAssignment b.example.com:80")
	s.write("policies.yaml", policies)
	s.write("web.yaml", route("a"))
	s.holds(all, "Cluster a.example.com:80/one", "ClusterLoadAssignment a.example.com:80/two")
	s.holds(some, "VirtualHost outbound/s3.example.com:80")
	s.says("status", " 2 of 2 proxies current, 0 problems")

	other := s.replica()
	fresh := other.guest("all")
	leaveFresh := other.visits(fresh)
	other.until("both servers send the same", func() error { return same(all.Versions(), fresh.Versions()) })
	leaveFresh()

	for _, proxy := range []*peer.Proxy{all, some} {
		s.until("it owes nothing to the one that leaves", func() error {
			const changed = "ClusterLoadAssignment s3.example.com:80"
			if now := all.Versions()[changed]; proxy.Versions()[changed] != now {
				return fmt.Errorf("%s has not got version %s of %s yet", proxy.ID(), now, changed)
			}
			return nil
		})
		map[*peer.Proxy]func(){all: leaveAll, some: leaveSome}[proxy]()
		before := proxy.Versions()
		proxy.News()
		leave := other.visits(proxy)
		other.until("the moved proxy is current", func() error { return other.current(proxy.ID()) })
		// What it was owed until now has come before what is new from now on.
		other.write("s3.yaml", service("s3", s.backend("another")))
		var news []string
		other.until("what is new after the move", func() error {
			news = append(news, proxy.News()...)
			if !slices.Contains(news, "ClusterLoadAssignment s3.example.com:80") {
				return errors.New("the changed endpoint has not come")
			}
			return nil
		})
		news = slices.DeleteFunc(news, func(name string) bool { return name == "VirtualHost outbound/nobody.example.com" }) // an ask is answered anew
		if !slices.Equal(news, []string{"ClusterLoadAssignment s3.example.com:80"}) {
			t.Errorf("%s moved and was sent %v, want the one changed endpoint alone", proxy.ID(), news)
		}
		if lost := same(before, proxy.Versions()); lost != nil && !strings.Contains(lost.Error(), "ClusterLoadAssignment s3.example.com:80") {
			t.Error(lost)
		}
		leave()
	}
}

// An Envoy that moves, too; and it serves all the time.
func TestEnvoyMoves(t *testing.T) {
	s := newSite(t)
	other := s.replica()
	road := newRoad(t, s.xds)
	node := "shop/web"
	envoy := s.envoy(node, "DELTA_GRPC", road.address)
	envoy.call("http://a.example.com/", "a")
	envoy.call("http://b.example.com/", "b")
	s.until("current", func() error { return s.current(node) })

	load := envoy.load("http://a.example.com/")
	road.lead(other.xds)
	other.until("the moved Envoy is current", func() error { return other.current(node) })
	load()
	other.write("web.yaml", route("b"))
	envoy.call("http://a.example.com/", "b")
	if sent := other.proxies()[node].Sent; !maps.Equal(sent, map[string]int{"VirtualHost": 1}) {
		t.Errorf("an Envoy that moved was sent %v, want the one changed virtual host alone", sent)
	}
	other.says("scope web", "b.example.com  on demand")
}

func (s *site) guest(app string) *peer.Proxy {
	return peer.NewGuest(model.Registration{Namespace: "shop", Name: app + "-1", App: app})
}

// visits connects a proxy until leave is called.
func (s *site) visits(p *peer.Proxy) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Visit(ctx, s.xds); !errors.Is(err, context.Canceled) {
			s.t.Errorf("%s: %v", p.ID(), err)
		}
	})
	leave = sync.OnceFunc(func() { cancel(); running.Wait() })
	s.t.Cleanup(leave)
	return leave
}

// holds waits until a proxy holds resources, and everything that the server has for it.
func (s *site) holds(p *peer.Proxy, names ...string) {
	s.t.Helper()
	s.until(p.ID()+" holds what it should", func() error {
		have := p.Versions()
		for _, name := range names {
			if have[name] == "" {
				return fmt.Errorf("it lacks %s of %v", name, slices.Sorted(maps.Keys(have)))
			}
		}
		return s.current(p.ID())
	})
}

type proxyRow struct {
	ID      string
	Current bool
	Refused []string
	Sent    map[string]int
}

func (s *site) proxies() map[string]proxyRow {
	out, err := s.command("get", "proxies", "-o", "json").Output()
	var rows []proxyRow
	if err == nil {
		err = json.Unmarshal(out, &rows)
	}
	if err != nil {
		s.t.Errorf("weft get proxies: %v", err)
	}
	all := map[string]proxyRow{}
	for _, row := range rows {
		all[row.ID] = row
	}
	return all
}

func (s *site) current(id string) error {
	if row, ok := s.proxies()[id]; !ok || !row.Current {
		return fmt.Errorf("proxy %s is not current: %+v", id, row)
	}
	return nil
}

// same says how two proxies differ.
func same(one, other map[string]string) error {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(one)) {
		if one[name] != other[name] {
			all = append(all, fmt.Sprintf("%s has version %q there and %q here", name, one[name], other[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		if one[name] == "" {
			all = append(all, name+" is here alone")
		}
	}
	if len(all) > 0 {
		return errors.New(strings.Join(all, "\n"))
	}
	return nil
}

// road leads those who connect to one server or another.
type road struct {
	address string

	mu    sync.Mutex
	to    string
	conns map[net.Conn]bool
}

func newRoad(t *testing.T, to string) *road {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{address: listener.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { listener.Close(); r.lead("") })
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(conn) })
		}
	})
	return r
}

// lead ends what is connected, and leads who comes then elsewhere.
func (r *road) lead(to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
	for conn := range r.conns {
		conn.Close()
	}
}

func (r *road) carry(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	far, err := net.Dial("tcp", r.to)
	if err == nil {
		r.conns[conn] = true
	}
	r.mu.Unlock()
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, conn)
		far.Close()
	}()
	_, _ = io.Copy(conn, far)
	r.mu.Lock()
	delete(r.conns, conn)
	r.mu.Unlock()
}
