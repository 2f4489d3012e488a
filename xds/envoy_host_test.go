package xds

import (
	"fmt"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"weft.dev/model"
)

// A real Envoy has the hosts of tables that come to it one after the other, each with a listener.
func TestEnvoyHasHostsOfNewTables(t *testing.T) {
	var all []*model.Resource
	var urls []string
	add := func() {
		name, listen := fmt.Sprintf("t%d", len(urls)), freeAddr(t)
		urls = append(urls, "http://"+listen+"/")
		all = append(all, discovered(t, name, listen)...)
	}
	add()
	p := newPlane(t, model.NewLayer("all", all...))
	startEnvoy(t, p, "DELTA_GRPC")
	answers(t, urls[0], "200 OK t0")
	for range 20 {
		add()
		p.held.Set("envoy-1", model.NewLayer("all", all...))
		answers(t, urls[len(urls)-1], fmt.Sprintf("200 OK t%d", len(urls)-1))
	}
}

// discovered are a listener, its table, and the one host that is found for it.
func discovered(t *testing.T, name, listen string) []*model.Resource {
	says := &routev3.DirectResponseAction{Status: 200, Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: name}}}
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     name,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: name, ConfigSource: ads}},
		HttpFilters:    []*hcmv3.HttpFilter{{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}}},
	}
	return []*model.Resource{
		encoded(t, listener, name, &listenerv3.Listener{Name: name, Address: socketAddress(t, listen), FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)}}},
		}}}),
		encoded(t, route, name, &routev3.RouteConfiguration{Name: name, Vhds: &routev3.Vhds{ConfigSource: ads}}),
		encoded(t, host, name+"/all", &routev3.VirtualHost{Name: name + "/all", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}, Action: &routev3.Route_DirectResponse{DirectResponse: says},
		}}}),
	}
}
