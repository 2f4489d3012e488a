package envoy_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/agent/envoy"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
	"weft.dev/test/envoytest"
)

const (
	mostResident = 85 << 20 // of an Envoy whose workload needs 10 of 1,000 services
	services     = 1000
	needed       = 10
	instances    = 10 // of each service
)

// TestLean takes what the compiler makes for a workload that needs 10 of 1,000
// services to a real Envoy, has it call each of them, and weighs it beside an
// Envoy with the least static configuration that reaches the same instances.
func TestLean(t *testing.T) {
	port := freePort(t)
	ours := launch(t, func(dir string) []byte {
		view := viewOf(t, uint32(port))
		serveView(t, filepath.Join(dir, "ads.sock"), view, newSecrets(t))
		data, err := envoy.Bootstrap{
			ID: "shop/caller", Cluster: "caller", AgentSocket: filepath.Join(dir, "ads.sock"), AdminSocket: filepath.Join(dir, "admin.sock"),
		}.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
	leastPort := freePort(t)
	least := launch(t, func(dir string) []byte { return leastConfig(t, filepath.Join(dir, "admin.sock"), leastPort) })
	ours.await(port)
	least.await(leastPort)
	for i := range needed {
		// Nobody is there: Envoy says so, having done all that it does.
		for _, p := range []int{port, leastPort} {
			if got := call(t, p, serviceName(i)+".shop"); got != http.StatusServiceUnavailable {
				t.Fatalf("%s: status %d", serviceName(i), got)
			}
		}
	}
	ourStats, leastStats := ours.stats(), least.stats()
	t.Logf("statistics: %d, of the least configuration %d", len(ourStats), len(leastStats))
	for _, name := range ourStats {
		if strings.Contains(name, ".rds.") || strings.Contains(name, ".vhds.") || strings.Contains(name, ".ssl.") || strings.Contains(name, "upstream_cx") && !read.MatchString(name) {
			t.Errorf("nobody reads %s", name)
		}
	}
	a, b := ours.resident(), least.resident()
	t.Logf("resident %.1f MB, of the least configuration %.1f MB, ratio %.2f", float64(a)/(1<<20), float64(b)/(1<<20), float64(a)/float64(b))
	if a > mostResident {
		t.Errorf("an Envoy takes %d bytes, more than %d", a, mostResident)
	}
}

// read are the statistics of connections that are.
var read = regexp.MustCompile(`\.upstream_cx_(connect_fail|active|[tr]x_bytes_total): `)

func serviceName(i int) string { return fmt.Sprintf("service-%d", i) }

// viewOf compiles the mesh. All addresses are of loopback.
func viewOf(t *testing.T, outbound uint32) *model.View {
	t.Helper()
	g := flow.New(flow.Options{})
	in := compile.Inputs{}
	all, workloads, known := flow.NewSource[model.Service](g, "services"), flow.NewSource[model.Workload](g, "workloads"), flow.NewSource[model.Known](g, "known")
	in.Services, in.Replicas, in.Known = all.Collection, scope.Singles(workloads.Collection), known.Collection
	in.Cohorts = scope.Cohorts(in.Replicas)
	compiled := compile.New(g, in, compile.Options{TrustDomain: "mesh.test"})
	caller := model.Workload{
		Namespace: "shop", Name: "caller", App: "caller", Labels: map[string]string{"app": "caller"}, Address: "127.0.0.1", Outbound: outbound, Health: model.Healthy,
	}
	knows := model.Known{Cohort: caller.Cohort()}
	for i := range needed {
		knows.Hosts = append(knows.Hosts, model.HostOf("shop", serviceName(i)))
	}
	g.Commit(func(tx *flow.Tx) {
		for i := range services {
			name := serviceName(i)
			all.Set(tx, model.Service{
				Host: model.HostOf("shop", name), Namespace: "shop", Name: name, Resolution: model.ByWorkload,
				Selector: map[string]string{"app": name}, Ports: []model.Port{{Number: 80, Name: "http", Protocol: model.HTTP}},
			})
			for j := range instances {
				workloads.Set(tx, model.Workload{
					Namespace: "shop", Name: fmt.Sprint(name, "-", j), App: name, Version: "v1", Labels: map[string]string{"app": name, "version": "v1"},
					Address: address(i, j), Health: model.Healthy, Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP, ProxyPort: 1}},
				})
			}
		}
		workloads.Set(tx, caller)
		known.Set(tx, knows)
	})
	view := compiled.View("shop/caller", "")
	if view == nil {
		t.Fatal("the caller has no view")
	}
	return view
}

func address(service, instance int) string {
	return fmt.Sprintf("127.%d.%d.%d", 1+instance, service/250, 1+service%250)
}

// ads serves one view to one Envoy.
type ads struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	resources map[string][]*discoveryv3.Resource // by type URL
}

func serveView(t *testing.T, socket string, v *model.View, secrets []*discoveryv3.Resource) {
	t.Helper()
	s := &ads{resources: map[string][]*discoveryv3.Resource{model.TypeSecret.TypeURL(): secrets}}
	for kind := range model.NumTypes {
		url := kind.TypeURL()
		for r := range v.All(kind) {
			s.resources[url] = append(s.resources[url], &discoveryv3.Resource{
				Name: r.Name, Version: model.VersionText(r.Version), Aliases: r.Aliases, Resource: &anypb.Any{TypeUrl: url, Value: r.Body},
			})
		}
		t.Logf("%d %v", len(s.resources[url]), kind)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
}

func (s *ads) DeltaAggregatedResources(stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	seen := map[string]bool{}
	for n := 0; ; n++ {
		q, err := stream.Recv()
		if err != nil {
			return nil
		}
		wants := map[string]bool{"*": !seen[q.TypeUrl] && len(q.ResourceNamesSubscribe) == 0}
		seen[q.TypeUrl] = true
		for _, name := range q.ResourceNamesSubscribe {
			wants[name] = true
		}
		p := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: q.TypeUrl, Nonce: strconv.Itoa(n)}
		for _, one := range s.resources[q.TypeUrl] {
			if wants["*"] || wants[one.Name] {
				p.Resources = append(p.Resources, one)
			}
		}
		if len(p.Resources) > 0 {
			if err := stream.Send(p); err != nil {
				return err
			}
		}
	}
}

// newSecrets are what an agent would give.
func newSecrets(t *testing.T) []*discoveryv3.Resource {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		URIs: []*url.URL{{Scheme: "spiffe", Host: "mesh.test", Path: "/ns/shop/sa/caller"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := inline(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	roots := &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: chain}}
	var all []*discoveryv3.Resource
	for _, one := range []*tlsv3.Secret{
		{Name: model.SecretWorkload, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: chain, PrivateKey: inline(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		}}},
		{Name: model.SecretRoots, Type: roots}, {Name: model.SecretSystemRoots, Type: roots},
	} {
		body, err := proto.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &discoveryv3.Resource{Name: one.Name, Version: "1", Resource: &anypb.Any{TypeUrl: model.TypeSecret.TypeURL(), Value: body}})
	}
	return all
}

func inline(data []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: data}}
}

// leastConfig is what somebody would write by hand who knows the instances: no
// identity, no control plane, no name but one for each service.
func leastConfig(t *testing.T, admin string, port int) []byte {
	t.Helper()
	type object = map[string]any
	type list = []any
	at := func(address string, port int) object {
		return object{"socket_address": object{"address": address, "port_value": port}}
	}
	var clusters, hosts list
	for i := range needed {
		var endpoints list
		for j := range instances {
			endpoints = append(endpoints, object{"endpoint": object{"address": at(address(i, j), 1)}})
		}
		clusters = append(clusters, object{"name": serviceName(i), "type": "STATIC", "load_assignment": object{
			"cluster_name": serviceName(i), "endpoints": list{object{"lb_endpoints": endpoints}}}})
		hosts = append(hosts, object{"name": serviceName(i), "domains": list{serviceName(i) + ".shop"}, "routes": list{
			object{"match": object{"prefix": "/"}, "route": object{"cluster": serviceName(i)}}}})
	}
	manager := object{
		"@type":       "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "outbound", "route_config": object{"name": "outbound", "virtual_hosts": hosts},
		"http_filters": list{object{"name": "router", "typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}},
	}
	data, err := json.Marshal(object{
		"admin": object{"address": object{"pipe": object{"path": admin}}},
		"static_resources": object{"clusters": clusters, "listeners": list{object{"name": "outbound", "address": at("127.0.0.1", port),
			"filter_chains": list{object{"filters": list{object{"name": "http", "typed_config": manager}}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// launched is an Envoy that a Process runs.
type launched struct {
	t     *testing.T
	admin *envoy.Admin
	dir   string
	mu    sync.Mutex
	log   bytes.Buffer
}

func (l *launched) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func launch(t *testing.T, bootstrap func(dir string) []byte) *launched {
	t.Helper()
	l := &launched{t: t, dir: t.TempDir()}
	path := filepath.Join(l.dir, "bootstrap.json")
	if err := os.WriteFile(path, bootstrap(l.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	l.admin = envoy.NewAdmin(filepath.Join(l.dir, "admin.sock"))
	process := envoy.Process{Binary: envoytest.Binary(t), Bootstrap: path, LogFile: filepath.Join(l.dir, "envoy.log"), Concurrency: 1, Log: slog.New(slog.NewTextHandler(l, nil))}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := process.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return l
}

func (l *launched) await(port int) {
	l.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !l.admin.Ready(l.t.Context(), []uint32{uint32(port)}); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(l.dir, "envoy.log"))
			l.t.Fatalf("Envoy is not ready:\n%s", text)
		}
	}
}

// stats are the names of all that Envoy counts.
func (l *launched) stats() []string {
	l.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(l.dir, "admin.sock"))
	}}}
	reply, err := client.Get("http://envoy/stats")
	if err != nil {
		l.t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(body)), "\n")
}

func (l *launched) resident() int {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	pid := regexp.MustCompile(`pid=(\d+)`).FindSubmatch(l.log.Bytes())
	if pid == nil {
		l.t.Fatal("no Envoy was started")
	}
	text, err := os.ReadFile("/proc/" + string(pid[1]) + "/status")
	if err != nil {
		l.t.Fatal(err)
	}
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		l.t.Fatal("no VmRSS")
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		l.t.Fatal(err)
	}
	return kib << 10
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func call(t *testing.T, port int, host string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", port), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	return reply.StatusCode
}
