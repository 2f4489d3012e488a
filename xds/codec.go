package xds

import (
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec of every other message
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"weft.dev/model"
)

// codec writes responses of bytes that all clients share, and reads of requests
// what a session needs. Other messages are protobuf; those that are
// not, of the other service of the same port, are the agents'.
type codec struct{}

// Name is part of no answer: the client's content-subtype is.
func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case deltaResponse:
		return m.encode(), nil
	case fullResponse:
		return m.encode(), nil
	case proto.Message, protoadapt.MessageV1:
		return encoding.GetCodecV2("proto").Marshal(v)
	}
	data, err := model.AgentCodec{}.Marshal(v)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if _, ok := v.(protoadapt.MessageV1); ok {
		return encoding.GetCodecV2("proto").Unmarshal(data, v)
	}
	if _, ok := v.(proto.Message); ok {
		return encoding.GetCodecV2("proto").Unmarshal(data, v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	switch m := v.(type) {
	case *deltaRequest:
		return (*message)(m).decode(newRecord(buf.ReadOnlyData()), deltaFields)
	case *fullRequest:
		return (*message)(m).decode(newRecord(buf.ReadOnlyData()), fullFields)
	}
	return model.AgentCodec{}.Unmarshal(buf.ReadOnlyData(), v)
}

// message is a request as it came, of either protocol.
type message struct {
	Request
	known bool   // the type is one that weft serves
	node  []byte // envoy.config.core.v3.Node; empty but for the first request of a stream
}

type (
	deltaRequest  message
	fullRequest   message
	deltaResponse struct{ *Response }
	fullResponse  struct{ *Response }
)

// field is what a field of a request means.
type field int

const (
	fieldNode field = iota + 1
	fieldType
	fieldNonce
	fieldError
	fieldSubscribe
	fieldUnsubscribe
	fieldHolds
	fieldNames
	fieldVersion
)

// Fields by number, of DeltaDiscoveryRequest and DiscoveryRequest. All of them
// are of the wire type of bytes.
var (
	deltaFields = [8]field{1: fieldNode, 2: fieldType, 3: fieldSubscribe, 4: fieldUnsubscribe, 5: fieldHolds, 6: fieldNonce, 7: fieldError}
	fullFields  = [8]field{1: fieldVersion, 2: fieldNode, 3: fieldNames, 4: fieldType, 5: fieldNonce, 6: fieldError}
)

func (m *message) decode(request record, fields [8]field) error {
	return request.each(func(number protowire.Number, value record) error {
		if int(number) >= len(fields) {
			return nil
		}
		switch fields[number] {
		case fieldNode:
			m.node = slices.Clone(value.data)
		case fieldType:
			m.Type, m.known = typeOfURL[value.text]
		case fieldNonce:
			m.Nonce = value.text
		case fieldError:
			m.Refused = true
			return value.each(func(number protowire.Number, value record) error {
				if number == statusMessage {
					m.Reason = value.text
				}
				return nil
			})
		case fieldSubscribe:
			m.Subscribe = append(room(m.Subscribe, request, value), value.text)
		case fieldUnsubscribe:
			m.Unsubscribe = append(m.Unsubscribe, value.text)
		case fieldHolds:
			return m.holds(value)
		case fieldNames:
			m.Names = append(room(m.Names, request, value), value.text)
		case fieldVersion:
			m.Version = value.text
		}
		return nil
	})
}

// room is for as many names as a request may have that has one as long as this.
func room(names []string, request, name record) []string {
	if names != nil {
		return names
	}
	return make([]string, 0, min(1+len(request.data)/(len(name.data)+2), maxRoom))
}

// Numbers of fields of the messages in requests and responses.
const (
	statusMessage = 2 // of google.rpc.Status
	mapKey        = 1
	mapValue      = 2

	deltaVersion   = 1 // of DeltaDiscoveryResponse
	deltaResources = 2
	deltaType      = 4
	deltaNonce     = 5
	deltaRemoved   = 6

	fullVersion   = 1 // of DiscoveryResponse
	fullResources = 2
	fullType      = 4
	fullNonce     = 5

	resourceVersion = 1 // of Resource
	resourceName    = 3
	resourceAliases = 4
)

// holds takes in an entry of initial_resource_versions.
func (m *message) holds(entry record) error {
	var name string
	version := uint64(unknownVersion)
	err := entry.each(func(number protowire.Number, value record) error {
		switch number {
		case mapKey:
			name = value.text
		case mapValue:
			version = parseVersion(value.text)
		}
		return nil
	})
	if m.Holds == nil {
		m.Holds = map[string]uint64{}
	}
	m.Holds[name] = version
	return err
}

// record is an encoded message. A request is copied once, into the text that all texts in it
// are parts of: a thousand names are one allocation. Who keeps one of them clones it.
type record struct {
	data []byte
	text string
}

func newRecord(data []byte) record { return record{data, string(data)} }

func (r record) cut(from, to int) record { return record{r.data[from:to], r.text[from:to]} }

// each calls f for each field of the wire type of bytes, and skips others.
func (r record) each(f func(protowire.Number, record) error) error {
	for at := 0; at < len(r.data); {
		number, kind, n := protowire.ConsumeTag(r.data[at:])
		if n < 0 {
			return fmt.Errorf("xds: request: %w", protowire.ParseError(n))
		}
		at += n
		if n = protowire.ConsumeFieldValue(number, kind, r.data[at:]); n < 0 {
			return fmt.Errorf("xds: request: field %d: %w", number, protowire.ParseError(n))
		}
		at += n
		if kind != protowire.BytesType {
			continue
		}
		value, _ := protowire.ConsumeBytes(r.data[at-n : at])
		if err := f(number, r.cut(at-len(value), at)); err != nil {
			return err
		}
	}
	return nil
}

// encode is the envelope, then the resources, as they are for every client.
func (r deltaResponse) encode() mem.BufferSlice {
	head := appendText(nil, deltaVersion, r.Version)
	head = appendText(head, deltaType, r.Type.TypeURL())
	head = appendText(head, deltaNonce, r.Nonce)
	for _, name := range r.Removed {
		head = appendText(head, deltaRemoved, name)
	}
	if r.parts != nil {
		return encode(head, slices.Values(r.parts))
	}
	return encode(head, func(yield func([]byte) bool) {
		for _, res := range r.Resources {
			if !yield(res.Head) || !yield(res.Body) {
				return
			}
		}
	})
}

// encode is the same with the part of each resource that this protocol has.
func (r fullResponse) encode() mem.BufferSlice {
	head := appendText(nil, fullVersion, r.Version)
	head = appendText(head, fullType, r.Type.TypeURL())
	head = appendText(head, fullNonce, r.Nonce)
	return encode(head, func(yield func([]byte) bool) {
		var field []byte
		for _, res := range r.Resources {
			field = protowire.AppendTag(field[:0], fullResources, protowire.BytesType)
			field = protowire.AppendVarint(field, uint64(res.AnyHead+len(res.Body)))
			if !yield(field) || !yield(res.Head[len(res.Head)-res.AnyHead:]) || !yield(res.Body) {
				return
			}
		}
	})
}

func appendText(to []byte, number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(to, number, protowire.BytesType), text)
}

// emptyResource is the answer to an on-demand name of which there is none: Envoy
// lets go of the request that waits. It has no Any, which no other resource lacks.
func emptyResource(t model.Type, name string) *model.Resource {
	inner := appendText(nil, resourceName, name)
	inner = appendText(inner, resourceVersion, model.VersionText(emptyVersion))
	inner = appendText(inner, resourceAliases, name)
	head := protowire.AppendTag(nil, deltaResources, protowire.BytesType)
	head = binary.AppendUvarint(head, uint64(len(inner)))
	return &model.Resource{Type: t, Name: name, Aliases: []string{name}, Version: emptyVersion, Head: append(head, inner...)}
}

// Versions that no resource has.
const (
	unknownVersion = 1 // we did not give it out
	emptyVersion   = 2 // of what is not
)
