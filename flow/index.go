package flow

import (
	"cmp"
	"slices"
)

// Index finds rows of a collection by something else than their key.
type Index[V Row[V]] struct {
	c       *Collection[V]
	by      func(V) []string
	filed   map[string][]*entry[V] // by index value, sorted by key
	readers readers                // by index value
	groups  []toucher
}

// NewIndex files every row of c under each value that by returns for it. by
// must be pure; it is called again with a row to unfile it.
func NewIndex[V Row[V]](c *Collection[V], by func(V) []string) *Index[V] {
	if c.g.sealed {
		panic("flow: " + c.name + ": indexed after the first commit; wire the whole graph before it")
	}
	ix := &Index[V]{c: c, by: by, filed: map[string][]*entry[V]{}}
	ix.readers = readers{collection: c.name, how: ReadIndex, order: c.order}
	c.indexes = append(c.indexes, ix)
	return ix
}

// apply files now instead of old; either may be nil.
func (ix *Index[V]) apply(old, now *entry[V]) {
	if old != nil {
		for _, by := range ix.by(old.row) {
			ix.unfile(by, old.key)
		}
	}
	if now != nil {
		for _, by := range ix.by(now.row) {
			ix.file(by, now)
		}
	}
}

func (ix *Index[V]) file(by string, e *entry[V]) {
	filed := ix.filed[by]
	if i, found := find(filed, e.key); !found {
		ix.filed[by] = slices.Insert(filed, i, e)
	}
	ix.touch(by)
}

func (ix *Index[V]) unfile(by, key string) {
	filed := ix.filed[by]
	if i, found := find(filed, key); found {
		ix.filed[by] = slices.Delete(filed, i, i+1)
	}
	if len(ix.filed[by]) == 0 {
		delete(ix.filed, by)
	}
	ix.touch(by)
}

func (ix *Index[V]) touch(by string) {
	ix.readers.touch(by)
	for _, d := range ix.groups {
		d.touch(by)
	}
}

// rows are those filed under by, sorted by key.
func (ix *Index[V]) rows(by string) []V {
	filed := ix.filed[by]
	if len(filed) == 0 {
		return nil
	}
	rows := make([]V, len(filed))
	for i, e := range filed {
		rows[i] = e.row
	}
	return rows
}

// find searches entries that are sorted by key.
func find[V any](all []*entry[V], key string) (int, bool) {
	return slices.BinarySearchFunc(all, key, func(e *entry[V], key string) int { return cmp.Compare(e.key, key) })
}
