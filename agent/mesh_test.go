package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"weft.dev/agent"
	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/source/host"
	"weft.dev/xds"
)

// mesh is a server with everything real but the store and the compiler: each
// workload gets a proxy that calls, by mutual TLS, its own inbound port.
type mesh struct {
	t         *testing.T
	authority identity.Authority
	address   string
	server    *grpc.Server
	sessions  *xds.Server
	traffic   chan model.TrafficReport
	conns     *counted

	mu        sync.Mutex
	rev       uint64
	workloads map[string]v1alpha1.Workload
	gone      int
	changed   func(rev uint64, scopes, proxies []string)
}

func newMesh(t *testing.T) *mesh { return newMeshWith(t, 0, 0) }

// newMeshWith has certificates of these lifetimes; 0: as in life.
func newMeshWith(t *testing.T, workload, host time.Duration) *mesh {
	t.Helper()
	dir := identity.Dir(t.TempDir())
	ca, err := identity.OpenCA(dir, "shop.test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.OpenTokens(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	m := &mesh{
		t: t, authority: identity.Authority{CA: ca, Tokens: tokens, Workload: workload, Host: host},
		workloads: map[string]v1alpha1.Workload{}, traffic: make(chan model.TrafficReport, 1000),
	}
	m.start("127.0.0.1:0")
	return m
}

// start serves the mesh port, as a new server that knows what the old one stored.
func (m *mesh) start(address string) {
	m.t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		m.t.Fatal(err)
	}
	m.address = listener.Addr().String()
	m.conns = &counted{Listener: listener, open: map[net.Conn]bool{}}
	hosts := host.New(host.Options{
		Authority: m.authority, Workloads: m, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Traffic: func(_ model.Registration, r model.TrafficReport) { m.traffic <- r },
	})
	m.sessions = xds.NewServer(xds.Options{Views: m, Authenticate: func(ctx context.Context, n xds.Node) (string, error) {
		return n.ID, hosts.Proxy(ctx, filepath.Dir(n.ID), filepath.Base(n.ID))
	}})
	options := append(xds.ServerOptions(), grpc.Creds(credentials.NewTLS(m.authority.CA.ServerTLS())))
	m.server = grpc.NewServer(options...)
	hosts.Register(m.server)
	m.sessions.Register(m.server)
	go m.server.Serve(m.conns)
	m.t.Cleanup(m.server.Stop)
}

// counted is a listener that knows its open connections.
type counted struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

type countedConn struct {
	net.Conn
	of *counted
}

func (c *counted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := &countedConn{conn, c}
	c.open[one] = true
	return one, nil
}

func (c *countedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

func (m *mesh) stop() { m.server.Stop() }

// join makes a host and returns its folder.
func (m *mesh) join() string {
	m.t.Helper()
	token, err := m.authority.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		m.t.Fatal(err)
	}
	dir := m.t.TempDir()
	if err := agent.Join(m.t.Context(), agent.JoinOptions{Server: m.address, Token: token, Dir: dir, Host: "web-1"}); err != nil {
		m.t.Fatal(err)
	}
	return dir
}

func (m *mesh) List(context.Context) ([]v1alpha1.Workload, error) { return nil, nil }

func (m *mesh) Apply(_ context.Context, w v1alpha1.Workload) error {
	m.set(w.Namespace+"/"+w.Name, func(o v1alpha1.Workload) v1alpha1.Workload { return w })
	return nil
}

func (m *mesh) SetHealth(_ context.Context, namespace, name string, h model.Health) error {
	m.set(namespace+"/"+name, func(w v1alpha1.Workload) v1alpha1.Workload { w.Status.Health = string(h); return w })
	return nil
}

func (m *mesh) set(key string, change func(v1alpha1.Workload) v1alpha1.Workload) {
	m.mu.Lock()
	m.workloads[key] = change(m.workloads[key])
	m.rev++
	rev := m.rev
	m.mu.Unlock()
	m.changed(rev, nil, []string{key})
}

func (m *mesh) Delete(_ context.Context, namespace, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.workloads, namespace+"/"+name)
	m.gone++
	return nil
}

func (m *mesh) workload(key string) v1alpha1.Workload {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.workloads[key]
}

// OnChange and View make the mesh the views of its xDS server.
func (m *mesh) OnChange(f func(rev uint64, scopes, proxies []string)) { m.changed = f }

func (m *mesh) View(proxy string) (string, *model.View, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.workloads[proxy]
	if !ok {
		return "", nil, m.rev
	}
	return proxy, &model.View{Scope: proxy, Layers: []*model.Layer{model.NewLayer(proxy, m.resources(w.Spec)...)}}, m.rev
}

// selfCluster is the one whose calls are counted: it has the form of a mesh service.
const selfCluster = "app.shop.svc.cluster.local:80"

func (m *mesh) resources(w v1alpha1.WorkloadSpec) []*model.Resource {
	const tls = `"name": "envoy.transport_sockets.tls", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.%s",
		%s "common_tls_context": {
			"tls_certificate_sds_secret_configs": [{"name": "workload", "sds_config": {"ads": {}, "resource_api_version": "V3"}}],
			"validation_context_sds_secret_config": {"name": "roots", "sds_config": {"ads": {}, "resource_api_version": "V3"}}}}`
	const listener = `{"name": %q, "address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}, "filter_chains": [{%s "filters": [{
		"name": "http", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
			"stat_prefix": %q, "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": %q}}]}]},
			"http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}`
	const cluster = `{"name": %q, "connect_timeout": "1s", "type": "STATIC", %s "load_assignment": {"cluster_name": %q, "endpoints": [{"lb_endpoints": [
		{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %d}}}}]}]}}`
	port := w.Ports[0]
	upstream := `"transport_socket": {` + fmt.Sprintf(tls, "UpstreamTlsContext", "") + `},`
	downstream := `"transport_socket": {` + fmt.Sprintf(tls, "DownstreamTlsContext", `"require_client_certificate": true,`) + `},`
	return []*model.Resource{
		encoded(m.t, model.TypeListener, "outbound", &listenerv3.Listener{}, listener, "outbound", w.OutboundPort, "", "outbound", selfCluster),
		encoded(m.t, model.TypeListener, "inbound", &listenerv3.Listener{}, listener, "inbound", port.ProxyPort, downstream, "inbound", "inbound.80"),
		encoded(m.t, model.TypeCluster, selfCluster, &clusterv3.Cluster{}, cluster, selfCluster, upstream, selfCluster, port.ProxyPort),
		encoded(m.t, model.TypeCluster, "inbound.80", &clusterv3.Cluster{}, cluster, "inbound.80", "", "inbound.80", port.AppPort),
	}
}

func encoded(t *testing.T, kind model.Type, name string, message proto.Message, format string, args ...any) *model.Resource {
	t.Helper()
	if err := protojson.Unmarshal([]byte(fmt.Sprintf(format, args...)), message); err != nil {
		t.Fatal(err)
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return model.NewResource(model.Resource{Type: kind, Name: name, Body: body})
}
