package api

import (
	"maps"
	"time"
)

// Object is one object of an accepted kind.
type Object struct {
	Kind            Kind
	Namespace, Name string
	UID             string
	ResourceVersion string
	Generation      int64     // counts changes of the spec; 0 where the kind has no such count
	Created         time.Time // decides which of two contradicting objects is older
	Labels          map[string]string
	Annotations     map[string]string // without what kubectl keeps for itself
	// Spec is a pointer to the kind's typed spec, e.g. *networkingv1.VirtualService of istio.io/api
	// or *gatewayv1.HTTPRouteSpec; for a kind without a spec (EndpointSlice, Secret) a pointer to the
	// whole typed object without its metadata. Nil if the object could not be read: see Err.
	Spec any
	// Err says what is wrong with the object's text. With a Spec it names fields that weft does not
	// know and that have no effect; without one the whole object has no effect.
	Err string
	// Hash is of the spec, labels and annotations.
	Hash uint64
}

// Bare is the object without what is of no use to those who do not read its
// content. It equals the object.
func (o Object) Bare() Object {
	all := o.Annotations
	o.Spec, o.Labels, o.Annotations, o.ResourceVersion = nil, nil, nil, ""
	for _, name := range []string{SourceAnnotation, SuppressAnnotation} {
		if value, written := all[name]; written {
			if o.Annotations == nil {
				o.Annotations = map[string]string{}
			}
			o.Annotations[name] = value
		}
	}
	return o
}

// Key is "Kind/namespace/name", with an empty namespace for a kind without any.
func (o Object) Key() string { return string(o.Kind) + "/" + o.Namespace + "/" + o.Name }

// Equal reports whether both are the same object with the same content. Status
// and resource version are no content, so a status that weft writes itself is no
// change. UID and generation are compared because a status belongs to one
// generation of one object.
func (o Object) Equal(p Object) bool {
	return o.Hash == p.Hash && o.Generation == p.Generation && o.UID == p.UID && o.Err == p.Err &&
		o.Kind == p.Kind && o.Namespace == p.Namespace && o.Name == p.Name
}

// lastApplied repeats the whole object; it is as large and never read.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func withoutLastApplied(annotations map[string]string) map[string]string {
	maps.DeleteFunc(annotations, func(k, _ string) bool { return k == lastApplied })
	return annotations
}

// SuppressAnnotation names, on an object, ids of problems that its owner knows of.
const SuppressAnnotation = "weft.dev/suppress"

// Annotations by which who reads an object's text says where it was written down.
const (
	SourceAnnotation = "weft.dev/source" // "routes.yaml:12": file and line of the object
	LinesAnnotation  = "weft.dev/lines"  // {"spec.http[0]":14}: lines of its parts in that file
)
