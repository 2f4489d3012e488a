package compile

import (
	"fmt"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headersv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
)

// Headers of B3, and those in which a traceparent is made of them: in its three layouts, of which one at
// most is right. CEL in Envoy cannot join texts, its patterns are short, and what does not fit must not
// become a traceparent, which would be a span of nothing.
const (
	b3Trace   = "x-b3-traceid"
	b3Span    = "x-b3-spanid"
	b3Sampled = "x-b3-sampled"
	b3Single  = "b3" // TRACE-SPAN-SAMPLED-PARENT, the last two if there are any

	b3Parts = "x-weft-b3-parts"
	b3Long  = "x-weft-b3-long"
	b3Short = "x-weft-b3-short" // the trace's id has 64 bits
)

// b3Pad makes an id of 128 bits of one of 64.
const b3Pad = "0000000000000000"

// speakB3 has a manager take a request's trace from headers of B3, where it has no traceparent, and tell
// it in them to whom the request goes.
func speakB3(m *hcmv3.HttpConnectionManager) {
	m.EarlyHeaderMutationExtensions = append(m.EarlyHeaderMutationExtensions, &corev3.TypedExtensionConfig{
		Name: "weft.b3", TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: readB3()}),
	})
	// The tracer writes traceparent, with what it decided, after all filters but these.
	m.HttpFilters[len(m.HttpFilters)-1] = routerFilter(
		httpFilter("envoy.filters.http.header_mutation", &headersv3.HeaderMutation{Mutations: &headersv3.Mutations{RequestMutations: writeB3()}}),
		httpFilter("envoy.filters.http.upstream_codec", &codecv3.UpstreamCodec{}),
	)
}

func readB3() []*mutationv3.HeaderMutation {
	decided := fmt.Sprintf("%%CEL(request.headers['%s'].matches('^[0-9a-f]+-[0-9a-f]+-0') ? '00' : '01')%%", b3Single)
	return []*mutationv3.HeaderMutation{
		setHeader(b3Parts, fmt.Sprintf("00-%%CEL(size(request.headers['%[1]s']) == %[3]d ? '%[4]s' : '')%%%%REQ(%[1]s)%%-%%REQ(%[2]s)%%-", b3Trace, b3Span, len(b3Pad), b3Pad)+
			fmt.Sprintf("%%CEL('%[1]s' in request.headers && request.headers['%[1]s'] in ['0', 'false'] ? '00' : '01')%%", b3Sampled)),
		setHeader(b3Long, fmt.Sprintf("00-%%REQ(%s):49%%-%s", b3Single, decided)),
		setHeader(b3Short, fmt.Sprintf("00-%s%%REQ(%s):33%%-%s", b3Pad, b3Single, decided)),
		{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: "traceparent", Value: "%CEL(" + rightOf(b3Parts) + rightOf(b3Long) + rightOf(b3Short) + "'')%"},
			AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
		}}},
		removeHeader(b3Parts), removeHeader(b3Long), removeHeader(b3Short),
	}
}

// rightOf is the beginning of an expression: a header, if it is a whole traceparent.
func rightOf(header string) string {
	return fmt.Sprintf("size(request.headers['%[1]s']) == 55 && request.headers['%[1]s'].matches('^00-[0-9a-f]+-[0-9a-f]{16}-0[01]$') ? request.headers['%[1]s'] : ", header)
}

func writeB3() []*mutationv3.HeaderMutation {
	return []*mutationv3.HeaderMutation{
		setHeader(b3Trace, "%TRACE_ID%"),
		setHeader(b3Span, "%SPAN_ID%"),
		setHeader(b3Sampled, "%CEL(request.headers['traceparent'].endsWith('1') ? '1' : '0')%"),
		setHeader(b3Single, fmt.Sprintf("%%TRACE_ID%%-%%SPAN_ID%%-%%REQ(%s)%%", b3Sampled)),
		removeHeader("x-b3-parentspanid"), removeHeader("x-b3-flags"), // of another span
	}
}

func setHeader(name, value string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: &corev3.HeaderValueOption{
		Header: &corev3.HeaderValue{Key: name, Value: value}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}}}
}

func removeHeader(name string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}}
}
