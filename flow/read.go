package flow

import "fmt"

// Ctx is the right to read the graph. In a derivation each read is recorded,
// and the derivation of that row runs again when what it read changes, also
// when a row appears that was not there. In a View nothing is recorded. A Ctx
// is valid only inside the function that received it.
type Ctx struct {
	g     *Graph
	order int // collections from this place on cannot be read
	deps  []dep
	seen  map[dep]struct{}
}

// Get returns the row of a key.
func Get[V Row[V]](x *Ctx, c *Collection[V], key string) (V, bool) {
	x.read(c.g, dep{&c.byKey, key})
	v, ok := c.rows[key]
	return v, ok
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
	who        map[string]map[edge]struct{}
}

func (r *readers) touch(key string) {
	for e := range r.who[key] {
		e.by.touch(e.input)
	}
}

func (r *readers) add(key string, e edge) {
	if r.who == nil {
		r.who = map[string]map[edge]struct{}{}
	}
	if r.who[key] == nil {
		r.who[key] = map[edge]struct{}{}
	}
	r.who[key][e] = struct{}{}
}

func (r *readers) remove(key string, e edge) {
	delete(r.who[key], e)
	if len(r.who[key]) == 0 {
		delete(r.who, key)
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
	if _, again := x.seen[d]; again {
		return
	}
	if x.seen == nil {
		x.seen = map[dep]struct{}{}
	}
	x.seen[d] = struct{}{}
	x.deps = append(x.deps, d)
}
