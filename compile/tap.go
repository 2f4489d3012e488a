package compile

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpcv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	metadatav3 "github.com/envoyproxy/go-control-plane/envoy/type/metadata/v3"
	tracingv3 "github.com/envoyproxy/go-control-plane/envoy/type/tracing/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"weft.dev/model"
)

const (
	tapFlush = time.Second
	tapBatch = 4 << 10 // bytes
)

// Tap tells the agent of each request that ends, while somebody looks: it is always there and lets nothing
// through until its agent turns a switch of the runtime, so a listener never changes for it.
func Tap(side string) *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.http_grpc",
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_RuntimeFilter{RuntimeFilter: &accesslogv3.RuntimeFilter{
			RuntimeKey: model.TapSwitch, PercentSampled: &typev3.FractionalPercent{}, UseIndependentRandomness: true,
		}}},
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&grpcv3.HttpGrpcAccessLogConfig{CommonConfig: &grpcv3.CommonGrpcAccessLogConfig{
			LogName:             model.TapSwitch,
			TransportApiVersion: corev3.ApiVersion_V3,
			BufferFlushInterval: durationpb.New(tapFlush),
			BufferSizeBytes:     u32(tapBatch),
			GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: model.AgentCluster,
			}}},
			CustomTags: []*tracingv3.CustomTag{
				{Tag: model.TapSide, Type: &tracingv3.CustomTag_Literal_{Literal: &tracingv3.CustomTag_Literal{Value: side}}},
				{Tag: model.TapFrom, Type: &tracingv3.CustomTag_Metadata_{Metadata: &tracingv3.CustomTag_Metadata{
					Kind: &metadatav3.MetadataKind{Kind: &metadatav3.MetadataKind_Route_{Route: &metadatav3.MetadataKind_Route{}}},
					MetadataKey: &metadatav3.MetadataKey{Key: MetadataKey, Path: []*metadatav3.MetadataKey_PathSegment{
						{Segment: &metadatav3.MetadataKey_PathSegment_Key{Key: "from"}},
					}},
				}}},
			},
		}})},
	}
}
