package flow

import "fmt"

// Source is a collection whose rows come from outside. A row belongs to the
// origin that wrote it first, until it is deleted: a write of the same key by
// another origin has no effect and is a fault.
type Source[V Row[V]] struct {
	*Collection[V]
	origins map[string]string // key -> origin; keys of origin "" are absent
	staged  map[string]write[V]
	refused map[string]string // key -> the origin that was refused last
}

// write is what a transaction does to one key.
type write[V Row[V]] struct {
	row    *V // nil: deleted
	origin string
}

// NewSource makes an empty source.
func NewSource[V Row[V]](g *Graph, name string) *Source[V] {
	s := &Source[V]{origins: map[string]string{}, staged: map[string]write[V]{}, refused: map[string]string{}}
	s.Collection = newCollection[V](g, name, s)
	return s
}

// Set writes a row of the unnamed origin "".
func (s *Source[V]) Set(tx *Tx, v V) { s.SetFrom(tx, "", v) }

// SetFrom writes a row of an origin.
func (s *Source[V]) SetFrom(tx *Tx, origin string, v V) {
	key := v.Key()
	if _, exists := s.Staged(tx, key); exists && s.origin(key) != origin {
		tx.refuse(func() { s.refused[key] = origin })
		return
	}
	s.staged[key] = write[V]{row: &v, origin: origin}
}

// Delete removes a row, whatever its origin. There may be none.
func (s *Source[V]) Delete(tx *Tx, key string) {
	s.check(tx)
	s.staged[key] = write[V]{}
}

// Replace makes all the only rows of an origin: a resync. Differences are found
// here, so replacing rows by equal ones changes nothing. If a key occurs twice,
// its last row counts.
func (s *Source[V]) Replace(tx *Tx, origin string, all []V) {
	s.check(tx)
	keep := make(map[string]bool, len(all))
	for _, v := range all {
		keep[v.Key()] = true
	}
	for key := range s.rows {
		if !keep[key] && s.origin(key) == origin {
			s.Delete(tx, key)
		}
	}
	for key, w := range s.staged {
		if !keep[key] && w.row != nil && w.origin == origin {
			s.Delete(tx, key)
		}
	}
	for _, v := range all {
		s.SetFrom(tx, origin, v)
	}
}

// Staged is the row as it stands in this transaction: what was staged, else
// what the last commit left. It is for stages that change a part of a row.
func (s *Source[V]) Staged(tx *Tx, key string) (v V, ok bool) {
	s.check(tx)
	if w, staged := s.staged[key]; staged {
		if w.row == nil {
			return v, false
		}
		return *w.row, true
	}
	v, ok = s.rows[key]
	return v, ok
}

// origin owns the row as it stands in this transaction.
func (s *Source[V]) origin(key string) string {
	if w, staged := s.staged[key]; staged {
		return w.origin
	}
	return s.origins[key]
}

func (s *Source[V]) check(tx *Tx) {
	if tx.g != s.g {
		panic(fmt.Sprintf("flow: %s: written outside of a stage of its graph's commit", s.name))
	}
}

func (s *Source[V]) settle() bool {
	for _, key := range sortedKeys(s.staged) {
		w := s.staged[key]
		s.apply(key, w.row)
		if w.row == nil {
			delete(s.refused, key)
		}
		if w.origin == "" {
			delete(s.origins, key)
		} else {
			s.origins[key] = w.origin
		}
	}
	s.discard()
	return s.settled()
}

// discard makes a new map: clearing one that a big commit grew costs that size each time.
func (s *Source[V]) discard() { s.staged = map[string]write[V]{} }

func (s *Source[V]) inputs(string) []Ref { return nil }

func (s *Source[V]) faults() []Fault {
	var all []Fault
	for _, key := range sortedKeys(s.refused) {
		all = append(all, Fault{
			Collection: s.name, Key: key, Input: s.refused[key],
			Text: fmt.Sprintf("belongs to origin %q; origin %q is not let in until it is deleted", s.origins[key], s.refused[key]),
		})
	}
	return all
}
