// Package kube brings the pods of a Kubernetes cluster, and the addresses of its
// gateways, into flow.
//
// Input: the cluster's API server. Output: one row for each pod that has an
// address and is not over, and one for each gateway's Service. Objects are read in
// the API server's binary form, and of each only what the mesh uses is kept: there
// are more pods than of all else. The package decides nothing: what a pod is to the
// mesh is for translate.
package kube

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/mass"
)

// pageSize is how many objects a list asks for at once.
const pageSize = 500

// How long an API server that does not answer is left alone. What it says once it is
// back has to be known before the pods that it stops have drained.
const (
	firstWait = 200 * time.Millisecond
	lastWait  = 2 * time.Second // at most twice that, with jitter
)

// Source is the collection of rows that the objects of one kind make.
type Source[O runtime.Object, R flow.Row[R]] struct {
	*flow.Source[R]
	Problems *flow.Source[model.Problem] // what is missing at once, and held

	name   string
	graph  *flow.Graph
	list   *mass.List[R]
	from   cache.ListerWatcher
	kind   O
	row    func(O) (R, bool) // false: the object makes none, and only the row's key is right
	synced chan struct{}
}

// newSource is empty until Run has read everything once.
func newSource[O runtime.Object, R flow.Row[R]](graph *flow.Graph, name string, from cache.ListerWatcher, kind O, row func(O) (R, bool)) *Source[O, R] {
	s := &Source[O, R]{
		Source: flow.NewSource[R](graph, name), Problems: flow.NewSource[model.Problem](graph, name+" held"),
		name: name, graph: graph, from: from, kind: kind, row: row, synced: make(chan struct{}),
	}
	s.list = &mass.List[R]{Rows: s.Source, Problems: s.Problems, Origin: name}
	return s
}

// Synced is closed once all objects that there were are committed.
func (s *Source[O, R]) Synced() <-chan struct{} { return s.synced }

// Run follows the objects until ctx ends. An API server that does not answer is
// asked again, and the rows stay as they are; so do those that are missing in mass.
func (s *Source[O, R]) Run(ctx context.Context) error {
	reflector := cache.NewReflectorWithOptions(s.from, s.kind, follower[O, R]{s}, cache.ReflectorOptions{
		Name: "weft", TypeDescription: s.name, Backoff: &wait.Backoff{Duration: firstWait, Cap: lastWait, Factor: 2, Jitter: 1, Steps: 10},
	})
	reflector.WatchListPageSize = pageSize
	reflector.RunWithContext(ctx)
	return ctx.Err()
}

// follower lets a reflector make rows instead of keeping objects.
type follower[O runtime.Object, R flow.Row[R]] struct{ *Source[O, R] }

func (f follower[O, R]) Add(o any) error    { f.set(o.(O)); return nil }
func (f follower[O, R]) Update(o any) error { f.set(o.(O)); return nil }
func (f follower[O, R]) Resync() error      { return nil }

func (f follower[O, R]) Delete(o any) error {
	row, _ := f.row(o.(O))
	f.graph.Submit(func(tx *flow.Tx) { f.list.Delete(tx, row.Key()) })
	return nil
}

func (f follower[O, R]) set(o O) {
	row, ok := f.row(o)
	f.graph.Submit(func(tx *flow.Tx) {
		if ok {
			f.list.Set(tx, row)
		} else {
			f.list.Delete(tx, row.Key())
		}
	})
}

// made is what stays of an object that was read.
type made[R any] struct {
	row R
	ok  bool
}

func (f follower[O, R]) make(o O) (m made[R]) {
	m.row, m.ok = f.row(o)
	return m
}

// Transformer makes the rows of a first list while its objects arrive, one by one. Were all held until the last,
// the heap would stay as large: no page of it would be free of the few bytes that are kept of each.
func (f follower[O, R]) Transformer() cache.TransformFunc {
	return func(o any) (any, error) { return f.make(o.(O)), nil }
}

func (f follower[O, R]) Replace(list []any, _ string) error {
	rows := make([]R, 0, len(list))
	for i, o := range list {
		one, ok := o.(made[R])
		if !ok {
			one = f.make(o.(O)) // an older server gives its objects in lists
		}
		if one.ok {
			rows = append(rows, one.row)
		}
		list[i] = nil // so that both forms are never in memory together
	}
	f.graph.Commit(func(tx *flow.Tx) { f.list.Replace(tx, rows) })
	select {
	case <-f.synced:
	default:
		close(f.synced)
	}
	return nil
}
