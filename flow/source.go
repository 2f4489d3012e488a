package flow

import "fmt"

// Source is a collection whose rows come from outside. A row belongs to the
// origin that wrote it first, until it is deleted: a write of the same key by
// another origin has no effect and is a fault.
type Source[V Row[V]] struct {
	*Collection[V]
	staged  map[string]*entry[V] // what a transaction does; nil: deletes
	refused map[string]string    // key -> the origin that was refused last

	keep  func(V) V    // what stays of a row that Digest has read; nil: all
	whole map[string]V // rows of this commit that Digest is to read
}

// NewSource makes an empty source.
func NewSource[V Row[V]](g *Graph, name string) *Source[V] {
	s := &Source[V]{staged: map[string]*entry[V]{}, refused: map[string]string{}}
	s.Collection = newCollection[V](g, name, s)
	return s
}

// Set writes a row of the unnamed origin "".
func (s *Source[V]) Set(tx *Tx, v V) { s.SetFrom(tx, "", v) }

// SetFrom writes a row of an origin.
func (s *Source[V]) SetFrom(tx *Tx, origin string, v V) {
	s.check(tx)
	s.set(tx, &entry[V]{key: v.Key(), from: origin, row: v})
}

func (s *Source[V]) set(tx *Tx, e *entry[V]) {
	switch have := s.now(e.key); {
	case have == nil:
	case have.from != e.from:
		tx.refuse(func() { s.refused[e.key] = e.from })
		return
	case have.row.Equal(e.row):
		return // most rows of a resync
	}
	s.staged[e.key] = e
}

// Delete removes a row, whatever its origin. There may be none.
func (s *Source[V]) Delete(tx *Tx, key string) {
	s.check(tx)
	s.staged[key] = nil
}

// Replace makes all the only rows of an origin: a resync. Differences are found
// here, so replacing rows by equal ones changes nothing. If a key occurs twice,
// its last row counts.
func (s *Source[V]) Replace(tx *Tx, origin string, all []V) {
	missing, _ := s.Missing(tx, origin, all)
	for _, key := range missing {
		s.Delete(tx, key)
	}
	for _, v := range all {
		s.SetFrom(tx, origin, v)
	}
}

// Missing are the keys of those rows of an origin that all lacks, in no order, and
// how many rows the origin has, as things stand in this transaction.
func (s *Source[V]) Missing(tx *Tx, origin string, all []V) (keys []string, had int) {
	s.check(tx)
	keep := make(map[string]bool, len(all))
	for _, v := range all {
		keep[v.Key()] = true
	}
	see := func(key string, e *entry[V]) {
		if e == nil || e.from != origin {
			return
		}
		had++
		if !keep[key] {
			keys = append(keys, key)
		}
	}
	for key, e := range s.rows {
		if _, staged := s.staged[key]; !staged {
			see(key, e)
		}
	}
	for key, e := range s.staged {
		see(key, e)
	}
	return keys, had
}

// Staged is the row as it stands in this transaction: what was staged, else
// what the last commit left. It is for stages that change a part of a row, which
// must be there: not for a source that is digested.
func (s *Source[V]) Staged(tx *Tx, key string) (v V, ok bool) {
	s.check(tx)
	if e := s.now(key); e != nil {
		return e.row, true
	}
	return v, false
}

// now is the row as it stands in this transaction; nil: none.
func (s *Source[V]) now(key string) *entry[V] {
	if e, staged := s.staged[key]; staged {
		return e
	}
	return s.rows[key]
}

func (s *Source[V]) check(tx *Tx) {
	if tx.g != s.g {
		panic(fmt.Sprintf("flow: %s: written outside of a stage of its graph's commit", s.name))
	}
}

func (s *Source[V]) settle() bool {
	for _, key := range sortedKeys(s.staged) {
		s.write(key, s.staged[key])
		if s.staged[key] == nil {
			delete(s.refused, key)
		}
	}
	s.discard()
	return s.settled()
}

func (s *Source[V]) write(key string, e *entry[V]) {
	if e == nil || s.keep == nil {
		s.apply(key, e)
		return
	}
	before := len(s.changes)
	s.apply(key, &entry[V]{key: key, from: e.from, row: s.keep(e.row)})
	if len(s.changes) > before {
		s.whole[key] = e.row
	}
}

func (s *Source[V]) publish(rev Revision) {
	if len(s.whole) > 0 {
		s.whole = map[string]V{}
	}
	s.Collection.publish(rev)
}

// discard makes a new map: clearing one that a big commit grew costs that size each time.
func (s *Source[V]) discard() { s.staged = map[string]*entry[V]{} }

func (s *Source[V]) inputs(string) []Ref { return nil }

func (s *Source[V]) faults() []Fault {
	var all []Fault
	for _, key := range sortedKeys(s.refused) {
		owner := ""
		if e := s.rows[key]; e != nil {
			owner = e.from
		}
		all = append(all, Fault{
			Collection: s.name, Key: key, Input: s.refused[key],
			Text: fmt.Sprintf("belongs to origin %q; origin %q is not let in until it is deleted", owner, s.refused[key]),
		})
	}
	return all
}
