package xds

import (
	"encoding/binary"
	"fmt"

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
		return (*message)(m).decode(buf.ReadOnlyData(), deltaFields)
	case *fullRequest:
		return (*message)(m).decode(buf.ReadOnlyData(), fullFields)
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

func (m *message) decode(data []byte, fields [8]field) error {
	return eachField(data, func(number protowire.Number, value []byte) error {
		if int(number) >= len(fields) {
			return nil
		}
		switch fields[number] {
		case fieldNode:
			m.node = append([]byte(nil), value...)
		case fieldType:
			m.Type, m.known = typeOfURL[string(value)]
		case fieldNonce:
			m.Nonce = string(value)
		case fieldError:
			m.Refused = true
			return eachField(value, func(number protowire.Number, value []byte) error {
				if number == statusMessage {
					m.Reason = string(value)
				}
				return nil
			})
		case fieldSubscribe:
			m.Subscribe = append(m.Subscribe, string(value))
		case fieldUnsubscribe:
			m.Unsubscribe = append(m.Unsubscribe, string(value))
		case fieldHolds:
			return m.holds(value)
		case fieldNames:
			m.Names = append(m.Names, string(value))
		case fieldVersion:
			m.Version = string(value)
		}
		return nil
	})
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
func (m *message) holds(entry []byte) error {
	var name string
	version := uint64(unknownVersion)
	err := eachField(entry, func(number protowire.Number, value []byte) error {
		switch number {
		case mapKey:
			name = string(value)
		case mapValue:
			version = parseVersion(string(value))
		}
		return nil
	})
	if m.Holds == nil {
		m.Holds = map[string]uint64{}
	}
	m.Holds[name] = version
	return err
}

// eachField calls f for each field of the wire type of bytes, and skips others.
func eachField(data []byte, f func(protowire.Number, []byte) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("xds: request: %w", protowire.ParseError(n))
		}
		data = data[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
				return fmt.Errorf("xds: request: field %d: %w", number, protowire.ParseError(n))
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return fmt.Errorf("xds: request: field %d: %w", number, protowire.ParseError(n))
		}
		if err := f(number, value); err != nil {
			return err
		}
		data = data[n:]
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
	e := newEncoder(len(head) + sizeOf(r.Resources, 0))
	e.add(head)
	for _, res := range r.Resources {
		e.add(res.Head)
		e.add(res.Body)
	}
	return e.flush()
}

// encode is the same with the part of each resource that this protocol has.
func (r fullResponse) encode() mem.BufferSlice {
	head := appendText(nil, fullVersion, r.Version)
	head = appendText(head, fullType, r.Type.TypeURL())
	head = appendText(head, fullNonce, r.Nonce)
	e := newEncoder(len(head) + sizeOf(r.Resources, fieldHead))
	e.add(head)
	for _, res := range r.Resources {
		field := protowire.AppendTag(make([]byte, 0, fieldHead), fullResources, protowire.BytesType)
		e.add(protowire.AppendVarint(field, uint64(res.AnyHead+len(res.Body))))
		e.add(res.Head[len(res.Head)-res.AnyHead:])
		e.add(res.Body)
	}
	return e.flush()
}

// fieldHead is how many bytes a tag and a length take at most.
const fieldHead = 11

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
