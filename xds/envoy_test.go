package xds

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
	"weft.dev/test/envoytest"
)

const bootstrap = `
node: {id: envoy-1, cluster: test}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
dynamic_resources:
  ads_config:
    api_type: %s
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: weft, retry_policy: {retry_back_off: {base_interval: 0.1s, max_interval: 0.2s}}}}]
  cds_config: {resource_api_version: V3, ads: {}}
  lds_config: {resource_api_version: V3, ads: {}}
static_resources:
  clusters:
  - name: weft
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: weft
      endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: %s}}}}]}]
`

// plane is a server on a unix socket that can be killed and started again.
type plane struct {
	t      *testing.T
	socket string
	held   *held
	*Server
	g *grpc.Server

	mu     sync.Mutex
	chunks []int // resources of each response of clusters
}

func newPlane(t *testing.T, layers ...*model.Layer) *plane {
	p := &plane{t: t, socket: filepath.Join(t.TempDir(), "xds")}
	p.start(layers...)
	t.Cleanup(func() { p.g.Stop() })
	return p
}

func (p *plane) start(layers ...*model.Layer) {
	p.t.Helper()
	lis, err := net.Listen("unix", p.socket)
	if err != nil {
		p.t.Fatal(err)
	}
	p.held = newHeld()
	p.held.Set("envoy-1", layers...)
	p.Server = NewServer(Options{Views: p.held})
	p.g = grpc.NewServer(append(ServerOptions(), grpc.StreamInterceptor(p.spy))...)
	p.Register(p.g)
	go p.g.Serve(lis)
}

func (p *plane) spy(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, &spied{ss, p})
}

type spied struct {
	grpc.ServerStream
	p *plane
}

func (s *spied) SendMsg(m any) error {
	if r, ok := m.(deltaResponse); ok && r.Type == cluster {
		s.p.mu.Lock()
		s.p.chunks = append(s.p.chunks, len(r.Resources))
		s.p.mu.Unlock()
	}
	return s.ServerStream.SendMsg(m)
}

// settles waits until Envoy holds a revision.
func (p *plane) settles(rev uint64, within time.Duration) {
	p.t.Helper()
	start := time.Now()
	eventually(p.t, fmt.Sprint("envoy holds revision ", rev), func() bool { applied, _, _ := p.Applied(rev); return applied == 1 })
	if took := time.Since(start); took > within {
		p.t.Errorf("envoy took %v for revision %d, more than %v", took, rev, within)
	}
}

func (p *plane) refusals(id string) []model.Refusal {
	p.Server.mu.Lock()
	defer p.Server.mu.Unlock()
	return p.proxies[id].row.Refusals
}

func startEnvoy(t *testing.T, p *plane, api string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, bootstrap, api, p.socket), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, envoytest.Binary(t), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "info")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("envoy:\n%s", text[max(0, len(text)-6000):])
		}
	})
}

func encoded(t *testing.T, typ model.Type, name string, m proto.Message, needs ...string) *model.Resource {
	t.Helper()
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return model.NewResource(model.Resource{Type: typ, Name: name, Body: body, Needs: needs})
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var ads = &corev3.ConfigSource{
	ResourceApiVersion:    corev3.ApiVersion_V3,
	ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
}

func socketAddress(t *testing.T, addr string) *corev3.Address {
	t.Helper()
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: tcp.IP.String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(tcp.Port)},
	}}}
}

// mesh makes services with one endpoint each, reached through one listener
// that routes /NAME to the service NAME.
func mesh(t *testing.T, services int, timeout time.Duration, listen, backend string) []*model.Resource {
	t.Helper()
	var all []*model.Resource
	table := &routev3.RouteConfiguration{Name: "outbound", VirtualHosts: []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}}}}
	var needs []string
	for i := range services {
		name := fmt.Sprintf("s%03d", i)
		all = append(all, encoded(t, cluster, name, &clusterv3.Cluster{
			Name: name, ConnectTimeout: durationpb.New(timeout),
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads},
		}), encoded(t, endpoint, name, &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socketAddress(t, backend)}},
			}}}},
		}))
		needs = append(needs, name)
		table.VirtualHosts[0].Routes = append(table.VirtualHosts[0].Routes, &routev3.Route{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/" + name}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name}}},
		})
	}
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     "outbound",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "outbound", ConfigSource: ads}},
		HttpFilters:    []*hcmv3.HttpFilter{{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}}},
	}
	return append(all,
		encoded(t, route, "outbound", table, needs...),
		encoded(t, listener, "outbound", &listenerv3.Listener{
			Name: "outbound", Address: socketAddress(t, listen),
			FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
				Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
			}}}},
		}))
}

// freeAddr is an address of the loopback that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	return lis.Addr().String()
}

func backend(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func answers(t *testing.T, url, want string) {
	t.Helper()
	var got string
	eventually(t, url+" answers "+want, func() bool {
		resp, err := http.Get(url)
		if err != nil {
			got = err.Error()
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		got = resp.Status + " " + string(body)
		return got == want
	})
}

func TestEnvoyDelta(t *testing.T) {
	const services = 1000
	listen, blue, green := freeAddr(t), backend(t, "blue"), backend(t, "green")
	p := newPlane(t, layer("all", mesh(t, services, time.Second, listen, blue)...))
	startEnvoy(t, p, "DELTA_GRPC")
	p.settles(1, patience)
	answers(t, "http://"+listen+"/s999", "200 OK blue")
	wantSent(t, p, "map[Cluster:1000 ClusterLoadAssignment:1000 Listener:1 RouteConfiguration:1]")
	if p.mu.Lock(); slices.Max(p.chunks) > chunkResources {
		t.Errorf("clusters came in responses of %v", p.chunks)
	}
	p.mu.Unlock()

	// Every cluster changes, no endpoint does: Envoy does not wait 15 s for them.
	p.settles(p.held.Set("envoy-1", layer("all", mesh(t, services, 2*time.Second, listen, blue)...)), 10*time.Second)
	wantSent(t, p, "map[Cluster:2000 ClusterLoadAssignment:2000 Listener:1 RouteConfiguration:1]")

	// A new server is asked for nothing that Envoy has, and goes on from there.
	p.g.Stop()
	p.start(layer("all", mesh(t, services, 2*time.Second, listen, blue)...))
	p.settles(1, patience)
	wantSent(t, p, "map[]")
	rev := p.held.Set("envoy-1", layer("all", mesh(t, services-1, 2*time.Second, listen, green)...))
	p.settles(rev, patience)
	answers(t, "http://"+listen+"/s998", "200 OK green")
	answers(t, "http://"+listen+"/s999", "404 Not Found ")
	wantSent(t, p, "map[ClusterLoadAssignment:999 RouteConfiguration:1]")
}

func wantSent(t *testing.T, p *plane, want string) {
	t.Helper()
	if got := fmt.Sprint(p.Sent("envoy-1")); got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// What Envoy refuses stays as it was, and everything else goes on.
func TestEnvoyRefuses(t *testing.T) {
	listen, blue, green := freeAddr(t), backend(t, "blue"), backend(t, "green")
	p := newPlane(t, layer("all", mesh(t, 3, time.Second, listen, blue)...))
	startEnvoy(t, p, "DELTA_GRPC")
	p.settles(1, patience)
	all := mesh(t, 3, time.Second, listen, green)
	bad := encoded(t, cluster, "s001", &clusterv3.Cluster{Name: "s001", ConnectTimeout: durationpb.New(-time.Second)})
	all[slices.IndexFunc(all, func(r *model.Resource) bool { return r.Type == cluster && r.Name == "s001" })] = bad
	more := encoded(t, cluster, "more", &clusterv3.Cluster{Name: "more"})
	p.held.Set("envoy-1", layer("all", append(all, more)...))
	answers(t, "http://"+listen+"/s000", "200 OK green")
	answers(t, "http://"+listen+"/s001", "200 OK green")
	var refusals []model.Refusal
	eventually(t, "one refusal, of s001", func() bool {
		refusals = p.refusals("envoy-1")
		return len(refusals) == 1 && refusals[0].Name == "s001"
	})
	if !strings.Contains(refusals[0].Reason, "Expected positive duration") { // Envoy does not say whose
		t.Errorf("reason %q", refusals[0].Reason)
	}
	if _, _, laggards := p.Applied(2); !slices.Equal(laggards, []string{"envoy-1"}) {
		t.Errorf("laggards %v", laggards)
	}
	p.settles(p.held.Set("envoy-1", layer("all", mesh(t, 3, 3*time.Second, listen, green)...)), patience)
}

func TestEnvoyStateOfTheWorld(t *testing.T) {
	listen, blue, green := freeAddr(t), backend(t, "blue"), backend(t, "green")
	p := newPlane(t, layer("all", mesh(t, 20, time.Second, listen, blue)...))
	startEnvoy(t, p, "GRPC")
	p.settles(1, patience)
	answers(t, "http://"+listen+"/s019", "200 OK blue")
	p.settles(p.held.Set("envoy-1", layer("all", mesh(t, 20, 2*time.Second, listen, blue)...)), 10*time.Second)
	p.settles(p.held.Set("envoy-1", layer("all", mesh(t, 19, 2*time.Second, listen, green)...)), 10*time.Second)
	answers(t, "http://"+listen+"/s018", "200 OK green")
	answers(t, "http://"+listen+"/s019", "404 Not Found ")
	p.g.Stop()
	p.start(layer("all", mesh(t, 19, 2*time.Second, listen, green)...))
	p.settles(1, patience)
	wantSent(t, p, "map[ClusterLoadAssignment:19 RouteConfiguration:1]") // clusters and listeners are known to be there
}
