package model

import (
	"fmt"
	"reflect"
)

// EnvoyFilter changes what the listeners of some proxies are, in Envoy's own words. Key: object.
type EnvoyFilter struct {
	Object    Key
	Namespace string            // "" reaches the proxies of the whole mesh
	Selector  map[string]string // empty: all of the namespace
	Priority  int32             // those of a lower one come first
	Rank      int64             // as in RouteTable
	Patches   []Patch
	From      []Origin
}

func (f EnvoyFilter) Key() string              { return f.Object.String() }
func (f EnvoyFilter) Equal(o EnvoyFilter) bool { return reflect.DeepEqual(f, o) }

// Content stands for what its patches say.
func (f EnvoyFilter) Content() uint64 { return HashBody(fmt.Appendf(nil, "%+v", f.Patches)) }

// Spoiled says that a proxy refused what an EnvoyFilter made of a listener: until it says something else it is left out.
// Key: the EnvoyFilter's.
type Spoiled struct {
	Filter  string
	Content uint64 // of the EnvoyFilter that was refused
	Reason  string
}

func (s Spoiled) Key() string          { return s.Filter }
func (s Spoiled) Equal(o Spoiled) bool { return s == o }

// Patch is one change.
type Patch struct {
	Of       PatchOf
	At       PatchAt
	Do       PatchDo
	Listener string // its name; "": every one
	Port     uint32 // of the workload or gateway; 0: every one
	Chain    string // name of a filter chain; "": every one
	SNI      string // that a chain asks for; "": every one
	Speaks   string // transport protocol that a chain asks for; "": every one
	Filter   string // of the connection; "": every one
	Sub      string // filter of HTTP; "": every one
	Value    string // JSON of Envoy's message
	Origin   Origin
}

// PatchOf is what a patch changes.
type PatchOf string

const (
	PatchListener PatchOf = "listener"
	PatchChain    PatchOf = "chain"
	PatchNetwork  PatchOf = "network filter"
	PatchHTTP     PatchOf = "HTTP filter"
)

// PatchAt is on which side of a proxy.
type PatchAt string

const (
	PatchAnywhere PatchAt = ""
	PatchInbound  PatchAt = "inbound"
	PatchOutbound PatchAt = "outbound"
	PatchGateway  PatchAt = "gateway"
)

// PatchDo is how.
type PatchDo string

const (
	PatchMerge   PatchDo = "merge"
	PatchAdd     PatchDo = "add"
	PatchRemove  PatchDo = "remove"
	PatchBefore  PatchDo = "before"
	PatchAfter   PatchDo = "after"
	PatchFirst   PatchDo = "first"
	PatchReplace PatchDo = "replace"
)
