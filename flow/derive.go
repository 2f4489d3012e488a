package flow

import (
	"fmt"
	"slices"
)

// Derive gives each row of in any number of rows. What fn returns belongs to
// the collection from then on. A key belongs to one input: where several give a row of the
// same key, the input with the smallest key has it, and each other is a fault
// until it stops; then, or when the owner stops, the next one takes over.
func Derive[I Row[I], O Row[O]](in *Collection[I], name string, fn func(*Ctx, I) []O) *Collection[O] {
	d := newDerivation[O](in.g, name, func(input string) Ref {
		return Ref{Collection: in.name, Key: input, How: ReadRow}
	})
	d.run = func(x *Ctx, key string) ([]O, bool) {
		row, ok := in.row(key)
		if !ok {
			return nil, false
		}
		return fn(x, row), true
	}
	in.derived = append(in.derived, d)
	return d.Collection
}

// Digest gives each row of a source in any number of rows, as Derive does, where
// rows are large and needed once: of each the source holds only what keep leaves,
// which must equal the row, and fn alone is given all of it. fn reads nothing
// else, so it never needs the row again. A source has one digest.
func Digest[I Row[I], O Row[O]](in *Collection[I], name string, keep func(I) I, fn func(I) []O) *Collection[O] {
	s, ok := in.g.nodes[in.order].(*Source[I])
	if !ok || s.keep != nil {
		panic("flow: " + name + ": made of " + in.name + ", which is no source or has a digest already; derive it instead")
	}
	s.keep, s.whole = keep, map[string]I{}
	d := newDerivation[O](in.g, name, func(input string) Ref {
		return Ref{Collection: in.name, Key: input, How: ReadRow}
	})
	d.run = func(_ *Ctx, key string) ([]O, bool) {
		row, ok := s.whole[key]
		if !ok {
			return nil, false
		}
		return fn(row), true
	}
	in.derived = append(in.derived, d)
	return d.Collection
}

// Group gives one row, or none, for each value of an index that has rows. The
// rows come sorted by key. Keys belong to index values as in Derive to inputs.
func Group[I Row[I], O Row[O]](in *Index[I], name string, fn func(x *Ctx, by string, rows []I) *O) *Collection[O] {
	d := newDerivation[O](in.c.g, name, func(input string) Ref {
		return Ref{Collection: in.c.name, Key: input, How: ReadIndex}
	})
	d.run = func(x *Ctx, by string) ([]O, bool) {
		rows := in.rows(by)
		if len(rows) == 0 {
			return nil, false
		}
		if o := fn(x, by, rows); o != nil {
			return []O{*o}, true
		}
		return nil, true
	}
	in.groups = append(in.groups, d)
	return d.Collection
}

// derivation is a collection whose rows follow from inputs: rows of another
// collection, or values of an index.
type derivation[O Row[O]] struct {
	*Collection[O]
	run   func(*Ctx, string) (rows []O, exists bool)
	input func(string) Ref // how people see an input

	dirty  map[string]struct{}   // inputs to run
	made   map[string]product[O] // of inputs that gave or read something: most give nothing to most derivations
	also   map[string][]string   // key of a row -> other inputs that gave it, sorted
	next   map[string]*entry[O]  // within a commit: keys whose row may be another now
	broken map[string]string     // input -> why its last run gave nothing new, or not all
}

// product is what one input gave.
type product[O Row[O]] struct {
	rows []*entry[O] // sorted by key
	deps []dep
}

func newDerivation[O Row[O]](g *Graph, name string, input func(string) Ref) *derivation[O] {
	d := &derivation[O]{
		input: input,
		dirty: map[string]struct{}{}, made: map[string]product[O]{},
		also: map[string][]string{}, broken: map[string]string{},
	}
	d.Collection = newCollection[O](g, name, d)
	return d
}

func (d *derivation[O]) touch(input string) { d.dirty[input] = struct{}{} }

func (d *derivation[O]) settle() bool {
	if len(d.dirty) == 0 {
		return false
	}
	dirty := d.dirty
	// Not cleared: that would cost what the largest commit did.
	d.dirty, d.next = map[string]struct{}{}, map[string]*entry[O]{}
	for _, input := range sortedKeys(dirty) {
		d.remake(input)
	}
	for _, key := range sortedKeys(d.next) {
		d.apply(key, d.next[key])
	}
	d.next = nil
	return d.settled()
}

// remake runs one input and takes note of the rows that it gives now. A row
// that equals the one before is the one before, so that it is held once.
func (d *derivation[O]) remake(input string) {
	old := d.made[input]
	now := d.call(input, old)
	d.depend(input, old.deps, now.deps)
	i, j := 0, 0
	for i < len(old.rows) || j < len(now.rows) {
		switch order := compareFirst(old.rows[i:], now.rows[j:]); {
		case order < 0:
			d.release(old.rows[i])
			i++
		case order > 0:
			d.claim(now.rows[j])
			j++
		default:
			if old.rows[i].row.Equal(now.rows[j].row) {
				now.rows[j] = old.rows[i]
			} else if d.owner(now.rows[j].key).from == input {
				d.next[now.rows[j].key] = now.rows[j]
			}
			i, j = i+1, j+1
		}
	}
	if len(now.rows)+len(now.deps) > 0 {
		d.made[input] = now
	} else {
		delete(d.made, input)
	}
}

// compareFirst orders the first rows of two lists by key; an empty list comes last.
func compareFirst[V any](a, b []*entry[V]) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return a[0].compare(b[0])
}

// call runs the function of one input. Where it panics and the graph keeps the
// last good, that is the product, with the reads of both runs.
func (d *derivation[O]) call(input string, old product[O]) (now product[O]) {
	x := &Ctx{g: d.g, order: d.order}
	defer func() {
		if !d.g.opts.KeepLastGood {
			return
		}
		if p := recover(); p != nil {
			for _, dep := range old.deps {
				x.read(d.g, dep)
			}
			now = product[O]{rows: slices.Clone(old.rows), deps: x.deps}
			d.fault(input, fmt.Sprintf("panic: %v", p))
		}
	}()
	delete(d.broken, input)
	rows, exists := d.run(x, input)
	if !exists {
		return product[O]{}
	}
	d.g.runs.Add(1)
	return product[O]{rows: d.entries(input, rows), deps: x.deps}
}

func (d *derivation[O]) entries(input string, rows []O) []*entry[O] {
	if len(rows) == 0 {
		return nil
	}
	all := make([]*entry[O], len(rows))
	for i, row := range rows {
		all[i] = &entry[O]{key: row.Key(), from: input, row: row}
	}
	slices.SortStableFunc(all, (*entry[O]).compare)
	distinct := slices.CompactFunc(all, func(a, b *entry[O]) bool { return a.key == b.key })
	if len(distinct) < len(all) {
		d.fault(input, "gave several rows of one key; the first one is taken")
	}
	return distinct
}

func (d *derivation[O]) fault(input, text string) {
	d.g.faulty.Add(1)
	d.broken[input] = text
}

func (d *derivation[O]) depend(input string, old, now []dep) {
	if slices.Equal(old, now) {
		return
	}
	e := edge{by: d, input: input}
	for _, dep := range old {
		dep.from.remove(dep.key, e)
	}
	for _, dep := range now {
		dep.from.add(dep.key, e)
	}
}

// owner is the row that a key has as far as the commit has come; nil: none.
func (d *derivation[O]) owner(key string) *entry[O] {
	if e, changed := d.next[key]; changed {
		return e
	}
	return d.rows[key]
}

func (d *derivation[O]) claim(e *entry[O]) {
	first := d.owner(e.key)
	if first == nil {
		d.next[e.key] = e
		return
	}
	d.g.faulty.Add(1)
	if e.from < first.from {
		d.next[e.key] = e
	}
	later := max(first.from, e.from)
	i, _ := slices.BinarySearch(d.also[e.key], later)
	d.also[e.key] = slices.Insert(d.also[e.key], i, later)
}

func (d *derivation[O]) release(e *entry[O]) {
	rest := d.also[e.key]
	switch i, found := slices.BinarySearch(rest, e.from); {
	case found:
		rest = slices.Delete(rest, i, i+1)
	case len(rest) > 0:
		d.next[e.key], rest = d.made[rest[0]].row(e.key), rest[1:]
	default:
		d.next[e.key] = nil
	}
	if len(rest) == 0 {
		delete(d.also, e.key)
	} else {
		d.also[e.key] = rest
	}
}

// row is the one of a key that is among them.
func (p product[O]) row(key string) *entry[O] {
	i, _ := find(p.rows, key)
	return p.rows[i]
}

func (d *derivation[O]) discard() {}
