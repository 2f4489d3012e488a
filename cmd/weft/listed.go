package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/web"
)

// listedReleases are all releases in short, for lists that people look at: reading every
// one whole, with what happened in it, once a second for each page would be most of a server's work.
type listedReleases struct {
	mu    sync.Mutex
	known map[string]web.Release // by namespace/name
	count uint64                 // of changes

	// stored is where each is whole; nil: nobody releases.
	stored interface {
		Get(ctx context.Context, namespace, name string) (*v1alpha1.Release, error)
	}
}

// whole is one as it is stored.
func (s *listedReleases) whole(ctx context.Context, namespace, name string) (*v1alpha1.Release, error) {
	missing := fmt.Errorf("release %s/%s: %w", namespace, name, web.ErrNotFound)
	if s.stored == nil {
		return nil, missing
	}
	o, err := s.stored.Get(ctx, namespace, name)
	if store.IsNotFound(err) {
		return nil, missing
	}
	return o, err
}

func (s *listedReleases) set(o *v1alpha1.Release, deleted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := o.Namespace + "/" + o.Name
	s.count++
	if deleted {
		delete(s.known, key)
		return
	}
	if s.known == nil {
		s.known = map[string]web.Release{}
	}
	s.known[key] = web.ReleaseOf(o)
}

func (s *listedReleases) all() []web.Release {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.known), func(a, b web.Release) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}

func (s *listedReleases) changed() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
