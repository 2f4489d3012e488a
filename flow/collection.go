package flow

import (
	"cmp"
	"maps"
	"slices"
)

// Change is what one commit did to one row. Old is nil for a new row, New for
// a deleted one; never both. Both are shared: do not write through them.
type Change[V Row[V]] struct {
	Key      string
	Old, New *V
}

// entry is a row with its key, which costs to make, and with what it came from:
// the origin in a source, the input in a derivation. It is never changed.
type entry[V any] struct {
	key, from string
	row       V
}

func (e *entry[V]) compare(o *entry[V]) int { return cmp.Compare(e.key, o.key) }

// Collection is a set of rows by key. Its methods are for use outside of
// commits and may be called by any number of goroutines; in a derivation they
// would wait for the very commit that runs it: read through the Ctx there.
type Collection[V Row[V]] struct {
	g       *Graph
	name    string
	order   int
	rows    map[string]*entry[V]
	changes []Change[V]

	byKey     readers // of Get
	scans     readers // of All, under the empty key
	indexes   []*Index[V]
	derived   []toucher // derivations that have this collection as their input
	observers []func(Revision, []Change[V])
}

// toucher has something to recompute for a key.
type toucher interface{ touch(key string) }

func newCollection[V Row[V]](g *Graph, name string, n node) *Collection[V] {
	c := &Collection[V]{g: g, name: name, rows: map[string]*entry[V]{}}
	c.order = g.add(name, n)
	c.byKey = readers{collection: name, how: ReadRow, order: c.order}
	c.scans = readers{collection: name, how: ReadAll, order: c.order}
	return c
}

// Name is unique in the graph.
func (c *Collection[V]) Name() string { return c.name }

// Get returns the row of the last commit.
func (c *Collection[V]) Get(key string) (V, bool) {
	c.g.mu.RLock()
	defer c.g.mu.RUnlock()
	return c.row(key)
}

// All returns the rows of the last commit, sorted by key.
func (c *Collection[V]) All() []V {
	c.g.mu.RLock()
	defer c.g.mu.RUnlock()
	return c.sorted()
}

// Len is the number of rows.
func (c *Collection[V]) Len() int {
	c.g.mu.RLock()
	defer c.g.mu.RUnlock()
	return len(c.rows)
}

// Observe has f called after each commit that changed rows of c, with the
// changes sorted by key. The whole graph has settled then and can be read, and
// the next commit waits for f. Observers run in the order of their
// collections, then of their registration. Part of the wiring, as constructors are.
func (c *Collection[V]) Observe(f func(Revision, []Change[V])) {
	if c.g.sealed {
		panic("flow: " + c.name + ": observed after the first commit; wire the whole graph before it")
	}
	c.observers = append(c.observers, f)
}

func (c *Collection[V]) row(key string) (v V, ok bool) {
	e := c.rows[key]
	if e == nil {
		return v, false
	}
	return e.row, true
}

func (c *Collection[V]) sorted() []V {
	all := make([]V, 0, len(c.rows))
	for _, e := range slices.SortedFunc(maps.Values(c.rows), (*entry[V]).compare) {
		all = append(all, e.row)
	}
	return all
}

// apply makes e the row of key, nil deletes it, and touches all who depend on
// it; an equal row changes nothing. At most once a key and commit.
func (c *Collection[V]) apply(key string, e *entry[V]) {
	old := c.rows[key]
	change := Change[V]{Key: key}
	switch {
	case e == old:
		return
	case e == nil:
		delete(c.rows, key)
	case old != nil && old.row.Equal(e.row):
		if old.from != e.from { // no news, but it belongs to another now
			c.rows[key] = &entry[V]{key: key, from: e.from, row: old.row}
		}
		return
	default:
		c.rows[key] = e
		change.New = &e.row
	}
	if old != nil {
		change.Old = &old.row
	}
	c.changes = append(c.changes, change)
	c.byKey.touch(key)
	for _, d := range c.derived {
		d.touch(key)
	}
	for _, ix := range c.indexes {
		ix.apply(old, e)
	}
}

// settled ends the collection's part of the commit.
func (c *Collection[V]) settled() (changed bool) {
	if len(c.changes) == 0 {
		return false
	}
	slices.SortFunc(c.changes, func(a, b Change[V]) int { return cmp.Compare(a.Key, b.Key) })
	c.scans.touch("")
	return true
}

func (c *Collection[V]) publish(rev Revision) {
	if len(c.changes) == 0 {
		return
	}
	changes := c.changes
	c.changes = nil
	for _, f := range c.observers {
		f(rev, changes)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
