package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/golang/protobuf/jsonpb" //nolint:staticcheck // Istio's own encoding: protojson refuses its durations ("1m")
	"google.golang.org/protobuf/protoadapt"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

// Limits of an object's text. A decoder may look at a text once per level, so
// the depth bounds its work.
const (
	MaxBytes = 1 << 20
	MaxDepth = 64
)

// Decode reads one object from JSON. The error says why the text is no object
// of an accepted kind; what is wrong within the object is its Err.
func Decode(text []byte) (Object, error) {
	if err := checkLimits(text); err != nil {
		return Object{}, err
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return Object{}, fmt.Errorf("not a JSON object: %w", err)
	}
	var head struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		return Object{}, fmt.Errorf("apiVersion, kind or metadata: %w", err)
	}
	info, ok := KindOf(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind).Group, head.Kind)
	if !ok {
		return Object{}, fmt.Errorf("apiVersion %q, kind %q: weft does not accept this kind", head.APIVersion, head.Kind)
	}
	head.Metadata.Annotations = withoutLastApplied(head.Metadata.Annotations)
	o := head.Metadata.object()
	o.Kind = info.Kind
	body := info.body(parts)
	o.Hash = hash(body, head.Metadata)
	spec, err := info.decode(body)
	if err != nil {
		o.Err = err.Error()
	}
	if unknown := info.unknownParts(parts); unknown != "" {
		o.Err = strings.TrimPrefix(o.Err+"; "+unknown, "; ")
	}
	o.Spec = spec
	return o, nil
}

// metadata is the part of an object's metadata that is kept: managedFields can
// be larger than the object.
type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	ResourceVersion   string            `json:"resourceVersion"`
	Generation        int64             `json:"generation"`
	CreationTimestamp metav1.Time       `json:"creationTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
}

func (m metadata) object() Object {
	return Object{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		Generation: m.Generation, Created: m.CreationTimestamp.Time,
		Labels: m.Labels, Annotations: m.Annotations,
	}
}

// envelope are the fields that are not the content of a kind without a spec.
var envelope = []string{"apiVersion", "kind", "metadata", "status"}

// body is the text that the typed spec is read from.
func (i Info) body(parts map[string]json.RawMessage) []byte {
	if !i.whole {
		if spec, ok := parts["spec"]; ok {
			return spec
		}
		return []byte("{}")
	}
	content := make(map[string]json.RawMessage, len(parts))
	for name, text := range parts {
		if !slices.Contains(envelope, name) {
			content[name] = text
		}
	}
	text, err := json.Marshal(content)
	if err != nil {
		panic(err) // parts came out of a JSON decoder
	}
	return text
}

// unknownParts names the fields beside spec that nobody reads.
func (i Info) unknownParts(parts map[string]json.RawMessage) string {
	if i.whole {
		return "" // its decoder reads them
	}
	var unknown []string
	for name := range parts {
		if name != "spec" && !slices.Contains(envelope, name) {
			unknown = append(unknown, fmt.Sprintf("unknown field %q", name))
		}
	}
	slices.Sort(unknown)
	return strings.Join(unknown, "; ")
}

// decode returns a nil spec if the text cannot be read, and a spec together
// with an error if only unknown fields are wrong with it.
func (i Info) decode(text []byte) (any, error) {
	place := "spec"
	if i.whole {
		place = i.Version.Kind
	}
	spec := i.newSpec()
	unknown, err := unmarshal(text, spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	if unknown != nil {
		return spec, fmt.Errorf("%s: %w", place, unknown)
	}
	return spec, nil
}

// unmarshal fills spec and says which fields of the text it does not know.
func unmarshal(text []byte, spec any) (unknown, err error) {
	message, ok := spec.(protoadapt.MessageV1)
	if !ok {
		fields, err := kjson.UnmarshalStrict(text, spec)
		return errors.Join(fields...), err
	}
	strict := jsonpb.Unmarshaler{}
	if unknown = strict.Unmarshal(bytes.NewReader(text), message); unknown == nil {
		return nil, nil
	}
	message.Reset()
	lenient := jsonpb.Unmarshaler{AllowUnknownFields: true}
	if err := lenient.Unmarshal(bytes.NewReader(text), message); err != nil {
		return nil, err
	}
	return unknown, nil
}

func hash(body []byte, m metadata) uint64 {
	h := fnv.New64a()
	// Maps are encoded with sorted keys; the zero bytes keep the three parts apart.
	h.Write(body)
	for _, part := range []map[string]string{m.Labels, m.Annotations} {
		text, err := json.Marshal(part)
		if err != nil {
			panic(err) // a map of strings
		}
		h.Write([]byte{0})
		h.Write(text)
	}
	return h.Sum64()
}

// checkLimits bounds what the decoders after it are given.
func checkLimits(text []byte) error {
	if len(text) > MaxBytes {
		return fmt.Errorf("the object has %d bytes; at most %d are accepted", len(text), MaxBytes)
	}
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("the object is nested deeper than %d levels", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
