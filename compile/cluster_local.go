package compile

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

// poolOf is what the closest one says of the connections to a workload's application: of itself, of its namespace, of the mesh.
func poolOf(all []model.Inbound, w model.Workload) (model.Pool, []model.Key) {
	about := slices.DeleteFunc(slices.Clone(all), func(i model.Inbound) bool { return !model.Matches(i.Selector, w.Labels) })
	if len(about) == 0 {
		return model.Pool{}, nil
	}
	closest := slices.MinFunc(about, func(a, b model.Inbound) int {
		near := func(i model.Inbound) int {
			return closeness(model.Reach{Namespace: i.Namespace, Selector: i.Selector})
		}
		return cmp.Or(cmp.Compare(near(b), near(a)), cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
	})
	return closest.Pool, keysOf(closest.From)
}

// localCluster leads from a proxy to the application beside it.
func localCluster(name string, port uint32, protocol model.Protocol, p model.Pool) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                          name,
		ConnectTimeout:                durationpb.New(cmp.Or(p.ConnectTimeout, ConnectTimeout)),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		CircuitBreakers:               breakers(model.TrafficPolicy{Pool: p}),
		LoadAssignment: assignment(name, here([]*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address("127.0.0.1", port)}},
		}})),
	}
	if p.Keepalive.Sent {
		c.UpstreamConnectionOptions = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: keepalive(p.Keepalive)}
	}
	if protocol.IsHTTP() {
		c.TypedExtensionProtocolOptions = map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&upstreamsv3.HttpProtocolOptions{
				CommonHttpProtocolOptions: connectionsOf(p, localIdleTimeout),
				UpstreamProtocolOptions:   explicitHTTP(protocol == model.HTTP2, p),
			}),
		}
	}
	return c
}
