// Package store brings the objects of a store into flow: one row for each
// object of the kinds it is told of.
//
// Input: a store.Client. Output: a source of api.Object. The first commit is made
// when every kind has been read once, so that nobody ever compiles half of a
// mesh; from then on each change is staged as it comes. The package decides
// nothing: what a row means is for translate.
package store

import (
	"context"

	"golang.org/x/sync/errgroup"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/mass"
	"weft.dev/store"
)

// Source is the collection of all objects of some kinds.
type Source struct {
	*flow.Source[api.Object]
	Problems *flow.Source[model.Problem] // what is missing at once, and held

	client *store.Client
	graph  *flow.Graph
	kinds  []api.Kind
	synced chan struct{}
}

// New makes the source; it is empty until Run has read everything once.
func New(client *store.Client, graph *flow.Graph, kinds ...api.Kind) *Source {
	return &Source{
		Source:   flow.NewSource[api.Object](graph, "objects"),
		Problems: flow.NewSource[model.Problem](graph, "objects held"),

		client: client, graph: graph, kinds: kinds,
		synced: make(chan struct{}),
	}
}

// Synced is closed once every object that there was is committed.
func (s *Source) Synced() <-chan struct{} { return s.synced }

// Run follows the kinds until ctx ends. A store that does not answer is asked
// again, and the rows stay as they are; so do those that are missing in mass.
func (s *Source) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	first := make(chan initial)
	for _, kind := range s.kinds {
		list := &mass.List[api.Object]{Rows: s.Source, Problems: s.Problems, Origin: string(kind)}
		f := &kindFollower{source: s, kind: kind, list: list, first: first, ctx: ctx}
		group.Go(func() error { return s.client.Follow(ctx, kind, f) })
	}
	group.Go(func() error { return s.commitInitial(ctx, first) })
	return group.Wait()
}

// initial is all that there was of a kind.
type initial struct {
	list *mass.List[api.Object]
	all  []api.Object
	done chan struct{} // closed when it is committed
}

// commitInitial commits all kinds at once when the last one has been read.
func (s *Source) commitInitial(ctx context.Context, first <-chan initial) error {
	var kinds []initial
	for len(kinds) < len(s.kinds) {
		select {
		case i := <-first:
			kinds = append(kinds, i)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.graph.Commit(func(tx *flow.Tx) {
		for _, i := range kinds {
			i.list.Replace(tx, i.all)
		}
	})
	close(s.synced)
	for _, i := range kinds {
		close(i.done)
	}
	return nil
}

// kindFollower stages what it is told of one kind.
type kindFollower struct {
	source *Source
	kind   api.Kind
	list   *mass.List[api.Object]
	first  chan<- initial
	ctx    context.Context
	read   bool // the kind has been read once
}

// Replace waits, the first time, for the other kinds: changes that come
// meanwhile wait in the connection to the store.
func (k *kindFollower) Replace(all []api.Object) {
	if k.read {
		k.source.graph.Submit(func(tx *flow.Tx) { k.list.Replace(tx, all) })
		return
	}
	k.read = true
	i := initial{k.list, all, make(chan struct{})}
	select {
	case k.first <- i:
	case <-k.ctx.Done():
		return
	}
	select {
	case <-i.done:
	case <-k.ctx.Done():
	}
}

func (k *kindFollower) Set(o api.Object) {
	k.source.graph.Submit(func(tx *flow.Tx) { k.list.Set(tx, o) })
}

func (k *kindFollower) Delete(namespace, name string) {
	key := api.Object{Kind: k.kind, Namespace: namespace, Name: name}.Key()
	k.source.graph.Submit(func(tx *flow.Tx) { k.list.Delete(tx, key) })
}
