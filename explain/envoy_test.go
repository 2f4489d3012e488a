package explain_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/compile"
	"weft.dev/explain"
	"weft.dev/model"
	"weft.dev/test/envoytest"
)

const (
	meshes       = 3 // and their seeds: any others must do
	requestsEach = 250
)

// A real Envoy does what explain says: random requests through random routes of
// a sidecar and of a gateway, each compared in its answer or its cluster, its
// route, and the host and path that the backend sees.
func TestExplainIsWhatEnvoyDoes(t *testing.T) {
	backend := echo(t)
	previews := previewsAt(t, "a.test", "*.a.test", "*.test", "shop.example.com")
	for seed := range uint64(meshes) {
		random := rand.New(rand.NewPCG(seed, 0))
		outbound, gateway := freePort(t), freePort(t)
		all := randomMesh(random, outbound, gateway, backend)
		all.keys = previews.keys
		mesh := all.compile()
		for i, port := range []int{outbound, gateway} {
			w := all.workloads[i]
			t.Run(fmt.Sprintf("%s %d", w.Name, seed), func(t *testing.T) {
				runEnvoy(t, static(t, mesh.View(w.Key(), "")))
				compare(t, w, port, mesh, func() explain.Request {
					return previews.show(random, randomRequest(random, w.Gateway != "", port))
				})
			})
		}
	}
}

func compare(t *testing.T, w model.Workload, port int, mesh *compile.Compiled, next func() explain.Request) {
	outcomes := map[string]int{}
	for range requestsEach {
		q := next()
		trace, err := explain.Explain(mesh, w, q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		seen := send(t, port, w.Gateway == "", q)
		if !agrees(trace, seen) {
			t.Errorf("%s %s %v\nEnvoy: %+v\nexplain: %s", q.Method, q.URL, q.Headers, seen, trace.Text())
		}
		outcomes[fmt.Sprintf("%d forwarded: %v", seen.status, seen.cluster != "")]++
	}
	if len(outcomes) < 4 {
		t.Errorf("the requests meet too little: %v", outcomes)
	}
}

// observed is what became of a request.
type observed struct {
	status         uint32
	cluster, route string
	host, path     string // that the backend saw
}

// agrees says whether the trace has what was observed among its possibilities.
func agrees(trace explain.Trace, seen observed) bool {
	if seen.route != trace.Route.Name && seen.route != "" {
		return false
	}
	if seen.cluster == "" {
		return slices.ContainsFunc(trace.Answers, func(a explain.Answer) bool { return a.Status == seen.status && a.Percent > 0 })
	}
	for _, p := range trace.Policies {
		if p.Name == "rewrite" && p.Text != seen.host+" "+seen.path {
			return false
		}
	}
	return slices.ContainsFunc(trace.Targets, func(x explain.Target) bool { return x.Name == seen.cluster && x.Percent > 0 })
}

// send makes the request byte for byte, which an HTTP client would not.
func send(t *testing.T, port int, proxied bool, q explain.Request) observed {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	authority := strings.TrimPrefix(q.URL, "http://")
	i := strings.IndexAny(authority+"/", "/?")
	authority, target := authority[:i], authority[i:]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target // as every client does
	}
	if proxied {
		target = "http://" + authority + target
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n", q.Method, target, authority)
	for name, value := range q.Headers {
		fmt.Fprintf(conn, "%s: %s\r\n", name, value)
	}
	fmt.Fprint(conn, "\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	response.Body.Close()
	h := response.Header
	return observed{uint32(response.StatusCode), h.Get("x-cluster"), h.Get("x-route"), h.Get("x-host"), h.Get("x-path")}
}

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
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx-host: %s\r\nx-path: %s\r\n\r\n", headers.Get("Host"), strings.Fields(line)[1])
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// static is a view with nothing left to be delivered, and with headers in its
// answers that say by which route and cluster.
func static(t *testing.T, view *model.View) *bootstrapv3.Bootstrap {
	t.Helper()
	resources := &bootstrapv3.Bootstrap_StaticResources{}
	for r := range view.All(model.TypeCluster) {
		c := unpack(t, r, &clusterv3.Cluster{})
		if c.EdsClusterConfig != nil {
			c.EdsClusterConfig, c.ClusterDiscoveryType = nil, &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
			c.LoadAssignment = unpack(t, view.Find(model.TypeEndpoint, c.Name), &endpointv3.ClusterLoadAssignment{})
		}
		resources.Clusters = append(resources.Clusters, c)
	}
	for r := range view.All(model.TypeListener) {
		l := unpack(t, r, &listenerv3.Listener{})
		for _, chain := range l.FilterChains {
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
			chain.Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, m)}
		}
		resources.Listeners = append(resources.Listeners, l)
	}
	return &bootstrapv3.Bootstrap{
		StaticResources:     resources,
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{Name: "envoy.bootstrap.internal_listener", TypedConfig: packed(t, &internalv3.InternalListener{})}},
	}
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

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
