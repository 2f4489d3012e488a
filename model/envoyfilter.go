package model

import (
	"fmt"
	"reflect"
	"slices"
)

// EnvoyFilter changes what the listeners, clusters and routes of some proxies are, in Envoy's own words. Key: object.
type EnvoyFilter struct {
	Object Key
	Reach
	Priority int32 // those of a lower one come first
	Rank     int64 // as in RouteTable
	Patches  []Patch
	From     []Origin
}

func (f EnvoyFilter) Key() string              { return f.Object.String() }
func (f EnvoyFilter) Equal(o EnvoyFilter) bool { return reflect.DeepEqual(f, o) }

// Shared says whether it changes what proxies have in common with those of others: clusters and routes.
func (f EnvoyFilter) Shared() bool {
	return f.Has(func(p Patch) bool { return p.Of.OfRoutes() || p.Of == PatchCluster && p.Do != PatchAdd })
}

// Has says whether one of its patches is such.
func (f EnvoyFilter) Has(such func(Patch) bool) bool { return slices.ContainsFunc(f.Patches, such) }

// Content stands for what its patches say.
func (f EnvoyFilter) Content() uint64 { return HashBody(fmt.Appendf(nil, "%+v", f.Patches)) }

// Spoiled says that a proxy refused what an EnvoyFilter made of a resource: until it says something else it is left out.
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
	Port     uint32 // of the workload or gateway, or of the service that is called; 0: every one
	Chain    string // name of a filter chain; "": every one
	SNI      string // that a chain asks for; "": every one
	Speaks   string // transport protocol that a chain asks for; "": every one
	Filter   string // of the connection; "": every one
	Sub      string // filter of HTTP; "": every one
	Cluster  ClusterMatch
	Route    RouteMatch
	Value    string // JSON of Envoy's message
	Origin   Origin
}

// ClusterMatch are the clusters that a patch changes; what is empty matches every one.
type ClusterMatch struct {
	Name   string
	Host   string // of the service
	Subset string
}

// RouteMatch are the routes that a patch changes; what is empty matches every one.
type RouteMatch struct {
	Table  string // name of the route configuration
	Host   string // name of the virtual host, as HOST:PORT
	Domain string // of the virtual host
	Name   string
	Does   RouteAction
}

// RouteAction is what a route does with a request.
type RouteAction string

const (
	RouteLeads     RouteAction = "route"
	RouteRedirects RouteAction = "redirect"
	RouteAnswers   RouteAction = "direct response"
)

// PatchOf is what a patch changes.
type PatchOf string

const (
	PatchListener PatchOf = "listener"
	PatchChain    PatchOf = "chain"
	PatchNetwork  PatchOf = "network filter"
	PatchHTTP     PatchOf = "HTTP filter"
	PatchCluster  PatchOf = "cluster"
	PatchTable    PatchOf = "route configuration"
	PatchHost     PatchOf = "virtual host"
	PatchRoute    PatchOf = "route"
)

// OfRoutes says whether it is a part of a route configuration.
func (o PatchOf) OfRoutes() bool { return o == PatchTable || o == PatchHost || o == PatchRoute }

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
