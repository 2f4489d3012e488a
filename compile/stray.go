package compile

import (
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// Strays are calls to what nobody knows. Where traffic is redirected they go
// where they were going, so that an application notices no proxy.
const (
	straysName    = "strays"
	inboundStrays = "inbound.strays"
)

func straysCluster() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          straysName,
		ConnectTimeout:                durationpb.New(ConnectTimeout),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST},
		LbPolicy:                      clusterv3.Cluster_CLUSTER_PROVIDED,
		CircuitBreakers:               breakers(model.TrafficPolicy{}),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&upstreamsv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &upstreamsv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
					UseDownstreamProtocolConfig: &upstreamsv3.HttpProtocolOptions_UseDownstreamHttpConfig{Http2ProtocolOptions: http2Limits()},
				},
			}),
		},
	}
}

// strayLayer is what explains a call to what nobody knows.
const strayLayer = "stray"

// strays is the authority of which everything is that a proxy knows nobody of.
// One that asks first gets a pattern, of which its agent makes what is asked for.
func (s scope) strays() string {
	if s.All {
		return "*"
	}
	return strings.TrimPrefix(model.StrayHost, model.AskPrefix)
}

func (c *compiler) strays(authority string) *model.Resource {
	host := strayHost(authority)
	return c.intern.resource(model.TypeVirtualHost, host.Name, host, []string{straysName})
}

// strayHost leads requests with an authority, or "*", on to where they were going.
func strayHost(authority string) *routev3.VirtualHost {
	return &routev3.VirtualHost{
		Name: model.AskPrefix + authority, Domains: []string{authority},
		Routes: []*routev3.Route{{
			Name:  straysName,
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: straysName}, Timeout: noTimeout(),
			}},
		}},
	}
}
