package compile

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	upstreamsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

// Limits of what one proxy opens towards one cluster, where its policy names
// no other. They bound memory; they are not meant to shape traffic.
const (
	DefaultConnections    = 4096
	DefaultPending        = 4096
	DefaultRequests       = 16384
	RetryBudgetPercent    = 20 // of the active requests may be retries
	RetryBudgetMinimum    = 10 // retries at once are always allowed: with few calls a share is soon too small for one mistake
	ConnectTimeout        = 5 * time.Second
	IdleTimeout           = time.Hour
	localIdleTimeout      = 3 * time.Second // shorter than an application's own, or both close at once
	connectionBuffer      = 32 << 10
	streamWindow          = 256 << 10
	connectionWindow      = 1 << 20
	maxConcurrentStreams  = 1000
	DeadAfterConnectFails = 5  // in a row: an endpoint that nobody answers at is left out
	maxEjectedPercent     = 50 // of the endpoints, by default
)

// cluster is the Envoy cluster of a destination. accounts are the identities
// that its endpoints may have.
func cluster(d destination, accounts []string) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                          d.Key(),
		ConnectTimeout:                durationpb.New(max(d.Traffic.Pool.ConnectTimeout, 0)),
		PerConnectionBufferLimitBytes: u32(connectionBuffer),
		CircuitBreakers:               breakers(d.Traffic),
		OutlierDetection:              outlier(d),
		CommonLbConfig:                commonBalancing(d.Traffic),
		TransportSocket:               withProxyHeader(d, clientSocket(d, accounts)),
		TransportSocketMatches:        plainEndpoints(d),
		TypedExtensionProtocolOptions: httpOptions(d),
		Metadata:                      provenance(d.origins()...),
		IgnoreHealthOnHostRemoval:     true, // a removed endpoint leaves at once and drains
	}
	if d.Traffic.Pool.ConnectTimeout <= 0 {
		c.ConnectTimeout = durationpb.New(ConnectTimeout)
	}
	if k := d.Traffic.Pool.Keepalive; k.Sent {
		c.UpstreamConnectionOptions = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: keepalive(k)}
	}
	discovery(c, d)
	if d.Service.Resolution != model.Dynamic {
		balancing(c, d.Traffic)
	}
	return c
}

// keepalive is in whole seconds, as the system has it.
func keepalive(k model.Keepalive) *corev3.TcpKeepalive {
	out := &corev3.TcpKeepalive{}
	if k.Probes > 0 {
		out.KeepaliveProbes = u32(k.Probes)
	}
	if k.Idle > 0 {
		out.KeepaliveTime = u32(uint32(max(1, k.Idle/time.Second)))
	}
	if k.Interval > 0 {
		out.KeepaliveInterval = u32(uint32(max(1, k.Interval/time.Second)))
	}
	return out
}

// origins are where the service was written down; policies are told by their keys.
func (d destination) origins() []model.Origin {
	all := d.Service.From
	for _, k := range d.From {
		known := false
		for _, o := range d.Service.From {
			known = known || o.Key == k
		}
		if !known {
			all = append(all[:len(all):len(all)], model.Origin{Key: k})
		}
	}
	return all
}

func discovery(c *clusterv3.Cluster, d destination) {
	if d.Service.Resolution == model.Dynamic {
		dynamic(c, d)
		return
	}
	if d.Service.Resolution != model.ByDNS {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
		c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()}
		return
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
	c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED
	// A name that does not resolve must not hold back every other cluster.
	c.WaitForWarmOnInit = wrapperspb.Bool(false)
	addresses := d.Service.Addresses
	if len(addresses) == 0 {
		addresses = []model.Address{{Host: d.Service.Host}}
	}
	c.LoadAssignment = d.ranked(fixedEndpoints(d, addresses))
}

func balancing(c *clusterv3.Cluster, t model.TrafficPolicy) {
	warmup := slowStart(t.Warmup)
	if t.Hash != nil && t.Balancer == model.LeastRequest {
		t.Balancer = model.RingHash
	}
	switch t.Balancer {
	case model.RoundRobin:
		c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
		if warmup != nil {
			c.LbConfig = &clusterv3.Cluster_RoundRobinLbConfig_{RoundRobinLbConfig: &clusterv3.Cluster_RoundRobinLbConfig{SlowStartConfig: warmup}}
		}
	case model.Random:
		c.LbPolicy = clusterv3.Cluster_RANDOM
	case model.RingHash:
		c.LbPolicy = clusterv3.Cluster_RING_HASH
		if size := sizeOf(t.Hash); size != nil {
			c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{MinimumRingSize: size}}
		}
	case model.Maglev:
		c.LbPolicy = clusterv3.Cluster_MAGLEV
		if size := sizeOf(t.Hash); size != nil {
			c.LbConfig = &clusterv3.Cluster_MaglevLbConfig_{MaglevLbConfig: &clusterv3.Cluster_MaglevLbConfig{TableSize: size}}
		}
	default:
		c.LbPolicy = clusterv3.Cluster_LEAST_REQUEST
		if warmup != nil {
			c.LbConfig = &clusterv3.Cluster_LeastRequestLbConfig_{LeastRequestLbConfig: &clusterv3.Cluster_LeastRequestLbConfig{SlowStartConfig: warmup}}
		}
	}
}

func sizeOf(k *model.HashKey) *wrapperspb.UInt64Value {
	if k == nil || k.Size == 0 {
		return nil
	}
	return wrapperspb.UInt64(k.Size)
}

func slowStart(w model.Warmup) *clusterv3.Cluster_SlowStartConfig {
	if w.For <= 0 {
		return nil
	}
	out := &clusterv3.Cluster_SlowStartConfig{SlowStartWindow: durationpb.New(w.For)}
	if w.Minimum > 0 {
		out.MinWeightPercent = &typev3.Percent{Value: w.Minimum}
	}
	if w.Aggression > 0 {
		out.Aggression = &corev3.RuntimeDouble{DefaultValue: w.Aggression, RuntimeKey: "weft.aggression"}
	}
	return out
}

// commonBalancing turns Envoy's panic mode off unless the owner asks for it: it
// would send to endpoints that drain, and hide that a service is down.
func commonBalancing(t model.TrafficPolicy) *clusterv3.Cluster_CommonLbConfig {
	panicBelow := 0.0
	if t.Outlier != nil {
		panicBelow = float64(t.Outlier.MinHealthPercent)
	}
	out := &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: panicBelow}}
	if t.Local != nil && len(t.Local.Shares) > 0 {
		out.LocalityConfigSpecifier = &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig_{LocalityWeightedLbConfig: &clusterv3.Cluster_CommonLbConfig_LocalityWeightedLbConfig{}}
	}
	return out
}

func breakers(policy model.TrafficPolicy) *clusterv3.CircuitBreakers {
	p := policy.Pool
	t := &clusterv3.CircuitBreakers_Thresholds{
		MaxConnections:     orDefault(p.MaxConnections, DefaultConnections),
		MaxPendingRequests: orDefault(p.MaxPending, DefaultPending),
		MaxRequests:        orDefault(p.MaxRequests, DefaultRequests),
	}
	if p.MaxRetries > 0 && policy.Budget == nil {
		t.MaxRetries = u32(p.MaxRetries)
	} else {
		t.RetryBudget = budget(policy.Budget)
	}
	return &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{t}}
}

func budget(b *model.RetryBudget) *clusterv3.CircuitBreakers_Thresholds_RetryBudget {
	if b == nil {
		b = &model.RetryBudget{Percent: RetryBudgetPercent, Least: RetryBudgetMinimum}
	}
	out := &clusterv3.CircuitBreakers_Thresholds_RetryBudget{BudgetPercent: &typev3.Percent{Value: b.Percent}, MinRetryConcurrency: u32(b.Least)}
	if b.Interval > 0 {
		out.BudgetInterval = durationpb.New(b.Interval)
	}
	return out
}

// outlier leaves out endpoints at which nobody answers; those that answer badly
// only if the owner asks for it.
func outlier(d destination) *clusterv3.OutlierDetection {
	never := u32(0)
	out := &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors:         true,
		ConsecutiveLocalOriginFailure:          u32(DeadAfterConnectFails),
		EnforcingConsecutiveLocalOriginFailure: u32(100),
		EnforcingConsecutive_5Xx:               never,
		EnforcingConsecutiveGatewayFailure:     never,
		EnforcingSuccessRate:                   never,
		EnforcingLocalOriginSuccessRate:        never,
		MaxEjectionPercent:                     u32(maxEjectedPercent),
	}
	o := d.Traffic.Outlier
	if o == nil {
		return out
	}
	if o.Consecutive5xx > 0 {
		out.Consecutive_5Xx, out.EnforcingConsecutive_5Xx = u32(o.Consecutive5xx), u32(100)
	}
	if o.ConsecutiveGateway > 0 {
		out.ConsecutiveGatewayFailure, out.EnforcingConsecutiveGatewayFailure = u32(o.ConsecutiveGateway), u32(100)
	}
	out.ConsecutiveLocalOriginFailure = orDefault(o.ConsecutiveConnect, DeadAfterConnectFails)
	out.Interval, out.BaseEjectionTime = period(o.Interval), period(o.BaseEjection)
	out.MaxEjectionPercent = orDefault(o.MaxEjectionPercent, maxEjectedPercent)
	return out
}

// httpOptions chooses the protocol: HTTP/2 to every proxy of the mesh whatever
// the application behind it speaks, else what the port says.
func httpOptions(d destination) map[string]*anypb.Any {
	if !d.Port.Protocol.IsHTTP() && !d.asks() {
		return nil
	}
	options := &upstreamsv3.HttpProtocolOptions{CommonHttpProtocolOptions: connectionsOf(d.Traffic.Pool, IdleTimeout)}
	options.UpstreamProtocolOptions = explicitHTTP(d.http2(), d.Traffic.Pool)
	following(options, d)
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(options)}
}

// connectionsOf says for how long connections are kept, and for how many requests.
func connectionsOf(p model.Pool, idle time.Duration) *corev3.HttpProtocolOptions {
	if p.IdleTimeout > 0 {
		idle = p.IdleTimeout
	}
	out := &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(idle)}
	if p.MaxPerConnection > 0 {
		out.MaxRequestsPerConnection = u32(p.MaxPerConnection)
	}
	if p.MaxAge > 0 {
		out.MaxConnectionDuration = durationpb.New(p.MaxAge)
	}
	return out
}

func explicitHTTP(http2 bool, p model.Pool) *upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_ {
	explicit := &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig{}
	if http2 {
		explicit.ProtocolConfig = &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: http2Of(p)}
	} else {
		explicit.ProtocolConfig = &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}}
	}
	return &upstreamsv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: explicit}
}

func http2Of(p model.Pool) *corev3.Http2ProtocolOptions {
	out := http2Limits()
	if p.MaxStreams > 0 {
		out.MaxConcurrentStreams = u32(p.MaxStreams)
	}
	if p.PingEvery > 0 && p.PingTimeout > 0 {
		out.ConnectionKeepalive = &corev3.KeepaliveSettings{Interval: durationpb.New(p.PingEvery), Timeout: durationpb.New(p.PingTimeout)}
	}
	return out
}

func http2Limits() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		AllowConnect:                true, // WebSockets between proxies
		MaxConcurrentStreams:        u32(maxConcurrentStreams),
		InitialStreamWindowSize:     u32(streamWindow),
		InitialConnectionWindowSize: u32(connectionWindow),
	}
}

// hasProxy says whether a proxy of the mesh, which proves who it is, stands
// before each endpoint.
func (d destination) hasProxy() bool {
	return !d.Alone && !d.Edge && !d.Service.External && d.Service.Resolution == model.ByWorkload
}

// http2 says how the destination is spoken to. Where instances without a proxy
// stand beside those with one, or TLS is not that of the mesh, it is what the application speaks.
func (d destination) http2() bool {
	return d.Port.Protocol == model.HTTP2 || d.hasProxy() && !d.Mixed && !d.Traffic.TLS.Originates()
}
