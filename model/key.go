package model

import (
	"cmp"
	"strconv"
)

// Key names an object that a person or program applied.
type Key struct{ Kind, Namespace, Name string }

// String is how people write the key: "VirtualService shop/reviews".
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Compare orders keys by kind, namespace, name.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Name, o.Name))
}

// Origin is the place in an object that caused something: provenance.
type Origin struct {
	Key  Key
	Path string // in the object, e.g. spec.http[0].route[1]; empty: the whole object
	File string // where the object was written down, if known
	Line int    // of Path in File; 0: unknown
}

// String is "VirtualService shop/reviews spec.http[0] (routes.yaml:12)".
func (o Origin) String() string {
	s := o.Key.String()
	if o.Path != "" {
		s += " " + o.Path
	}
	if o.File != "" {
		s += " (" + o.File
		if o.Line > 0 {
			s += ":" + strconv.Itoa(o.Line)
		}
		s += ")"
	}
	return s
}
