package model

import "slices"

// Named is something that strangers have, and the namespaces whose objects name it. Key: the thing's.
type Named[T Thing] struct {
	Thing T
	By    []string // sorted, each once
}

// Thing is what can be named.
type Thing interface {
	comparable
	Key() string
}

func (n Named[T]) Key() string           { return n.Thing.Key() }
func (n Named[T]) Equal(o Named[T]) bool { return n.Thing == o.Thing && slices.Equal(n.By, o.By) }
