package flow

import "slices"

// Index finds rows of a collection by something else than their key.
type Index[V Row[V]] struct {
	c       *Collection[V]
	by      func(V) []string
	keys    map[string][]string // index value -> keys of rows, sorted
	readers readers             // by index value
	groups  []toucher
}

// NewIndex files every row of c under each value that by returns for it. by
// must be pure; it is called again with a row to unfile it.
func NewIndex[V Row[V]](c *Collection[V], by func(V) []string) *Index[V] {
	if c.g.sealed {
		panic("flow: " + c.name + ": indexed after the first commit; wire the whole graph before it")
	}
	ix := &Index[V]{c: c, by: by, keys: map[string][]string{}}
	ix.readers = readers{collection: c.name, how: ReadIndex, order: c.order}
	c.indexes = append(c.indexes, ix)
	return ix
}

func (ix *Index[V]) apply(ch Change[V]) {
	if ch.Old != nil {
		for _, by := range ix.by(*ch.Old) {
			ix.unfile(by, ch.Key)
		}
	}
	if ch.New != nil {
		for _, by := range ix.by(*ch.New) {
			ix.file(by, ch.Key)
		}
	}
}

func (ix *Index[V]) file(by, key string) {
	keys := ix.keys[by]
	if i, found := slices.BinarySearch(keys, key); !found {
		ix.keys[by] = slices.Insert(keys, i, key)
	}
	ix.touch(by)
}

func (ix *Index[V]) unfile(by, key string) {
	keys := ix.keys[by]
	if i, found := slices.BinarySearch(keys, key); found {
		ix.keys[by] = slices.Delete(keys, i, i+1)
	}
	if len(ix.keys[by]) == 0 {
		delete(ix.keys, by)
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
	keys := ix.keys[by]
	if len(keys) == 0 {
		return nil
	}
	rows := make([]V, len(keys))
	for i, key := range keys {
		rows[i] = ix.c.rows[key]
	}
	return rows
}
