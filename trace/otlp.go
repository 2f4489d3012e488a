package trace

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"

	"weft.dev/model"
)

// Limits of one span; what is more is cut or dropped.
const (
	maxAttributes = 64
	maxEvents     = 16
	maxText       = 1024 // bytes of a value
	maxName       = 256  // of a name
)

// Source is whose proxy told spans.
type Source struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Version   string `json:"version,omitempty"`
	Workload  string `json:"workload,omitempty"`
}

// Attributes of resources, by OpenTelemetry's conventions.
const (
	serviceName      = "service.name"
	serviceNamespace = "service.namespace"
	serviceVersion   = "service.version"
	serviceInstance  = "service.instance.id"
	kubeNamespace    = "k8s.namespace.name"
	kubePod          = "k8s.pod.name"
)

// resource is whose spans they are, in OpenTelemetry's words.
func (s Source) resource() *resourcev1.Resource {
	r := &resourcev1.Resource{}
	for _, a := range []Attribute{{serviceName, s.Service}, {serviceNamespace, s.Namespace}, {serviceVersion, s.Version}, {serviceInstance, s.Workload}} {
		if a.Value != "" {
			r.Attributes = append(r.Attributes, keyValue(a.Name, a.Value))
		}
	}
	return r
}

func keyValue(name, value string) *commonv1.KeyValue {
	return &commonv1.KeyValue{Key: name, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: value}}}
}

// sourceOf reads a resource.
func sourceOf(r *resourcev1.Resource) Source {
	all := map[string]string{}
	for _, a := range r.GetAttributes() {
		all[a.Key], _ = cut(text(a.Value), maxName)
	}
	return Source{
		Namespace: cmp.Or(all[serviceNamespace], all[kubeNamespace]), Service: cmp.Or(all[serviceName], "unknown_service"),
		Version: all[serviceVersion], Workload: cmp.Or(all[serviceInstance], all[kubePod]),
	}
}

// conventional are OpenTelemetry's names for what Envoy calls otherwise; "" is nothing
// that anybody needs.
var conventional = map[string]string{
	"http.method":           "http.request.method",
	"http.status_code":      "http.response.status_code",
	"http.url":              "url.full",
	"http.protocol":         "network.protocol.version",
	"user_agent":            "user_agent.original",
	"peer.address":          "network.peer.address",
	"request_size":          "http.request.body.size",
	"response_size":         "http.response.body.size",
	"guid:x-request-id":     "http.request.header.x-request-id",
	"grpc.status_code":      "rpc.grpc.status_code",
	"upstream_cluster.name": model.SpanCluster,
	"response_flags":        model.SpanFlags,
	"upstream_cluster":      "",
	"downstream_cluster":    "",
	"node_id":               "",
	"zone":                  "",
	"component":             "",
	"error":                 "",
}

// numbers are attributes that OpenTelemetry has as numbers.
var numbers = map[string]bool{
	"http.response.status_code": true, "http.request.body.size": true, "http.response.body.size": true,
	"rpc.grpc.status_code": true, model.SpanAttempts: true,
}

// abandoned is Envoy's flag of a request whose caller went away: nobody failed.
const abandoned = "DC"

// refine makes of a proxy's span what OpenTelemetry's conventions want. What follows a
// question mark in a URL may be a secret, and goes no further.
func refine(s *tracev1.Span) {
	kept := s.Attributes[:0]
	status, flags, host := "", "", ""
	for _, a := range s.Attributes {
		name, known := conventional[a.Key]
		if !known {
			name = a.Key
		}
		value := text(a.Value)
		if name == "" || value == "" || value == "-" {
			continue
		}
		switch name {
		case "url.full":
			value, _, _ = strings.Cut(value, "?")
			if u, err := url.Parse(value); err == nil {
				host = u.Host
			}
		case "network.protocol.version":
			value = strings.TrimPrefix(value, "HTTP/")
		case "http.response.status_code":
			status = value
		case model.SpanFlags:
			flags = value
		}
		kept = append(kept, refined(name, value))
	}
	if s.Kind == tracev1.Span_SPAN_KIND_CLIENT && host != "" {
		kept = append(kept, keyValue("server.address", host))
	}
	s.Attributes = kept
	if code, err := strconv.Atoi(status); err == nil && (code >= 500 || code == 0 && flags != abandoned) {
		s.Status = &tracev1.Status{Code: tracev1.Status_STATUS_CODE_ERROR, Message: flags}
	}
}

func refined(name, value string) *commonv1.KeyValue {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && numbers[name] {
		return &commonv1.KeyValue{Key: name, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_IntValue{IntValue: n}}}
	}
	return keyValue(name, value)
}

var kinds = map[tracev1.Span_SpanKind]Kind{
	tracev1.Span_SPAN_KIND_SERVER: Server, tracev1.Span_SPAN_KIND_CLIENT: Client,
	tracev1.Span_SPAN_KIND_PRODUCER: Producer, tracev1.Span_SPAN_KIND_CONSUMER: Consumer,
}

// read makes a span of OTLP's; ok is false for one that cannot be. cuts counts what it
// had too much of.
func read(p *tracev1.Span, from Source, proxy bool) (s *Span, cuts uint64, ok bool) {
	s = &Span{
		Namespace: from.Namespace, Service: from.Service, Version: from.Version, Workload: from.Workload, Proxy: proxy,
		Kind: cmp.Or(kinds[p.Kind], Internal), Failed: p.Status.GetCode() == tracev1.Status_STATUS_CODE_ERROR,
	}
	copy(s.Trace[:], p.TraceId)
	copy(s.ID[:], p.SpanId)
	copy(s.Parent[:], p.ParentSpanId)
	s.Start = time.Unix(0, int64(p.StartTimeUnixNano)).UTC()
	s.Duration = time.Duration(p.EndTimeUnixNano - p.StartTimeUnixNano)
	if len(p.TraceId) != len(s.Trace) || len(p.SpanId) != len(s.ID) || s.Trace == (ID{}) || s.ID == (SpanID{}) ||
		p.StartTimeUnixNano == 0 || int64(p.StartTimeUnixNano) < 0 || s.Duration < 0 {
		return nil, 0, false
	}
	keep := func(value string, limit int) string {
		value, whole := cut(value, limit)
		if !whole {
			cuts++
		}
		return value
	}
	s.Name, s.Message = keep(p.Name, maxName), keep(p.Status.GetMessage(), maxText)
	if more := len(p.Attributes) - maxAttributes; more > 0 {
		cuts += uint64(more)
		p.Attributes = p.Attributes[:maxAttributes]
	}
	if len(p.Attributes) > 0 {
		s.Attributes = make([]Attribute, 0, len(p.Attributes))
	}
	for _, a := range p.Attributes {
		s.Attributes = append(s.Attributes, Attribute{keep(a.Key, maxName), keep(text(a.Value), maxText)})
	}
	slices.SortStableFunc(s.Attributes, func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) })
	for i, e := range p.Events {
		if i == maxEvents {
			cuts += uint64(len(p.Events) - i)
			break
		}
		s.Events = append(s.Events, Event{keep(e.Name, maxName), time.Unix(0, int64(e.TimeUnixNano)).UTC()})
	}
	return s, cuts, true
}

// cut gives the beginning of a text that is too long, in a copy: the rest must not be
// held with it.
func cut(value string, limit int) (short string, whole bool) {
	if len(value) <= limit {
		return value, true
	}
	for limit > 0 && !utf8.RuneStart(value[limit]) {
		limit--
	}
	return strings.Clone(value[:limit]), false
}

// maxDepth is how deep lists in lists are read.
const maxDepth = 4

// text is a value for people.
func text(v *commonv1.AnyValue) string { return textAt(v, 0) }

func textAt(v *commonv1.AnyValue, depth int) string {
	if depth > maxDepth {
		return "..."
	}
	var all []string
	switch v := v.GetValue().(type) {
	case *commonv1.AnyValue_StringValue:
		return v.StringValue
	case *commonv1.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonv1.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonv1.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *commonv1.AnyValue_BytesValue:
		return hex.EncodeToString(v.BytesValue)
	case *commonv1.AnyValue_ArrayValue:
		for _, one := range v.ArrayValue.GetValues() {
			all = append(all, textAt(one, depth+1))
		}
	case *commonv1.AnyValue_KvlistValue:
		for _, one := range v.KvlistValue.GetValues() {
			all = append(all, one.GetKey()+"="+textAt(one.GetValue(), depth+1))
		}
	}
	return strings.Join(all, ", ")
}

// binaryIDs makes the ids of OTLP's JSON, which are hexadecimal, what JSON of protobuf
// has: base64.
func binaryIDs(tree any) {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if id, ok := value.(string); ok && (key == "traceId" || key == "spanId" || key == "parentSpanId") {
				if raw, err := hex.DecodeString(id); err == nil {
					tree[key] = base64.StdEncoding.EncodeToString(raw)
				}
			}
			binaryIDs(value)
		}
	case []any:
		for _, one := range tree {
			binaryIDs(one)
		}
	}
}
