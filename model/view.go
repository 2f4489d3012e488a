package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"
)

// Type is a kind of Envoy resource that xDS delivers. The order is the one in
// which they are sent, so that nothing refers to what the proxy lacks.
type Type uint8

const (
	TypeSecret Type = iota
	TypeCluster
	TypeEndpoint
	TypeListener
	TypeScopedRoute
	TypeRoute
	TypeVirtualHost
	NumTypes
)

var typeMessages = [NumTypes]struct{ name, pkg string }{
	TypeSecret:      {"Secret", "envoy.extensions.transport_sockets.tls.v3"},
	TypeCluster:     {"Cluster", "envoy.config.cluster.v3"},
	TypeEndpoint:    {"ClusterLoadAssignment", "envoy.config.endpoint.v3"},
	TypeListener:    {"Listener", "envoy.config.listener.v3"},
	TypeScopedRoute: {"ScopedRouteConfiguration", "envoy.config.route.v3"},
	TypeRoute:       {"RouteConfiguration", "envoy.config.route.v3"},
	TypeVirtualHost: {"VirtualHost", "envoy.config.route.v3"},
}

// String is Envoy's word for the type, such as ClusterLoadAssignment.
func (t Type) String() string {
	if t >= NumTypes {
		return "Type(" + strconv.Itoa(int(t)) + ")"
	}
	return typeMessages[t].name
}

// TypeURL is how xDS names the type.
func (t Type) TypeURL() string {
	return "type.googleapis.com/" + typeMessages[t].pkg + "." + typeMessages[t].name
}

// TypeOf is the inverse of String.
func TypeOf(name string) (Type, bool) {
	for t := range NumTypes {
		if typeMessages[t].name == name {
			return t, true
		}
	}
	return 0, false
}

// Resource is one Envoy resource, encoded once and shared by all views that
// have it. Nothing here knows what its bytes say.
type Resource struct {
	Type Type
	// Name is unique within the type and view. A ClusterLoadAssignment has the
	// name of its Cluster.
	Name string
	// Version is HashBody(Body): equal bytes are one version on every server.
	Version uint64
	// Body is the serialised message: the value of a google.protobuf.Any.
	Body []byte
	// Needs are the Clusters that it sends requests to, sorted: a proxy gets the
	// resource only after it has acknowledged each of them, and keeps a
	// cluster for as long as it may have a resource that needs it.
	Needs []string
	// From are the objects that caused it, sorted: provenance for people.
	From []Key
}

// NewResource hashes body, which belongs to the resource from then on. Needs are
// the caller's to set before anybody else has the resource.
func NewResource(t Type, name string, body []byte, from ...Key) *Resource {
	from = slices.Clone(from)
	slices.SortFunc(from, Key.Compare)
	return &Resource{Type: t, Name: name, Version: HashBody(body), Body: body, From: slices.Compact(from)}
}

// HashBody is the version of a resource with these bytes. It is never 0.
func HashBody(body []byte) uint64 {
	sum := sha256.Sum256(body)
	return max(binary.BigEndian.Uint64(sum[:8]), 1)
}

// Equal compares all but the bytes, for which Version stands.
func (r *Resource) Equal(o *Resource) bool {
	return r == o || r.Type == o.Type && r.Name == o.Name && r.Version == o.Version &&
		slices.Equal(r.Needs, o.Needs) && slices.Equal(r.From, o.From)
}

// Layer is a part of a view that several views may share. Key: Name.
type Layer struct {
	Name      string
	Resources [NumTypes][]*Resource // each sorted by name
}

// NewLayer sorts resources into a layer. Two of one type and name are a
// mistake of the compiler, and panic.
func NewLayer(name string, resources ...*Resource) *Layer {
	l := &Layer{Name: name}
	for _, r := range resources {
		l.Resources[r.Type] = append(l.Resources[r.Type], r)
	}
	for t, all := range l.Resources {
		slices.SortFunc(all, func(a, b *Resource) int { return cmp.Compare(a.Name, b.Name) })
		for i := 1; i < len(all); i++ {
			if all[i-1].Name == all[i].Name {
				panic(fmt.Sprintf("layer %s: two resources %v %q", name, Type(t), all[i].Name))
			}
		}
	}
	return l
}

func (l *Layer) Key() string { return l.Name }

// Equal says whether both have equal resources.
func (l *Layer) Equal(o *Layer) bool {
	if l == o {
		return true
	}
	if l.Name != o.Name {
		return false
	}
	for t := range NumTypes {
		if !slices.EqualFunc(l.Resources[t], o.Resources[t], (*Resource).Equal) {
			return false
		}
	}
	return true
}

// Find returns the layer's resource of a name, or nil.
func (l *Layer) Find(t Type, name string) *Resource {
	all := l.Resources[t]
	i, found := slices.BinarySearchFunc(all, name, func(r *Resource, name string) int { return cmp.Compare(r.Name, name) })
	if !found {
		return nil
	}
	return all[i]
}

// View is all that the proxies of one scope receive. Where two layers have a
// resource of one type and name, the earlier layer's counts. Key: Scope.
type View struct {
	Scope  string // key of the scope
	Layers []*Layer
}

func (v *View) Key() string { return v.Scope }

// Equal says whether both have equal layers.
func (v *View) Equal(o *View) bool {
	return v == o || v.Scope == o.Scope && slices.EqualFunc(v.Layers, o.Layers, (*Layer).Equal)
}

// Find returns the resource of a name, or nil.
func (v *View) Find(t Type, name string) *Resource {
	for _, l := range v.Layers {
		if r := l.Find(t, name); r != nil {
			return r
		}
	}
	return nil
}

// All yields every resource of a type once, layer by layer, by name.
func (v *View) All(t Type) iter.Seq[*Resource] {
	return func(yield func(*Resource) bool) {
		for i, l := range v.Layers {
			earlier := View{Layers: v.Layers[:i]}
			for _, r := range l.Resources[t] {
				if i > 0 && earlier.Find(t, r.Name) != nil {
					continue
				}
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Assignment says which view a proxy receives. Key: Proxy. It exists for as
// long as the proxy's workload does, connected or not.
type Assignment struct{ Proxy, Scope string }

func (a Assignment) Key() string             { return a.Proxy }
func (a Assignment) Equal(o Assignment) bool { return a == o }
