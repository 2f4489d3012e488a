package compile

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// record is what is written of a request that went wrong: enough to say which
// rule of which object it met.
var record = map[string]string{
	"time": "%START_TIME%", "method": "%REQ(:METHOD)%", "host": "%REQ(:AUTHORITY)%", "path": "%REQ(:PATH):256%",
	"status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%", "flags": "%RESPONSE_FLAGS%",
	"cluster": "%UPSTREAM_CLUSTER_RAW%", "endpoint": "%UPSTREAM_HOST%", "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
	"attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "ms": "%DURATION%", "caller": "%DOWNSTREAM_PEER_URI_SAN%",
	"route": "%ROUTE_NAME%", "from": "%METADATA(ROUTE:" + MetadataKey + ":from)%",
}

// accessLog writes failed requests to the proxy's standard error, where its
// agent reads them.
func accessLog() []*accesslogv3.AccessLog {
	fields := map[string]*structpb.Value{}
	for name, format := range record {
		fields[name] = structpb.NewStringValue(format)
	}
	log := &streamv3.StderrAccessLog{AccessLogFormat: &streamv3.StderrAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
		Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}},
	}}}
	return []*accesslogv3.AccessLog{{
		Name:       "envoy.access_loggers.stderr",
		Filter:     &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_OrFilter{OrFilter: &accesslogv3.OrFilter{Filters: []*accesslogv3.AccessLogFilter{serverErrors(), anyFlag()}}}},
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(log)},
	}}
}

func serverErrors() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{StatusCodeFilter: &accesslogv3.StatusCodeFilter{
		Comparison: &accesslogv3.ComparisonFilter{
			Op: accesslogv3.ComparisonFilter_GE, Value: &corev3.RuntimeUInt32{DefaultValue: 500, RuntimeKey: "weft.access_log.status"},
		},
	}}}
}

func anyFlag() *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{}}}
}
