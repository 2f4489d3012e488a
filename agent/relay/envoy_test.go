package relay_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/on_demand/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/agent/envoy"
	"weft.dev/agent/relay"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/envoytest"
)

const (
	patience = 20 * time.Second
	sentinel = "outbound/weft-ready.invalid" // a listener waits until it has a virtual host
)

// control is a small server: what it has, it pushes; what it is asked for by
// name, it answers if it knows it, and else it is silent.
type control struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	mu      sync.Mutex
	pushed  map[string]map[string]*discoveryv3.Resource // by type URL and name
	asked   map[string][]*discoveryv3.Resource          // sent when the name is asked for
	heard   []string                                    // names that were asked for
	refused []string
	stream  discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
	nonce   int
}

func newControl(resources ...*discoveryv3.Resource) *control {
	c := &control{pushed: map[string]map[string]*discoveryv3.Resource{}, asked: map[string][]*discoveryv3.Resource{}}
	for _, one := range resources {
		url := one.Resource.TypeUrl
		if c.pushed[url] == nil {
			c.pushed[url] = map[string]*discoveryv3.Resource{}
		}
		c.pushed[url][one.Name] = one
	}
	return c
}

// listen serves at an address until the test or the returned function ends it.
func (c *control) listen(t *testing.T, address string) (at string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String(), server.Stop
}

func (c *control) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	c.mu.Lock()
	c.stream = stream
	c.mu.Unlock()
	for {
		q, err := stream.Recv()
		if err != nil {
			return nil
		}
		c.mu.Lock()
		if q.ErrorDetail != nil {
			c.refused = append(c.refused, q.ErrorDetail.Message)
		}
		for _, name := range q.ResourceNamesSubscribe {
			c.answer(q, name)
		}
		c.mu.Unlock()
	}
}

func (c *control) answer(q *discoveryv3.DeltaDiscoveryRequest, name string) {
	var all []*discoveryv3.Resource
	for _, key := range slices.Sorted(maps.Keys(c.pushed[q.TypeUrl])) {
		one := c.pushed[q.TypeUrl][key]
		if (name == "*" || name == key) && q.InitialResourceVersions[key] != one.Version {
			all = append(all, one)
		}
	}
	if name != "*" && q.TypeUrl == model.TypeVirtualHost.TypeURL() {
		c.heard = append(c.heard, name)
		all = append(all, c.asked[name]...)
	}
	if len(all) > 0 {
		c.send(all, nil)
	}
}

func (c *control) send(resources []*discoveryv3.Resource, removed []string) {
	c.nonce++
	url := model.TypeVirtualHost.TypeURL()
	if len(resources) > 0 {
		url = resources[0].Resource.TypeUrl
	}
	c.stream.Send(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: url, Nonce: strconv.Itoa(c.nonce), Resources: resources, RemovedResources: removed})
}

func (c *control) push(removed []string, resources ...*discoveryv3.Resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send(resources, removed)
}

func (c *control) hasHeard(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.heard, name)
}

func packed(t *testing.T, name string, aliases []string, message proto.Message, format string, args ...any) *discoveryv3.Resource {
	t.Helper()
	if err := protojson.Unmarshal([]byte(fmt.Sprintf(format, args...)), message); err != nil {
		t.Fatal(err)
	}
	body, err := anypb.New(message)
	if err != nil {
		t.Fatal(err)
	}
	return &discoveryv3.Resource{Name: name, Version: model.VersionText(model.HashBody(body.Value)), Aliases: aliases, Resource: body}
}

func cluster(t *testing.T, name string) *discoveryv3.Resource {
	return packed(t, name, nil, &clusterv3.Cluster{}, `{"name": %q, "type": "EDS", "connect_timeout": "1s", "eds_cluster_config": {"eds_config": {"ads": {}, "resource_api_version": "V3"}}}`, name)
}

func endpoints(t *testing.T, name string, port int) *discoveryv3.Resource {
	return packed(t, name, nil, &endpointv3.ClusterLoadAssignment{},
		`{"cluster_name": %q, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}}}]}]}`, name, port)
}

// host is a virtual host of these domains that sends to the cluster "app".
func host(t *testing.T, name string, domains ...string) *discoveryv3.Resource {
	quoted, aliases := []string{}, []string{}
	for _, d := range domains {
		quoted, aliases = append(quoted, strconv.Quote(d)), append(aliases, "outbound/"+d)
	}
	return packed(t, name, aliases, &routev3.VirtualHost{},
		`{"name": %q, "domains": [%s], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}`, name, strings.Join(quoted, ","))
}

// helpful is a virtual host for an authority that nobody serves.
func helpful(t *testing.T, authority string) *discoveryv3.Resource {
	return packed(t, "outbound/"+authority, []string{"outbound/" + authority}, &routev3.VirtualHost{},
		`{"name": %q, "domains": [%q], "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 502, "body": {"inline_string": "no such service"}}}]}`, "outbound/"+authority, authority)
}

func listener(t *testing.T, port int) *discoveryv3.Resource {
	return packed(t, "outbound", nil, &listenerv3.Listener{}, `{"name": "outbound", "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}, "filter_chains": [{"filters": [{
		"name": "http", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
			"stat_prefix": "outbound", "rds": {"route_config_name": "outbound", "config_source": {"ads": {}, "resource_api_version": "V3"}}, "http_filters": [
				{"name": "on_demand", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand"}},
				{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}`, port)
}

func table(t *testing.T) *discoveryv3.Resource {
	return packed(t, "outbound", nil, &routev3.RouteConfiguration{}, `{"name": "outbound", "vhds": {"config_source": {"ads": {}, "resource_api_version": "V3"}}}`)
}

// site is a server, a relay that has a folder, and a real Envoy.
type site struct {
	t       *testing.T
	control *control
	dir     string
	address string // of the server
	port    int    // of Envoy's listener
	stop    func() // the server
}

func newSite(t *testing.T) *site {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app") }))
	t.Cleanup(backend.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	s := &site{t: t, dir: t.TempDir(), port: free.Addr().(*net.TCPAddr).Port}
	s.control = newControl(cluster(t, "app"), endpoints(t, "app", backend.Listener.Addr().(*net.TCPAddr).Port),
		listener(t, s.port), table(t), host(t, sentinel, "weft-ready.invalid"))
	s.address, s.stop = s.control.listen(t, "127.0.0.1:0")
	return s
}

// start runs relay and Envoy, as an agent does, until the returned function ends them.
func (s *site) start() (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	service := relay.Open(relay.Cache{Files: identity.Dir(s.dir)}, quiet)
	socket, admin := filepath.Join(s.dir, "ads.sock"), filepath.Join(s.dir, "admin.sock")
	os.Remove(socket)
	local, err := net.Listen("unix", socket)
	if err != nil {
		s.t.Fatal(err)
	}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, service)
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	data, err := envoy.Bootstrap{ID: "shop/a", Cluster: "a", AgentSocket: socket, AdminSocket: admin}.JSON()
	if err != nil {
		s.t.Fatal(err)
	}
	bootstrap := filepath.Join(s.dir, "bootstrap.json")
	if err := os.WriteFile(bootstrap, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	process := envoy.Process{Binary: envoytest.Binary(s.t), Bootstrap: bootstrap, LogFile: filepath.Join(s.dir, "envoy.log"), Concurrency: 1, Log: quiet}
	tick := time.NewTicker(relay.AskBound / 2)
	var running sync.WaitGroup
	running.Go(func() { server.Serve(local) })
	running.Go(func() { service.RunUpstream(ctx, conn) })
	running.Go(func() { service.RunCache(ctx) })
	running.Go(func() { service.RunTicks(ctx, tick.C) })
	running.Go(func() {
		if err := process.Run(ctx); err != nil {
			s.t.Error(err)
		}
		server.Stop()
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait(); conn.Close(); tick.Stop() })
	s.t.Cleanup(stop)
	ready := envoy.NewAdmin(admin)
	s.until("Envoy is ready", func() bool { return ready.Ready(ctx, []uint32{uint32(s.port)}) })
	return stop
}

func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// call is what Envoy answers to a request for an authority, and when.
func (s *site) call(authority string) (status int, took time.Duration) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", s.port), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Host = authority
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	reply, err := client.Do(request)
	if err != nil {
		s.t.Fatalf("%s: %v", authority, err)
	}
	reply.Body.Close()
	return reply.StatusCode, time.Since(began)
}

// wants is a call that must be answered so, within a bound.
func (s *site) wants(when, authority string, status int, within time.Duration) {
	s.t.Helper()
	got, took := s.call(authority)
	s.t.Logf("%s: %s: %d in %v", when, authority, got, took.Round(100*time.Microsecond))
	if got != status || took > within {
		s.t.Errorf("%s: %s is answered %d in %v, want %d within %v", when, authority, got, took, status, within)
	}
}

const (
	soon  = 500 * time.Millisecond
	bound = relay.AskBound + soon
)

// Every case of a first call to an unknown host, on one Envoy and its successor.
func TestOnDemand(t *testing.T) {
	s := newSite(t)
	reviews := host(t, "outbound/reviews.shop:80", "reviews", "reviews.shop", "reviews.shop:80")
	s.control.asked["outbound/reviews"] = []*discoveryv3.Resource{reviews}
	s.control.asked["outbound/nobody"] = []*discoveryv3.Resource{helpful(t, "nobody")}
	stop := s.start()

	s.wants("first call", "reviews", 200, soon)
	s.wants("by another name of it", "REVIEWS.shop:80", 200, soon)
	s.wants("no such service", "nobody", 502, soon)
	s.wants("server silent", "later", 404, bound)
	s.wants("again", "later", 404, soon)
	s.control.push(nil, host(t, "outbound/later.shop:80", "later"))
	s.until("a push heals it", func() bool { status, _ := s.call("later"); return status == 200 })
	s.control.push([]string{"outbound/nobody"}, host(t, "outbound/nobody.shop:80", "nobody"))
	s.until("a service that comes to be takes its name over", func() bool { status, _ := s.call("nobody"); return status == 200 })

	s.waiting("slow", 200, func() { s.control.push(nil, host(t, "outbound/slow.shop:80", "slow")) })
	s.waiting("removed", 404, func() { s.control.push([]string{"outbound/removed"}) }) // Envoy alone would hang
	s.refusals()

	s.stop()
	s.wants("server down, just now", "unknown", 404, bound)
	s.wants("server down, known", "reviews.shop", 200, soon)
	calls := 0
	s.until("nobody waits any more for a server that is down for long", func() bool {
		calls++
		status, took := s.call(fmt.Sprint("unknown-", calls))
		return status == 404 && took < soon
	})
	s.onDisk("outbound/good.shop:80")
	stop()

	began := time.Now()
	stop = s.start()
	t.Logf("ready from disk, without a server, after %v", time.Since(began).Round(time.Millisecond))
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("ready from disk after %v: as if it waited for something", took)
	}
	for _, authority := range []string{"reviews", "later", "nobody", "slow", "good"} {
		s.wants("from disk, without a server", authority, 200, soon)
	}
	s.wants("from disk, without a server", "unknown", 404, bound)

	s.control.asked["outbound/unknown"] = []*discoveryv3.Resource{host(t, "outbound/unknown.shop:80", "unknown")}
	s.control.listen(t, s.address)
	s.until("the server comes back, and what was asked for is known", func() bool { status, _ := s.call("unknown"); return status == 200 })
	stop()
}

// waiting calls a host of which something is told while the request waits.
func (s *site) waiting(authority string, want int, tell func()) {
	s.t.Helper()
	answered := make(chan int, 1)
	go func() { status, _ := s.call(authority); answered <- status }()
	s.until("the server is asked", func() bool { return s.control.hasHeard("outbound/" + authority) })
	tell()
	if status := <-answered; status != want {
		s.t.Errorf("%s, told of while the request waited: %d, want %d", authority, status, want)
	}
}

// refusals has the answer come beside one that Envoy refuses: all of it is
// refused, the request waits on, and what the server sends then is its answer.
func (s *site) refusals() {
	s.t.Helper()
	answered := make(chan int, 1)
	go func() { status, _ := s.call("good"); answered <- status }()
	s.until("the server is asked", func() bool { return s.control.hasHeard("outbound/good") })
	good, bad := host(s.t, "outbound/good.shop:80", "good"), host(s.t, "outbound/bad.shop:80", "reviews") // a domain that stands twice
	s.control.push(nil, host(s.t, "outbound/fine.shop:80", "fine"), bad, good)
	s.until("the server hears of the refusal", func() bool {
		s.control.mu.Lock()
		defer s.control.mu.Unlock()
		return len(s.control.refused) == 1
	})
	s.control.push(nil, good)
	if status := <-answered; status != 200 {
		s.t.Errorf("after a refused answer and a good one: %d", status)
	}
	s.wants("what was refused beside the bad one", "fine", 404, bound)
}

// onDisk waits until a resource has been written, with its aliases.
func (s *site) onDisk(name string) {
	s.t.Helper()
	s.until(name+" is on disk", func() bool {
		held, err := relay.Cache{Files: identity.Dir(s.dir)}.Load()
		one := held[model.TypeVirtualHost.TypeURL()][name]
		return err == nil && one != nil && len(one.Aliases) > 0
	})
}
