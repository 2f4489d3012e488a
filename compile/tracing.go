package compile

import (
	"math"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tracev3 "github.com/envoyproxy/go-control-plane/envoy/config/trace/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	uuidv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"
	samplersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/tracers/opentelemetry/samplers/v3"
	tagsv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

const (
	tracerName = "envoy.tracers.opentelemetry"
	samplers   = tracerName + ".samplers."
	spanName   = "%REQ(:METHOD)% %REQ(:AUTHORITY)%" // the name of a span: whom a request is for
)

// spanFacts are what spans have beside that which Envoy always gives them.
var spanFacts = map[string]string{
	model.SpanRoute:    "%ROUTE_NAME%",
	model.SpanAttempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
	model.SpanDetails:  "%RESPONSE_CODE_DETAILS%",
	model.SpanCaller:   "%DOWNSTREAM_PEER_URI_SAN%",
	model.SpanEndpoint: "%UPSTREAM_HOST%",
}

// traced has a manager write down requests, and make spans: one of each request, of the direction of its listener.
func traced(m *hcmv3.HttpConnectionManager, t model.Tracing) *hcmv3.HttpConnectionManager {
	writes(m, t)
	if t.Percent <= 0 {
		return m
	}
	// Without an id of Envoy's a request would be taken for one that is not to be traced,
	// whatever the sampler says.
	m.RequestIdExtension = &hcmv3.RequestIDExtension{TypedConfig: pack(&uuidv3.UuidRequestIdConfig{UseRequestIdForTraceSampling: no()})}
	m.Tracing = &hcmv3.HttpConnectionManager_Tracing{
		Operation:  spanName,
		CustomTags: customTags(t.Tags),
		Provider: &tracev3.Tracing_Http{Name: tracerName, ConfigType: &tracev3.Tracing_Http_TypedConfig{TypedConfig: pack(&tracev3.OpenTelemetryConfig{
			// The agent knows whose Envoy it is: neither name nor resource is needed here,
			// and proxies of all workloads can share what they are told.
			GrpcService: &corev3.GrpcService{
				Timeout:         durationpb.New(ConnectTimeout),
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: model.AgentCluster}},
			},
			// Who began the trace decides for all; by its id, so that nobody need ask.
			Sampler: sampler("parent_based", &samplersv3.ParentBasedSamplerConfig{
				WrappedSampler: sampler("trace_id_ratio_based", &samplersv3.TraceIdRatioBasedSamplerConfig{
					SamplingPercentage: &typev3.FractionalPercent{
						Numerator: uint32(math.Round(t.Percent * 1e4)), Denominator: typev3.FractionalPercent_MILLION,
					},
				}),
			}),
			SetTelemetrySdkResourceAttributes: no(),
			SetServiceNameResourceAttribute:   no(),
			SetInstrumentationScope:           no(),
		})}},
	}
	if t.B3 {
		speakB3(m)
	}
	return m
}

// BareManager does nothing but this: what it costs can be measured.
func BareManager(t model.Tracing) *hcmv3.HttpConnectionManager {
	return traced(&hcmv3.HttpConnectionManager{StatPrefix: "http", HttpFilters: []*hcmv3.HttpFilter{routerFilter()}}, t)
}

// tracedAtEdge has one span more, of each attempt: nobody before a gateway tells of the
// request, and nobody but it of what it tried.
func tracedAtEdge(m *hcmv3.HttpConnectionManager, t model.Tracing) *hcmv3.HttpConnectionManager {
	if m = traced(m, t); m.Tracing != nil {
		m.Tracing.SpawnUpstreamSpan, m.Tracing.UpstreamOperation = yes(), m.Tracing.Operation
	}
	return m
}

func sampler(name string, config proto.Message) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: samplers + name, TypedConfig: pack(config)}
}

func customTags(more []model.SpanTag) (all []*tagsv3.CustomTag) {
	for _, name := range model.SortedKeys(spanFacts) {
		all = append(all, &tagsv3.CustomTag{Tag: name, Type: &tagsv3.CustomTag_Value{Value: spanFacts[name]}})
	}
	for _, tag := range more {
		all = append(all, spanTag(tag))
	}
	return all
}
