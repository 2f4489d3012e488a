// gcpserver is the peer that weft is measured against: go-control-plane's LinearCache, one
// per type behind a MuxCache, delta and state of the world, serving what xdsload dumped.
// Aliases are not in a dump, so virtual hosts are served to subscribers of all, not on
// demand; with -whole-routes they go into their RouteConfiguration, as such servers have it.
// With -bare there is no cache: what is then measured is gRPC-Go.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resource "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// kinds are the types in a dump, by their number there.
var kinds = []struct {
	name, url string
	make      func() types.Resource
}{
	{"cds", resource.ClusterType, func() types.Resource { return &clusterv3.Cluster{} }},
	{"eds", resource.EndpointType, func() types.Resource { return &endpointv3.ClusterLoadAssignment{} }},
	{"lds", resource.ListenerType, func() types.Resource { return &listenerv3.Listener{} }},
	{"rds", resource.RouteType, func() types.Resource { return &routev3.RouteConfiguration{} }},
	{"vhds", resource.VirtualHostType, func() types.Resource { return &routev3.VirtualHost{} }},
	{"srds", resource.ScopedRouteType, func() types.Resource { return &routev3.ScopedRouteConfiguration{} }},
}

// collection is one type's resources.
type collection struct {
	mu     sync.Mutex
	set    map[string]types.Resource
	update func(name string, m types.Resource) error
}

// read parses a dump: type byte, then name and Any, each length-prefixed.
func read(b []byte) (map[string]*collection, error) {
	all := map[string]*collection{}
	for _, k := range kinds {
		all[k.name] = &collection{set: map[string]types.Resource{}}
	}
	str := func() ([]byte, error) {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, fmt.Errorf("the dump is cut short")
		}
		v := b[k : k+int(n)]
		b = b[k+int(n):]
		return v, nil
	}
	for len(b) > 0 {
		t := int(b[0])
		b = b[1:]
		if t >= len(kinds) {
			return nil, fmt.Errorf("type %d in the dump is unknown", t)
		}
		name, err := str()
		if err != nil {
			return nil, err
		}
		v, err := str()
		if err != nil {
			return nil, err
		}
		m := kinds[t].make()
		var a anypb.Any
		if err := proto.Unmarshal(v, &a); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kinds[t].name, name, err)
		}
		if err := a.UnmarshalTo(m); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kinds[t].name, name, err)
		}
		all[kinds[t].name].set[string(name)] = m
	}
	return all, nil
}

// serve puts every collection behind one ADS server.
func serve(all map[string]*collection) (*grpc.Server, error) {
	mux := &cachev3.MuxCache{Caches: map[string]cachev3.Cache{}}
	for _, k := range kinds {
		c := all[k.name]
		cache := cachev3.NewLinearCache(k.url, cachev3.WithInitialResources(c.set))
		c.update, mux.Caches[k.url] = cache.UpdateResource, cache
		log.Printf("%s: %d", k.url, len(c.set))
	}
	mux.Classify = func(r *cachev3.Request) string { return r.GetTypeUrl() }
	mux.ClassifyDelta = func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() }
	g := grpc.NewServer(grpc.MaxConcurrentStreams(100000))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, serverv3.NewServer(context.Background(), mux, nil))
	return g, nil
}

// change answers ?name=... by replacing that resource with the edited copy of its first version.
func (c *collection) change(edit func(m types.Resource, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		name := r.FormValue("name")
		old, ok := c.set[name]
		if !ok {
			http.Error(w, "no such resource", http.StatusNotFound)
			return
		}
		m := proto.Clone(old)
		err := edit(m, r)
		if err == nil {
			err = c.update(name, m)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// addEndpoint adds ?addr= and ?port= to a ClusterLoadAssignment.
func addEndpoint(m types.Resource, r *http.Request) error {
	a := m.(*endpointv3.ClusterLoadAssignment)
	port, err := strconv.ParseUint(r.FormValue("port"), 10, 16)
	if err != nil {
		return err
	}
	if len(a.Endpoints) == 0 {
		a.Endpoints = []*endpointv3.LocalityLbEndpoints{{}}
	}
	addr := &corev3.SocketAddress{Address: r.FormValue("addr"), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)}}
	a.Endpoints[0].LbEndpoints = append(a.Endpoints[0].LbEndpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
		Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: addr}}}}})
	return nil
}

// mark makes a route resource remove the request header ?marker=.
func mark(m types.Resource, r *http.Request) error {
	marker := []string{r.FormValue("marker")}
	switch x := m.(type) {
	case *routev3.RouteConfiguration:
		x.RequestHeadersToRemove = marker
	case *routev3.VirtualHost:
		x.RequestHeadersToRemove = marker
	case *routev3.ScopedRouteConfiguration:
		if x.RouteConfiguration == nil {
			return fmt.Errorf("the scope is not inline: change %s by /rds", x.RouteConfigurationName)
		}
		x.RouteConfiguration.RequestHeadersToRemove = marker
	}
	return nil
}

// wholeRoutes moves the virtual hosts into the RouteConfigurations that ask for them by VHDS.
func wholeRoutes(all map[string]*collection) {
	hosts := all["vhds"].set
	for name, m := range all["rds"].set {
		routes := m.(*routev3.RouteConfiguration)
		if routes.Vhds == nil {
			continue
		}
		routes.Vhds = nil
		for _, key := range slices.Sorted(maps.Keys(hosts)) {
			if strings.HasPrefix(key, name+"/") {
				routes.VirtualHosts = append(routes.VirtualHosts, hosts[key].(*routev3.VirtualHost))
				delete(hosts, key)
			}
		}
	}
}

func main() {
	load := flag.String("load", "", "dump file of xdsload -dump")
	addr := flag.String("addr", "127.0.0.1:15110", "ADS, plaintext")
	ctl := flag.String("ctl", "127.0.0.1:15111", "HTTP: /eds?name=&addr=&port= and /rds, /vhds, /srds ?name=&marker= change one resource")
	whole := flag.Bool("whole-routes", false, "serve virtual hosts inside their RouteConfiguration instead of by VHDS")
	bare := flag.Bool("bare", false, "no cache: send bytes that are ready")
	flag.Parse()
	log.Fatal(run(*load, *addr, *ctl, *whole, *bare))
}

func run(load, addr, ctl string, whole, bare bool) error {
	b, err := os.ReadFile(load)
	if err != nil {
		return err
	}
	all, err := read(b)
	if err != nil {
		return err
	}
	if whole {
		wholeRoutes(all)
	}
	server := serve
	if bare {
		server = serveBare
	}
	g, err := server(all)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	http.HandleFunc("/eds", all["eds"].change(addEndpoint))
	for _, k := range []string{"rds", "vhds", "srds"} {
		http.HandleFunc("/"+k, all[k].change(mark))
	}
	go func() { log.Fatal(http.ListenAndServe(ctl, nil)) }()
	return g.Serve(l)
}
