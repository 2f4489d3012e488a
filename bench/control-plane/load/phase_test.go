package load

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// lists starts an ADS server and returns its address and its resources by type.
func lists(t *testing.T, opts ...grpc.ServerOption) (string, *[ntypes]*cachev3.LinearCache) {
	var by [ntypes]*cachev3.LinearCache
	mux := &cachev3.MuxCache{Caches: map[string]cachev3.Cache{},
		Classify:      func(r *cachev3.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() }}
	for i, u := range typeURLs {
		by[i] = cachev3.NewLinearCache(u)
		mux.Caches[u] = by[i]
	}
	g := grpc.NewServer(opts...)
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, serverv3.NewServer(t.Context(), mux, nil))
	return listen(t, g), &by
}

func listen(t *testing.T, g *grpc.Server) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go g.Serve(l)
	t.Cleanup(g.Stop)
	return l.Addr().String()
}

func vhost(i int, marker string) *routev3.VirtualHost {
	return &routev3.VirtualHost{Name: fmt.Sprintf("out/svc-%d", i), Domains: []string{fmt.Sprintf("svc-%d", i)}, RequestHeadersToRemove: []string{marker}}
}

func scope(i int, marker string) *routev3.ScopedRouteConfiguration {
	return &routev3.ScopedRouteConfiguration{Name: fmt.Sprintf("s-%d", i), RouteConfiguration: &routev3.RouteConfiguration{Name: "r", VirtualHosts: []*routev3.VirtualHost{vhost(i, marker)}}}
}

const services = 5

// fill serves routes in one of four ways.
func fill(t *testing.T, mode string, by *[ntypes]*cachev3.LinearCache) {
	put := func(typ int, name string, r types.Resource) {
		if err := by[typ].UpdateResource(name, r); err != nil {
			t.Error(err)
		}
	}
	put(cds, "c", &clusterv3.Cluster{Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}})
	put(eds, "c", &endpointv3.ClusterLoadAssignment{ClusterName: "c"})
	h := byRDS("out", ads())
	switch mode {
	case "rds":
		put(rds, "out", &routev3.RouteConfiguration{Name: "out"})
	case "vhds":
		put(rds, "out", &routev3.RouteConfiguration{Name: "out", Vhds: &routev3.Vhds{ConfigSource: ads()}})
	default:
		h = bySRDS()
	}
	for i := range services {
		s := scope(i, "")
		switch mode {
		case "vhds":
			put(vhds, vhost(i, "").Name, vhost(i, ""))
		case "srds": // by RDS; the last scope names the same one as the first
			s.RouteConfiguration, s.RouteConfigurationName = nil, fmt.Sprintf("r-%d", i%(services-1))
			put(rds, s.RouteConfigurationName, &routev3.RouteConfiguration{Name: s.RouteConfigurationName})
			put(srds, s.Name, s)
		case "inline":
			put(srds, s.Name, s)
		}
	}
	put(lds, "out", &listenerv3.Listener{Name: "out", FilterChains: []*listenerv3.FilterChain{chain(t, h)}})
}

// changer puts ?marker= into one route.
func changer(by *[ntypes]*cachev3.LinearCache, mode string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m := r.FormValue("marker")
		var err error
		switch mode {
		case "rds":
			err = by[rds].UpdateResource("out", &routev3.RouteConfiguration{Name: "out", RequestHeadersToRemove: []string{m}})
		case "vhds":
			err = by[vhds].UpdateResource("out/svc-0", vhost(0, m))
		case "srds":
			err = by[rds].UpdateResource("r-0", &routev3.RouteConfiguration{Name: "r-0", RequestHeadersToRemove: []string{m}})
		case "inline":
			err = by[srds].UpdateResource("s-0", scope(0, m))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func testOptions(t *testing.T, server string, flags ...string) *options {
	o, err := parse(append([]string{"-server", server, "-n", "20", "-settle", "50ms", "-gap", "50ms", "-sync-timeout", "10s", "-metadata", "{}"}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestMeasure(t *testing.T) {
	held := map[string]map[int]int{
		"rds":    {rds: 1},
		"vhds":   {rds: 1, vhds: services},
		"srds":   {rds: services - 1, srds: services},
		"inline": {srds: services},
	}
	for mode, want := range held {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			addr, by := lists(t)
			fill(t, mode, by)
			ctl := httptest.NewServer(changer(by, mode))
			defer ctl.Close()
			dumped := filepath.Join(t.TempDir(), "dump")
			o := testOptions(t, addr, "-initial-versions", "-dump", dumped, "-change", "count=2,type=any,contains=m-{i}-end,http="+ctl.URL+"/?marker=m-{i}-end")
			r, err := measure(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Reconnect; got.Connected != 20 || len(got.Resources) != 0 || len(got.Msgs) == 0 {
				t.Errorf("a server with nothing new sent %+v", got)
			}
			if c := r.Changes[0]; c.Failed != 0 || len(c.Resources) != 1 {
				t.Errorf("changes: %+v", c)
			}
			want[cds], want[eds], want[lds] = 1, 1, 1
			for i := range ntypes {
				if h := r.Initial.Held[shortNames[i]]; h.Min != want[i] || h.Max != want[i] {
					t.Errorf("%s: %+v held, want %d", shortNames[i], h, want[i])
				}
			}
			if s, err := os.Stat(dumped); err != nil || s.Size() == 0 {
				t.Error("no dump", err)
			}
		})
	}
}

func TestTLSAndBearer(t *testing.T) {
	s := httptest.NewUnstartedServer(nil) // for its certificate
	s.StartTLS()
	defer s.Close()
	pair := s.TLS.Certificates[0]
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key": {Type: "PRIVATE KEY", Bytes: key}, "token": {}} {
		text := pem.EncodeToMemory(b)
		if name == "token" {
			text = []byte("secret\n")
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr, by := lists(t, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert})),
		grpc.StreamInterceptor(func(srv any, st grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if a := metadata.ValueFromIncomingContext(st.Context(), "authorization"); len(a) != 1 || a[0] != "Bearer secret" {
				return status.Error(codes.Unauthenticated, "no token")
			}
			return next(srv, st)
		}))
	fill(t, "rds", by)
	cert, token := filepath.Join(dir, "cert"), "@"+filepath.Join(dir, "token")
	identity := []string{"-tls", "-cert", cert, "-key", filepath.Join(dir, "key")}
	for _, flags := range [][]string{{"-ca", cert, "-bearer", token}, {"-insecure-skip-verify", "-bearer", "secret"}} {
		if _, err := measureInitial(t, testOptions(t, addr, append(flags, identity...)...)); err != nil {
			t.Error(flags, err)
		}
	}
	for want, flags := range map[string][]string{"unknown authority": {"-bearer", "secret"}, "no token": {"-ca", cert}} {
		_, err := measureInitial(t, testOptions(t, addr, append(append(flags, identity...), "-sync-timeout", "300ms")...))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", flags, err, want)
		}
	}
}

func measureInitial(t *testing.T, o *options) (*InitialSync, error) {
	f, err := newFleet(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.fail(nil)
	return f.initial(o)
}

// scripted answers the first request with one response.
type scripted struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	r *discoveryv3.DeltaDiscoveryResponse
}

func (s scripted) DeltaAggregatedResources(st discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	if err := st.Send(s.r); err != nil {
		return err
	}
	<-st.Context().Done()
	return nil
}

func TestFailures(t *testing.T) {
	for want, url := range map[string]string{
		"cannot handle":             "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
		"before anything referred":  typeURLs[vhds],
		"20 of 20 proxies":          typeURLs[cds], // then nothing
		"proxy 0 waits for lds":     typeURLs[cds],
		"not synced after 300ms":    typeURLs[cds],
		"sent srds before anything": typeURLs[srds],
	} {
		g := grpc.NewServer()
		discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, scripted{r: &discoveryv3.DeltaDiscoveryResponse{TypeUrl: url}})
		_, err := measureInitial(t, testOptions(t, listen(t, g), "-sync-timeout", "300ms"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	addr, by := lists(t)
	fill(t, "vhds", by)
	if _, err := measureInitial(t, testOptions(t, addr)); err != nil {
		t.Error(err)
	}
	for i := range services {
		by[vhds].DeleteResource(vhost(i, "").Name)
	}
	_, err := measureInitial(t, testOptions(t, addr, "-sync-timeout", "300ms"))
	if err == nil || !strings.Contains(err.Error(), `a virtual host for route configuration "out"`) {
		t.Error(err)
	}
	_, err = measureInitial(t, testOptions(t, addr, "-sotw"))
	if err == nil || !strings.Contains(err.Error(), "delta only") {
		t.Error(err)
	}
}
