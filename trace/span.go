package trace

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"
)

// ID names a trace, and SpanID a span in it. Zero: none.
type (
	ID     [16]byte
	SpanID [8]byte
)

func (id ID) String() string               { return hex.EncodeToString(id[:]) }
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }
func (id *ID) UnmarshalText(text []byte) error {
	return decodeID(id[:], text, "a trace's id")
}

// MarshalText gives nothing for none.
func (id SpanID) MarshalText() ([]byte, error) {
	if id == (SpanID{}) {
		return nil, nil
	}
	return hex.AppendEncode(nil, id[:]), nil
}

func (id *SpanID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = SpanID{}
		return nil
	}
	return decodeID(id[:], text, "a span's id")
}

func decodeID(into, text []byte, what string) error {
	if n, err := hex.Decode(into, text[:min(len(text), 2*len(into))]); err != nil || n != len(into) || len(text) != 2*len(into) {
		return fmt.Errorf("%.40q is not %s: want %d hexadecimal digits", text, what, 2*len(into))
	}
	return nil
}

// Kind says on which side of a call a span is.
type Kind string

const (
	Internal Kind = "internal"
	Server   Kind = "server"
	Client   Kind = "client"
	Producer Kind = "producer"
	Consumer Kind = "consumer"
)

// Span is one step of a request, as one proxy or application saw it. It is never changed.
type Span struct {
	Trace      ID            `json:"trace"`
	ID         SpanID        `json:"id"`
	Parent     SpanID        `json:"parent,omitzero"`
	Namespace  string        `json:"namespace,omitempty"`
	Service    string        `json:"service"`
	Version    string        `json:"version,omitempty"`
	Workload   string        `json:"workload,omitempty"`
	Proxy      bool          `json:"proxy,omitempty"` // a proxy told it, and not the application
	Name       string        `json:"name"`
	Kind       Kind          `json:"kind"`
	Start      time.Time     `json:"start"`
	Duration   time.Duration `json:"duration"` // nanoseconds
	Failed     bool          `json:"failed,omitempty"`
	Message    string        `json:"message,omitempty"`
	Attributes []Attribute   `json:"attributes,omitempty"` // by name
	Events     []Event       `json:"events,omitempty"`
}

// Attribute is one thing that is known of a span.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Event is what happened during a span.
type Event struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// Attribute is a value, "" for one that the span has not.
func (s *Span) Attribute(name string) string {
	i, found := slices.BinarySearchFunc(s.Attributes, name, func(a Attribute, name string) int { return cmp.Compare(a.Name, name) })
	if !found {
		return ""
	}
	return s.Attributes[i].Value
}

// Of is whose span it is: namespace/service.
func (s *Span) Of() string { return Name(s.Namespace, s.Service) }

// Name is a service's, with its namespace if there is one.
func Name(namespace, service string) string {
	if namespace == "" {
		return service
	}
	return namespace + "/" + service
}

// is says whether the span is a service's, by its name with or without a namespace.
func (s *Span) is(service string) bool {
	return s.Service == service || strings.Contains(service, "/") && s.Of() == service
}

func (s *Span) end() time.Time { return s.Start.Add(s.Duration) }

// allocation is what each string, beside its bytes, costs at most in Go's heap.
const allocation = 8

// size is what the span takes in memory, bytes, rather too much than too little.
func (s *Span) size() int {
	n := int(unsafe.Sizeof(*s))
	for _, text := range []string{s.Namespace, s.Service, s.Version, s.Workload, s.Name, s.Message} {
		n += len(text) + allocation
	}
	for _, a := range s.Attributes {
		n += int(unsafe.Sizeof(a)) + len(a.Name) + len(a.Value) + 2*allocation
	}
	for _, e := range s.Events {
		n += int(unsafe.Sizeof(e)) + len(e.Name) + allocation
	}
	return n
}
