package compile

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/flow"
	"weft.dev/model"
)

// Strays are calls to what nobody knows. Where traffic is redirected they go
// where they were going, so that an application notices no proxy.
const (
	straysName    = "strays"
	inboundStrays = "inbound.strays"

	inspectTimeout = time.Second
)

func straysCluster() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          straysName,
		ConnectTimeout:                durationpb.New(connectTimeout),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST},
		LbPolicy:                      clusterv3.Cluster_CLUSTER_PROVIDED,
		CircuitBreakers:               breakers(model.Pool{}),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&upstreamsv3.HttpProtocolOptions{
				UpstreamProtocolOptions: &upstreamsv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
					UseDownstreamProtocolConfig: &upstreamsv3.HttpProtocolOptions_UseDownstreamHttpConfig{Http2ProtocolOptions: http2Limits()},
				},
			}),
		},
	}
}

// stray is an authority that a caller in a namespace asked for. Key: its layer.
type stray struct{ Namespace, Authority string }

func (s stray) Key() string        { return strayLayerName(s.Namespace, s.Authority) }
func (s stray) Equal(o stray) bool { return s == o }

func strayLayerName(namespace, authority string) string {
	return "stray/" + namespace + "/" + authority
}

// strayLayers have a virtual host for each authority that was asked for and that
// no service has.
func (c *compiler) strayLayers() *flow.Collection[*model.Layer] {
	asked := flow.NewIndex(c.scopes, func(s scope) []string {
		if !s.redirected() {
			return nil
		}
		all := make([]string, len(s.Asked))
		for i, authority := range s.Asked {
			all[i] = strayLayerName(s.Namespace, authority)
		}
		return all
	})
	strays := flow.Group(asked, "compile/strays", func(_ *flow.Ctx, key string, askers []scope) *stray {
		namespace := askers[0].Namespace
		return &stray{namespace, key[len(strayLayerName(namespace, "")):]}
	})
	return flow.Derive(strays, "compile/layers/strays", func(x *flow.Ctx, s stray) []*model.Layer {
		if c.hostCalled(x, s.Authority, s.Namespace) != "" {
			return nil
		}
		return []*model.Layer{c.strayLayer(s)}
	})
}

func (c *compiler) strayLayer(s stray) *model.Layer {
	host := strayHost(s.Authority)
	return model.NewLayer(s.Key(), c.intern.resource(model.TypeVirtualHost, host.Name, host, []string{straysName}))
}

// strayHost leads requests with an authority, or "*", on to where they were going.
func strayHost(authority string) *routev3.VirtualHost {
	return &routev3.VirtualHost{
		Name: OutboundRoutes + "/" + authority, Domains: []string{authority},
		Routes: []*routev3.Route{{
			Name:  straysName,
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: straysName}, Timeout: noTimeout(),
			}},
		}},
	}
}
