package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/runner"
	"weft.dev/store"
	"weft.dev/web"
)

// listed are all objects of a kind in short, for lists that people look at: reading every
// one whole, with what happened in it, once a second for each page would be most of a server's work.
type listed[T, S any] struct {
	noun  string
	short func(*T) S

	mu    sync.Mutex
	known map[[2]string]S // by namespace and name
	order []S             // them, sorted; nil: to be sorted for who looks next. Shared, and never changed
	count uint64          // of changes

	// stored is where each is whole; nil: nobody writes them.
	stored *store.Resource[T]
}

// lists are of what people write to ship.
type lists struct {
	releases  listed[v1alpha1.Release, web.Release]
	pipelines listed[v1alpha1.Pipeline, web.Pipeline]
	runs      listed[v1alpha1.PipelineRun, web.Run]
	freezes   listed[v1alpha1.Freeze, v1alpha1.Freeze]
	blobs     *store.Resource[v1alpha1.Blob] // what runs began with; nil: nobody ships
}

func newLists() *lists {
	return &lists{
		releases:  listed[v1alpha1.Release, web.Release]{noun: "release", short: web.ReleaseOf},
		pipelines: listed[v1alpha1.Pipeline, web.Pipeline]{noun: "pipeline", short: web.PipelineOf},
		runs:      listed[v1alpha1.PipelineRun, web.Run]{noun: "run", short: web.RunOf},
		freezes:   listed[v1alpha1.Freeze, v1alpha1.Freeze]{noun: "freeze", short: func(f *v1alpha1.Freeze) v1alpha1.Freeze { return *f }},
	}
}

// follow keeps the lists true, each by a function that runs until its context ends.
func (l *lists) follow(client *store.Client) []func(context.Context) error {
	blobs := store.For[v1alpha1.Blob](client, api.Blob)
	l.blobs = &blobs
	return []func(context.Context) error{
		l.releases.follow(client, api.Release), l.pipelines.follow(client, api.Pipeline), l.runs.follow(client, api.PipelineRun), l.freezes.follow(client, api.Freeze),
	}
}

// definition is the pipeline of a run: as it was when the run began, or as it is now.
func (l *lists) definition(ctx context.Context, o *v1alpha1.PipelineRun) (*v1alpha1.PipelineSpec, error) {
	if o.Status.Definition == "" {
		p, err := l.pipelines.whole(ctx, o.Namespace, o.Spec.Pipeline)
		if err != nil {
			return nil, err
		}
		return &p.Spec, nil
	}
	b, err := l.blobs.Get(ctx, o.Namespace, o.Status.Definition)
	if store.IsNotFound(err) {
		return nil, fmt.Errorf("definition of run %s/%s: %w", o.Namespace, o.Name, web.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return runner.Definition(b)
}

func (s *listed[T, S]) follow(client *store.Client, kind api.Kind) func(context.Context) error {
	all := store.For[T](client, kind)
	s.stored = &all
	return func(ctx context.Context) error { return all.Watch(ctx, "", s.set) }
}

// whole is one as it is stored.
func (s *listed[T, S]) whole(ctx context.Context, namespace, name string) (*T, error) {
	missing := fmt.Errorf("%s %s/%s: %w", s.noun, namespace, name, web.ErrNotFound)
	if s.stored == nil {
		return nil, missing
	}
	o, err := s.stored.Get(ctx, namespace, name)
	if store.IsNotFound(err) {
		return nil, missing
	}
	return o, err
}

func (s *listed[T, S]) set(o *T, deleted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := any(o).(metav1.Object)
	key := [2]string{named.GetNamespace(), named.GetName()}
	s.count++
	s.order = nil
	if deleted {
		delete(s.known, key)
		return
	}
	if s.known == nil {
		s.known = map[[2]string]S{}
	}
	s.known[key] = s.short(o)
}

// all are sorted by namespace and name, once a change.
func (s *listed[T, S]) all() []S {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil {
		s.order = make([]S, 0, len(s.known))
		for _, key := range slices.SortedFunc(maps.Keys(s.known), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			s.order = append(s.order, s.known[key])
		}
	}
	return s.order
}

func (s *listed[T, S]) changed() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
