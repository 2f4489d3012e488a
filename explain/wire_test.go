package explain_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	internalv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/explain"
	"weft.dev/model"
	"weft.dev/test/envoytest"
)

// observed is what became of a request.
type observed struct {
	status         uint32
	forwarded      bool
	cluster, route string
	host, path     string // that the backend saw
	location       string
	readers        string // the origin whose pages may read the answer
	fallback       string // the service of which another one's answer was given
	took           time.Duration
}

// client has a connection to each place that it asks.
type client struct{ open map[string]*connection }

type connection struct {
	net.Conn
	in *bufio.Reader
}

func newClient(t *testing.T) *client {
	c := &client{map[string]*connection{}}
	t.Cleanup(func() {
		for _, conn := range c.open {
			conn.Close()
		}
	})
	return c
}

// send makes the request byte for byte, which an HTTP client would not. A proxied one goes to the
// port, any other to the one that it names.
func (c *client) send(port int, proxied bool, q explain.Request) (observed, error) {
	scheme, rest, _ := strings.Cut(q.URL, "://")
	i := strings.IndexAny(rest+"/", "/?")
	authority, target := rest[:i], rest[i:]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target // as every client does
	}
	if proxied {
		target = "http://" + authority + target
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n", q.Method, target, authority)
	for name, value := range q.Headers {
		fmt.Fprintf(&text, "%s: %s\r\n", name, value)
	}
	text.WriteString("\r\n")
	name := ""
	if scheme == "https" {
		name, _, _ = strings.Cut(authority, ":")
	}
	at := fmt.Sprintf("%d %s", port, name)
	conn, reused := c.open[at]
	for {
		if conn == nil {
			var err error
			if conn, err = dial(port, name); err != nil {
				return observed{}, err
			}
			c.open[at] = conn
		}
		seen, last, err := conn.ask(q.Method, text.String())
		if err == nil && !last {
			return seen, nil
		}
		conn.Close()
		delete(c.open, at)
		if conn = nil; err == nil || !reused {
			return seen, err
		}
		reused = false // the proxy may have closed it in the meantime
	}
}

func dial(port int, name string) (*connection, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil && name != "" {
		secure := tls.Client(conn, &tls.Config{ServerName: strings.TrimSuffix(name, "."), InsecureSkipVerify: true})
		conn, err = secure, secure.Handshake()
	}
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

// ask says whether the answer is the last one of the connection.
func (c *connection) ask(method, text string) (seen observed, last bool, err error) {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	begin := time.Now()
	if _, err := io.WriteString(c, text); err != nil {
		return seen, true, err
	}
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		return seen, true, err
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return seen, true, err
	}
	h := response.Header
	return observed{
		status: uint32(response.StatusCode), forwarded: h.Get("x-path") != "", cluster: h.Get("x-cluster"), route: h.Get("x-route"), host: h.Get("x-host"), path: h.Get("x-path"),
		location: h.Get("location"), readers: h.Get("access-control-allow-origin"), fallback: h.Get("x-weft-fallback"), took: time.Since(begin),
	}, response.Close, nil
}

// wanted is the header by which a request says what the backend answers it.
const wanted = "x-answer"

// echo is a backend that says what it sees, byte for byte.
func echo(t *testing.T) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := textproto.NewReader(bufio.NewReader(conn)); ; {
					line, err := in.ReadLine()
					headers, err2 := in.ReadMIMEHeader()
					if err != nil || err2 != nil {
						return
					}
					fmt.Fprintf(conn, "HTTP/1.1 %s OK\r\nContent-Length: 0\r\nx-host: %s\r\nx-path: %s\r\n\r\n",
						cmp.Or(headers.Get(wanted), "200"), headers.Get("Host"), strings.Fields(line)[1])
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// static are views with nothing left to be delivered, and with headers in their
// answers that say by which route and cluster.
func static(t *testing.T, views ...*model.View) *bootstrapv3.Bootstrap {
	t.Helper()
	all := &bootstrapv3.Bootstrap_StaticResources{}
	clusters, secrets := map[string]*clusterv3.Cluster{}, map[string]bool{}
	for _, view := range views {
		for r := range view.All(model.TypeCluster) {
			c := unpack(t, r, &clusterv3.Cluster{})
			if c.EdsClusterConfig != nil {
				c.EdsClusterConfig, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
				c.LoadAssignment = unpack(t, view.Find(model.TypeEndpoint, c.Name), &endpointv3.ClusterLoadAssignment{})
			}
			if other := clusters[c.Name]; other == nil {
				clusters[c.Name], all.Clusters = c, append(all.Clusters, c)
			} else if !proto.Equal(c, other) {
				t.Fatalf("the cluster %s of two proxies of one Envoy differs", c.Name)
			}
		}
		for r := range view.All(model.TypeSecret) {
			if !secrets[r.Name] {
				secrets[r.Name], all.Secrets = true, append(all.Secrets, unpack(t, r, &tlsv3.Secret{}))
			}
		}
		for r := range view.All(model.TypeListener) {
			l := unpack(t, r, &listenerv3.Listener{})
			for _, chain := range l.FilterChains {
				fix(t, view, chain)
			}
			all.Listeners = append(all.Listeners, l)
		}
	}
	return &bootstrapv3.Bootstrap{
		StaticResources:     all,
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{Name: "envoy.bootstrap.internal_listener", TypedConfig: packed(t, &internalv3.InternalListener{})}},
	}
}

// fix puts into a chain what would be delivered for it.
func fix(t *testing.T, view *model.View, chain *listenerv3.FilterChain) {
	m := &hcmv3.HttpConnectionManager{}
	if err := chain.Filters[0].GetTypedConfig().UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	table := unpack(t, view.Find(model.TypeRoute, m.GetRds().RouteConfigName), &routev3.RouteConfiguration{})
	if table.Vhds != nil {
		table.Vhds = nil
		for r := range view.All(model.TypeVirtualHost) {
			if strings.HasPrefix(r.Name, table.Name+"/") {
				table.VirtualHosts = append(table.VirtualHosts, unpack(t, r, &routev3.VirtualHost{}))
			}
		}
	}
	for name, value := range map[string]string{"x-cluster": "%UPSTREAM_CLUSTER%", "x-route": "%ROUTE_NAME%"} {
		table.ResponseHeadersToAdd = append(table.ResponseHeadersToAdd, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}})
	}
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: table}
	for _, f := range m.HttpFilters {
		if f.GetConfigDiscovery() != nil {
			f.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: unpack(t, view.Find(model.TypeExtension, f.Name), &corev3.TypedExtensionConfig{}).TypedConfig}
		}
	}
	chain.Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, m)}
	if chain.TransportSocket == nil {
		return
	}
	secure := &tlsv3.DownstreamTlsContext{}
	if err := chain.TransportSocket.GetTypedConfig().UnmarshalTo(secure); err != nil {
		t.Fatal(err)
	}
	for _, s := range secure.CommonTlsContext.TlsCertificateSdsSecretConfigs {
		s.SdsConfig = nil
	}
	chain.TransportSocket.ConfigType = &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, secure)}
}

func unpack[M proto.Message](t *testing.T, r *model.Resource, into M) M {
	t.Helper()
	if r == nil {
		t.Fatalf("a %T is missing", into)
	}
	if err := proto.Unmarshal(r.Body, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func packed(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// runEnvoy returns when the process is ready.
func runEnvoy(t *testing.T, b *bootstrapv3.Bootstrap) {
	t.Helper()
	folder := t.TempDir()
	b.Admin = &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 0},
	}}}}
	config, addressFile := filepath.Join(folder, "envoy.json"), filepath.Join(folder, "admin")
	body, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, body, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var log strings.Builder
	process := exec.CommandContext(ctx, envoytest.Binary(t), "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error", "--admin-address-path", addressFile)
	process.Stderr = &log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); process.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; {
		if admin, _ := os.ReadFile(addressFile); len(admin) > 0 {
			if r, err := http.Get("http://" + string(admin) + "/ready"); err == nil {
				r.Body.Close()
				if r.StatusCode == 200 {
					return
				}
			}
		}
		if time.Now().After(deadline) {
			stop()
			process.Wait()
			t.Fatalf("envoy is not ready:\n%s", log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// handedOut are the ports that tests have: the kernel gives one again that nobody listens at yet, and two listeners of a
// mesh would be at it.
var handedOut sync.Map

func freePort(t *testing.T) int {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, taken := handedOut.LoadOrStore(port, true); !taken {
			return port
		}
	}
}
