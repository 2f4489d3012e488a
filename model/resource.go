package model

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
)

// Resource is one Envoy resource, encoded once and shared by all views that
// have it. Nothing here knows what its bytes say.
type Resource struct {
	Type Type
	// Name is unique within the type and view. A ClusterLoadAssignment has the
	// name of its Cluster.
	Name string
	// Aliases are other names by which a proxy may ask for it, sorted. The body
	// says them too.
	Aliases []string
	// Version is HashBody(Body): equal bytes are one version on every server.
	Version uint64
	// Body is the serialised message: the value of a google.protobuf.Any.
	Body []byte
	// Head and Body, one after the other, are the resource as a field of a
	// DeltaDiscoveryResponse. The last AnyHead bytes of Head and Body are the
	// google.protobuf.Any in it.
	Head    []byte
	AnyHead int
	// Needs are the Clusters that it sends requests to, sorted: a proxy gets the
	// resource only after it has acknowledged each of them, and keeps a
	// cluster for as long as it may have a resource that needs it.
	Needs []string
	// From are the objects that caused it, sorted: provenance for people.
	From []Key
}

// NewResource completes a resource of which all but Version and Head is given.
// What the slices of r hold belongs to the result.
func NewResource(r Resource) *Resource {
	r.Version = HashBody(r.Body)
	slices.SortFunc(r.From, Key.Compare)
	r.From = slices.Compact(r.From)
	r.frame()
	return &r
}

// Size is how many bytes of a DeltaDiscoveryResponse it takes.
func (r *Resource) Size() int { return len(r.Head) + len(r.Body) }

// HashBody is the version of a resource with these bytes. It is never 0.
func HashBody(body []byte) uint64 {
	sum := sha256.Sum256(body)
	return max(binary.BigEndian.Uint64(sum[:8]), 1)
}

// VersionText is how a version is written in xDS.
func VersionText(version uint64) string { return strconv.FormatUint(version, 16) }

// Fields, by number, of the messages around a body. All of them are of wire type 2, bytes.
const (
	bytesField = 2 // wire type

	responseResources = 2<<3 | bytesField // of DeltaDiscoveryResponse

	resourceVersion = 1<<3 | bytesField // of Resource
	resourceAny     = 2<<3 | bytesField
	resourceName    = 3<<3 | bytesField
	resourceAliases = 4<<3 | bytesField

	anyTypeURL = 1<<3 | bytesField // of Any
	anyValue   = 2<<3 | bytesField
)

// frame writes Head: every length in it is known before the body is copied anywhere.
func (r *Resource) frame() {
	inner := appendField(nil, anyTypeURL, r.Type.TypeURL())
	inner = append(inner, anyValue)
	inner = binary.AppendUvarint(inner, uint64(len(r.Body)))
	var outer []byte
	outer = appendField(outer, resourceName, r.Name)
	outer = appendField(outer, resourceVersion, VersionText(r.Version))
	for _, alias := range r.Aliases {
		outer = appendField(outer, resourceAliases, alias)
	}
	outer = append(outer, resourceAny)
	outer = binary.AppendUvarint(outer, uint64(len(inner)+len(r.Body)))
	r.AnyHead = len(inner)
	outer = append(outer, inner...)
	head := binary.AppendUvarint([]byte{responseResources}, uint64(len(outer)+len(r.Body)))
	r.Head = slices.Clip(append(head, outer...))
}

func appendField(to []byte, tag byte, value string) []byte {
	to = append(to, tag)
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

// Equal compares all but the bytes, for which Version stands.
func (r *Resource) Equal(o *Resource) bool {
	return r == o || r.Type == o.Type && r.Name == o.Name && r.Version == o.Version &&
		slices.Equal(r.Aliases, o.Aliases) && slices.Equal(r.Needs, o.Needs) && slices.Equal(r.From, o.From)
}
