package compile

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	customv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	demandv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/on_demand/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

// Limits of what one client may hold open (Envoy's list for proxies at the edge).
const (
	headersTimeout   = 10 * time.Second
	streamIdle       = 5 * time.Minute // at a gateway, without a byte either way
	requestTimeout   = 5 * time.Minute // at a gateway, to receive the whole request
	edgeStreams      = 100
	edgeStreamWindow = 64 << 10
	drainTimeout     = 5 * time.Second
)

// onDemandFilter stands before all that has effects: it starts the request anew.
const onDemandFilter = "envoy.filters.http.on_demand"

const (
	hcmFilter = "envoy.filters.network.http_connection_manager"
	tcpFilter = "envoy.filters.network.tcp_proxy"
)

// connectionManager has what all of them share; routes come by RDS.
func connectionManager(stat, routes string, filters ...*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: stat,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource: ads(), RouteConfigName: routes,
		}},
		HttpFilters:                filters,
		NormalizePath:              yes(),
		StreamIdleTimeout:          noTimeout(), // a stream or a tunnel may be silent for long
		RequestHeadersTimeout:      durationpb.New(headersTimeout),
		DrainTimeout:               durationpb.New(drainTimeout),
		CommonHttpProtocolOptions:  &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(IdleTimeout)},
		HttpProtocolOptions:        &corev3.Http1ProtocolOptions{AcceptHttp_10: true}, // what nginx speaks, if nobody tells it otherwise
		Http2ProtocolOptions:       http2Limits(),
		ServerHeaderTransformation: hcmv3.HttpConnectionManager_PASS_THROUGH,
		GenerateRequestId:          wrapperspb.Bool(false),
		UpgradeConfigs:             []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
		// What is inside of the mesh is no reason to trust x-envoy headers.
		InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{},
		AccessLog:             accessLog(),
	}
}

// outboundManager routes what an application calls. Where it learns, a call to a
// host that it does not know waits until it does.
func outboundManager(stat string, learns bool) *hcmv3.HttpConnectionManager {
	filters := callerFilters()
	if learns {
		filters = append([]*hcmv3.HttpFilter{httpFilter(onDemandFilter, &demandv3.OnDemand{})}, filters...)
	}
	m := connectionManager(stat, OutboundRoutes, filters...)
	m.AccessLog = append(m.AccessLog, RouteCounts(), Tap(model.TapOut))
	m.LocalReplyConfig = unknownHosts()
	m.UpgradeConfigs = append(m.UpgradeConfigs, &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: "CONNECT"})
	m.HttpProtocolOptions.AllowAbsoluteUrl = yes()
	return m
}

// inboundManager guards an application. Its policies see the path that the
// application will see: a path that two readers read differently is refused.
func inboundManager(stat, routes string, g guards) *hcmv3.HttpConnectionManager {
	m := connectionManager(stat, routes, append(g.filters(), httpFilter(LimitsFilter, &chainv3.FilterChainConfig{}), routerFilter())...)
	m.AccessLog = append(m.AccessLog, Tap(model.TapIn))
	m.MergeSlashes = true
	m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
	m.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Uri: true}
	return m
}

// edgeManager takes requests of anybody. Keys verify previews; none: nobody has one.
// A preflight has no token, so it is answered before the guards are asked; and limits count what they let through.
func edgeManager(stat, routes string, keys []model.PreviewKey, g guards) *hcmv3.HttpConnectionManager {
	filters := callerFilters(append(g.filters(),
		httpFilter(LimitsFilter, &chainv3.FilterChainConfig{}), httpFilter(GatewayLimitsFilter, &chainv3.FilterChainConfig{}))...)
	if len(keys) > 0 {
		filters = append([]*hcmv3.HttpFilter{previewFilter(keys)}, filters...)
	}
	m := connectionManager(stat, routes, filters...)
	m.AccessLog = append(m.AccessLog, RouteCounts(), Tap(model.TapOut))
	m.MergeSlashes = true
	m.PathWithEscapedSlashesAction = hcmv3.HttpConnectionManager_REJECT_REQUEST
	m.EarlyHeaderMutationExtensions = insideOnly()
	m.UseRemoteAddress = yes()
	m.GenerateRequestId = yes()
	m.RequestTimeout = durationpb.New(requestTimeout)
	m.StreamIdleTimeout = durationpb.New(streamIdle)
	m.StripTrailingHostDot = true
	m.CommonHttpProtocolOptions.HeadersWithUnderscoresAction = corev3.HttpProtocolOptions_REJECT_REQUEST
	m.HttpProtocolOptions = nil // no HTTP/1.0: strangers get the strict reading
	m.Http2ProtocolOptions.AllowConnect = false
	m.Http2ProtocolOptions.MaxConcurrentStreams = u32(edgeStreams)
	m.Http2ProtocolOptions.InitialStreamWindowSize = u32(edgeStreamWindow)
	return m
}

// callerFilters do nothing but where a route has a configuration for them.
func callerFilters(guards ...*hcmv3.HttpFilter) []*hcmv3.HttpFilter {
	return slices.Concat(
		[]*hcmv3.HttpFilter{httpFilter(FallbackFilter, &customv3.CustomResponse{}), httpFilter(CORSFilter, &corsv3.Cors{})},
		guards,
		[]*hcmv3.HttpFilter{httpFilter(FaultFilter, &faultv3.HTTPFault{}), routerFilter()},
	)
}

// routerFilter is the last one; upstream are filters of each attempt, none: those that Envoy needs.
func routerFilter(upstream ...*hcmv3.HttpFilter) *hcmv3.HttpFilter {
	return httpFilter("envoy.filters.http.router", &routerv3.Router{SuppressEnvoyHeaders: true, UpstreamHttpFilters: upstream})
}

func httpFilter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}

func networkFilter(name string, config proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(config)}}
}

// managed are the filters of a chain of HTTP.
func managed(m *hcmv3.HttpConnectionManager) []*listenerv3.Filter {
	return []*listenerv3.Filter{networkFilter(hcmFilter, m)}
}
