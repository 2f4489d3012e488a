package load

import (
	"slices"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func file() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Path{Path: "routes.yaml"}}
}

func byRDS(name string, src *corev3.ConfigSource) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: name, ConfigSource: src}}}
}

func bySRDS() *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{
		Name: "out", RdsConfigSource: ads(), ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRds{ScopedRds: &hcmv3.ScopedRds{ScopedRdsConfigSource: ads()}}}}}
}

func byList(scopes ...*routev3.ScopedRouteConfiguration) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{RouteSpecifier: &hcmv3.HttpConnectionManager_ScopedRoutes{ScopedRoutes: &hcmv3.ScopedRoutes{
		ConfigSpecifier: &hcmv3.ScopedRoutes_ScopedRouteConfigurationsList{ScopedRouteConfigurationsList: &hcmv3.ScopedRouteConfigurationsList{ScopedRouteConfigurations: scopes}}}}}
}

func chain(t *testing.T, h *hcmv3.HttpConnectionManager) *listenerv3.FilterChain {
	a, err := anypb.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return &listenerv3.FilterChain{Filters: []*listenerv3.Filter{{ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: a}}}}
}

func TestReferences(t *testing.T) {
	edsCluster := &clusterv3.Cluster{Name: "c", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}}
	named := proto.Clone(edsCluster).(*clusterv3.Cluster)
	named.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{ServiceName: "service"}
	for name, c := range map[string]struct {
		typ  int
		m    proto.Message
		want references
	}{
		"static cluster":    {cds, &clusterv3.Cluster{Name: "c"}, references{}},
		"eds cluster":       {cds, edsCluster, references{names: []string{"c"}}},
		"named eds cluster": {cds, named, references{names: []string{"service"}}},
		"listener": {lds, &listenerv3.Listener{
			FilterChains:       []*listenerv3.FilterChain{chain(t, byRDS("a", ads())), chain(t, byRDS("elsewhere", file())), chain(t, bySRDS())},
			DefaultFilterChain: chain(t, byRDS("b", ads())),
		}, references{names: []string{"a", "b"}, srds: true}},
		"api listener": {lds, &listenerv3.Listener{ApiListener: &listenerv3.ApiListener{
			ApiListener: chain(t, byRDS("a", ads())).Filters[0].GetTypedConfig()}}, references{names: []string{"a"}}},
		"scopes in listener": {lds, &listenerv3.Listener{FilterChains: []*listenerv3.FilterChain{chain(t, byList(
			&routev3.ScopedRouteConfiguration{RouteConfigurationName: "a"}))}}, references{names: []string{"a"}}},
		"routes":            {rds, &routev3.RouteConfiguration{Name: "r", VirtualHosts: []*routev3.VirtualHost{{Name: "v"}}}, references{}},
		"routes with vhds":  {rds, &routev3.RouteConfiguration{Name: "r", Vhds: &routev3.Vhds{ConfigSource: ads()}}, references{vhds: true}},
		"vhds from a file":  {rds, &routev3.RouteConfiguration{Name: "r", Vhds: &routev3.Vhds{ConfigSource: file()}}, references{}},
		"scope":             {srds, &routev3.ScopedRouteConfiguration{Name: "s", RouteConfigurationName: "r"}, references{names: []string{"r"}}},
		"inline scope":      {srds, &routev3.ScopedRouteConfiguration{Name: "s", RouteConfiguration: &routev3.RouteConfiguration{Name: "r"}}, references{}},
		"scope on demand":   {srds, &routev3.ScopedRouteConfiguration{Name: "s", RouteConfigurationName: "r", OnDemand: true}, references{}},
		"virtual host":      {vhds, &routev3.VirtualHost{Name: "r/v"}, references{}},
		"malformed is none": {rds, nil, references{}},
	} {
		b := []byte{0xff}
		if c.m != nil {
			b, _ = proto.Marshal(c.m)
		}
		got := referencesOf(c.typ, b)
		if !slices.Equal(got.names, c.want.names) || got.vhds != c.want.vhds || got.srds != c.want.srds {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestParseDelta(t *testing.T) {
	body := &anypb.Any{TypeUrl: typeURLs[vhds], Value: []byte("body")}
	b, err := proto.Marshal(&discoveryv3.DeltaDiscoveryResponse{SystemVersionInfo: "7", TypeUrl: typeURLs[vhds], Nonce: "n", RemovedResources: []string{"gone"},
		Resources: []*discoveryv3.Resource{{Name: "r/a", Version: "1", Aliases: []string{"r/b"}, Resource: body}, {Name: "r/none", Version: "0"}}})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := parseDelta(b)
	if !ok || r.version != "7" || r.typeURL != typeURLs[vhds] || r.nonce != "n" || !slices.Equal(r.removed, []string{"gone"}) || len(r.resources) != 2 {
		t.Fatalf("%v %+v", ok, r)
	}
	if x := r.resources[0]; x.name != "r/a" || x.version != "1" || string(x.body) != "body" {
		t.Errorf("%+v", x)
	}
	if x := r.resources[1]; x.name != "r/none" || x.any != nil {
		t.Errorf("%+v", x)
	}
	if _, ok := parseDelta(b[:len(b)-1]); ok {
		t.Error("a response that is cut short passes")
	}
}
