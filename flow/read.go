package flow

import (
	"fmt"
	"slices"
)

// Ctx is the right to read the graph. In a derivation each read is recorded,
// and the derivation of that row runs again when what it read changes, also
// when a row appears that was not there. In a View nothing is recorded. A Ctx
// is valid only inside the function that received it.
type Ctx struct {
	g     *Graph
	order int // collections from this place on cannot be read
	deps  []dep
	seen  map[dep]struct{} // the same as deps, where there are many
}

// Get returns the row of a key.
func Get[V Row[V]](x *Ctx, c *Collection[V], key string) (V, bool) {
	x.read(c.g, dep{&c.byKey, key})
	return c.row(key)
}

// Lookup returns the rows filed under a value of an index, sorted by key. The
// caller may keep and change the slice, not the rows.
func Lookup[V Row[V]](x *Ctx, ix *Index[V], by string) []V {
	x.read(ix.c.g, dep{&ix.readers, by})
	return ix.rows(by)
}

// All returns every row, sorted by key. A derivation that calls it runs again
// with each change of the collection: only for small ones.
func All[V Row[V]](x *Ctx, c *Collection[V]) []V {
	x.read(c.g, dep{&c.scans, ""})
	return c.sorted()
}

// dep is one thing that was read.
type dep struct {
	from *readers
	key  string
}

// edge is who read it: the derivation of one input row.
type edge struct {
	by    toucher
	input string
}

// readers knows who must run again when a key changes.
type readers struct {
	collection string
	how        Read
	order      int
	who        map[string]audience
}

func (r *readers) touch(key string) {
	a := r.who[key]
	for _, e := range a.few {
		e.by.touch(e.input)
	}
	for e := range a.many {
		e.by.touch(e.input)
	}
}

func (r *readers) add(key string, e edge) {
	if r.who == nil {
		r.who = map[string]audience{}
	}
	a := r.who[key]
	a.add(e)
	r.who[key] = a
}

func (r *readers) remove(key string, e edge) {
	a := r.who[key]
	if a.remove(e); len(a.few)+len(a.many) == 0 {
		delete(r.who, key)
		return
	}
	r.who[key] = a
}

// audience is who read one thing: mostly one or two, so no map as long as a
// list is as fast.
type audience struct {
	few  []edge
	many map[edge]struct{}
}

// few is up to which size a list is searched as fast as a map.
const few = 8

func (a *audience) add(e edge) {
	switch {
	case a.many != nil:
		a.many[e] = struct{}{}
	case slices.Contains(a.few, e):
	case len(a.few) < few:
		a.few = append(a.few, e)
	default:
		a.many = map[edge]struct{}{e: {}}
		for _, e := range a.few {
			a.many[e] = struct{}{}
		}
		a.few = nil
	}
}

func (a *audience) remove(e edge) {
	delete(a.many, e)
	if i := slices.Index(a.few, e); i >= 0 {
		a.few = slices.Delete(a.few, i, i+1)
	}
}

func (x *Ctx) read(g *Graph, d dep) {
	if g != x.g {
		panic(fmt.Sprintf("flow: %s: read from another graph", d.from.collection))
	}
	if x.order == len(g.nodes) {
		return // a view
	}
	if d.from.order >= x.order {
		panic(fmt.Sprintf("flow: %s: read by a collection made before it", d.from.collection))
	}
	if !x.again(d) {
		x.deps = append(x.deps, d)
	}
}

// again says whether the same was read before.
func (x *Ctx) again(d dep) bool {
	if len(x.deps) < few {
		return slices.Contains(x.deps, d)
	}
	if x.seen == nil {
		x.seen = make(map[dep]struct{}, 2*few)
		for _, d := range x.deps {
			x.seen[d] = struct{}{}
		}
	}
	_, again := x.seen[d]
	x.seen[d] = struct{}{}
	return again
}
