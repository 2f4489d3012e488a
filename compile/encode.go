package compile

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

var deterministic = proto.MarshalOptions{Deterministic: true}

// encode serialises a message that this package built. All that rows hold came
// through JSON and is UTF-8, so a failure is our mistake.
func encode(m proto.Message) []byte {
	body, err := deterministic.Marshal(m)
	if err != nil {
		panic("compile: " + string(m.ProtoReflect().Descriptor().FullName()) + ": " + err.Error())
	}
	return body
}

// pack wraps a message for a typed_config.
func pack(m proto.Message) *anypb.Any {
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + string(m.ProtoReflect().Descriptor().FullName()), Value: encode(m)}
}

// keysOf are the objects of origins.
func keysOf(origins []model.Origin) []model.Key {
	keys := make([]model.Key, len(origins))
	for i, o := range origins {
		keys[i] = o.Key
	}
	return distinct(keys)
}

// distinct sorts keys in place and returns each once.
func distinct(keys []model.Key) []model.Key {
	slices.SortFunc(keys, model.Key.Compare)
	return slices.Compact(keys)
}

// MetadataKey is the filter_metadata in which Envoy resources say what caused them.
const MetadataKey = "weft"

// provenance is metadata that says which objects, and where in them, caused a
// part of a resource. Real requests carry it into the access log.
func provenance(origins ...model.Origin) *corev3.Metadata {
	if len(origins) == 0 {
		return nil
	}
	from := make([]*structpb.Value, len(origins))
	for i, o := range origins {
		from[i] = structpb.NewStringValue(o.String())
	}
	fields := map[string]*structpb.Value{"from": structpb.NewListValue(&structpb.ListValue{Values: from})}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{MetadataKey: {Fields: fields}}}
}

// Where a route says who says what of its calls, if that is not who wrote the route.
const (
	MetadataTimeout = "timeout"
	MetadataRetries = "retries"
)

// settledBy adds that to a route's provenance.
func settledBy(m *corev3.Metadata, c model.Calls) *corev3.Metadata {
	for field, from := range map[string]*model.Origin{MetadataTimeout: c.TimeoutFrom, MetadataRetries: c.RetryFrom} {
		if from != nil {
			m = withField(m, field, structpb.NewStringValue(from.String()))
		}
	}
	return m
}

// withField is metadata that says one thing more. m is changed, and may be nil.
func withField(m *corev3.Metadata, name string, value *structpb.Value) *corev3.Metadata {
	if m == nil {
		m = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{MetadataKey: {Fields: map[string]*structpb.Value{}}}}
	}
	m.FilterMetadata[MetadataKey].Fields[name] = value
	return m
}

// MetadataIdentity is where a listener says whose proxy it belongs to.
const MetadataIdentity = "identity"

func identityOf(id string) *corev3.Metadata {
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{MetadataKey: {Fields: map[string]*structpb.Value{
		MetadataIdentity: structpb.NewStringValue(id),
	}}}}
}

func u32(v uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(v) }
func yes() *wrapperspb.BoolValue           { return wrapperspb.Bool(true) }
func no() *wrapperspb.BoolValue            { return wrapperspb.Bool(false) }

// orDefault is v, or the default if v is zero.
func orDefault(v, otherwise uint32) *wrapperspb.UInt32Value {
	if v == 0 {
		v = otherwise
	}
	return wrapperspb.UInt32(v)
}

// period is nil for 0: Envoy's default, or none.
func period(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

// ads says that a resource comes on the stream on which its user came.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func address(ip string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
