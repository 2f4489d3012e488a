package flow

import (
	"cmp"
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
		row, ok := in.rows[key]
		if !ok {
			return nil, false
		}
		return fn(x, row), true
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

// Union has the rows of all collections. A key that several have belongs to
// the first of them; each other is a fault, as in Derive.
func Union[V Row[V]](name string, all ...*Collection[V]) *Collection[V] {
	split := func(input string) (*Collection[V], string) { return all[input[0]], input[1:] }
	d := newDerivation[V](all[0].g, name, func(input string) Ref {
		c, key := split(input)
		return Ref{Collection: c.name, Key: key, How: ReadRow}
	})
	d.run = func(_ *Ctx, input string) ([]V, bool) {
		c, key := split(input)
		row, ok := c.rows[key]
		return []V{row}, ok
	}
	for i, c := range all {
		c.derived = append(c.derived, member{d, string([]byte{byte(i)})})
	}
	return d.Collection
}

// member makes the keys of one collection of a union distinct.
type member struct {
	to     toucher
	prefix string
}

func (m member) touch(key string) { m.to.touch(m.prefix + key) }

// derivation is a collection whose rows follow from inputs: rows of another
// collection, or values of an index.
type derivation[O Row[O]] struct {
	*Collection[O]
	run   func(*Ctx, string) (rows []O, exists bool)
	input func(string) Ref // how people see an input

	dirty map[string]struct{} // inputs to run
	made  map[string]product[O]
	owner map[string]string   // key of a row -> the input that it comes from
	also  map[string][]string // key of a row -> other inputs that gave it, sorted
}

// product is what one input gave.
type product[O Row[O]] struct {
	rows  []O // sorted by key
	deps  []dep
	fault string // why the last run gave nothing new, or not all
}

func newDerivation[O Row[O]](g *Graph, name string, input func(string) Ref) *derivation[O] {
	d := &derivation[O]{
		input: input,
		dirty: map[string]struct{}{}, made: map[string]product[O]{},
		owner: map[string]string{}, also: map[string][]string{},
	}
	d.Collection = newCollection[O](g, name, d)
	return d
}

func (d *derivation[O]) touch(input string) { d.dirty[input] = struct{}{} }

func (d *derivation[O]) settle() bool {
	if len(d.dirty) == 0 {
		return false
	}
	stale := map[string]struct{}{} // keys whose row may be another now
	dirty := d.dirty
	d.dirty = map[string]struct{}{} // not cleared: that would cost what its largest commit did
	for _, input := range sortedKeys(dirty) {
		d.remake(input, stale)
	}
	for _, key := range sortedKeys(stale) {
		d.apply(key, d.find(key))
	}
	return d.settled()
}

// remake runs one input and takes note of the keys that it gives now.
func (d *derivation[O]) remake(input string, stale map[string]struct{}) {
	old := d.made[input]
	now, exists := d.call(input, old)
	d.depend(input, old.deps, now.deps)
	if exists {
		d.made[input] = now
	} else {
		delete(d.made, input)
	}
	i, j := 0, 0
	for i < len(old.rows) || j < len(now.rows) {
		switch order := d.compare(old.rows[i:], now.rows[j:]); {
		case order < 0:
			key := old.rows[i].Key()
			d.release(key, input)
			stale[key] = struct{}{}
			i++
		case order > 0:
			key := now.rows[j].Key()
			d.claim(key, input)
			stale[key] = struct{}{}
			j++
		default:
			stale[now.rows[j].Key()] = struct{}{}
			i, j = i+1, j+1
		}
	}
}

// compare orders the first rows of two lists by key; an empty list comes last.
func (d *derivation[O]) compare(a, b []O) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return cmp.Compare(a[0].Key(), b[0].Key())
}

// call runs the function of one input. Where it panics and the graph keeps the
// last good, that is the product, with the reads of both runs.
func (d *derivation[O]) call(input string, old product[O]) (now product[O], exists bool) {
	x := &Ctx{g: d.g, order: d.order}
	defer func() {
		if !d.g.opts.KeepLastGood {
			return
		}
		if p := recover(); p != nil {
			d.g.faulty.Add(1)
			for _, dep := range old.deps {
				x.read(d.g, dep)
			}
			now, exists = product[O]{rows: old.rows, deps: x.deps, fault: fmt.Sprintf("panic: %v", p)}, true
		}
	}()
	rows, exists := d.run(x, input)
	if !exists {
		return product[O]{}, false
	}
	d.g.runs.Add(1)
	now = product[O]{deps: x.deps}
	slices.SortStableFunc(rows, func(a, b O) int { return cmp.Compare(a.Key(), b.Key()) })
	now.rows = slices.CompactFunc(rows, func(a, b O) bool { return a.Key() == b.Key() })
	if len(now.rows) < len(rows) {
		now.fault = "gave several rows of one key; the first one is taken"
		d.g.faulty.Add(1)
	}
	return now, true
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

func (d *derivation[O]) claim(key, input string) {
	first, taken := d.owner[key]
	if !taken {
		d.owner[key] = input
		return
	}
	d.g.faulty.Add(1)
	d.owner[key] = min(first, input)
	later := max(first, input)
	i, _ := slices.BinarySearch(d.also[key], later)
	d.also[key] = slices.Insert(d.also[key], i, later)
}

func (d *derivation[O]) release(key, input string) {
	rest := d.also[key]
	switch i, found := slices.BinarySearch(rest, input); {
	case found:
		rest = slices.Delete(rest, i, i+1)
	case len(rest) > 0:
		d.owner[key], rest = rest[0], rest[1:]
	default:
		delete(d.owner, key)
	}
	if len(rest) == 0 {
		delete(d.also, key)
	} else {
		d.also[key] = rest
	}
}

// find is the row that a key has now; nil: none.
func (d *derivation[O]) find(key string) *O {
	input, ok := d.owner[key]
	if !ok {
		return nil
	}
	rows := d.made[input].rows
	i, _ := slices.BinarySearchFunc(rows, key, func(o O, key string) int { return cmp.Compare(o.Key(), key) })
	return &rows[i]
}

func (d *derivation[O]) discard() {}
