package flow

// Union has the rows of all collections. A key that several have belongs to
// the first of them; each other is a fault, as in Derive.
func Union[V Row[V]](name string, all ...*Collection[V]) *Collection[V] {
	u := &union[V]{all: all, dirty: map[string]struct{}{}, contested: map[string]struct{}{}}
	u.Collection = newCollection[V](all[0].g, name, u)
	for _, c := range all {
		c.derived = append(c.derived, u)
	}
	return u.Collection
}

// union shares the entries of its collections: it costs no second row.
type union[V Row[V]] struct {
	*Collection[V]
	all       []*Collection[V]
	dirty     map[string]struct{} // keys whose row may be another now
	contested map[string]struct{} // keys that several have
}

func (u *union[V]) touch(key string) { u.dirty[key] = struct{}{} }

func (u *union[V]) settle() bool {
	if len(u.dirty) == 0 {
		return false
	}
	dirty := u.dirty
	u.dirty = map[string]struct{}{}
	for _, key := range sortedKeys(dirty) {
		u.contest(key)
		u.apply(key, u.owner(key))
	}
	return u.settled()
}

// owner is the row that a key has; nil: none.
func (u *union[V]) owner(key string) *entry[V] {
	for _, c := range u.all {
		if e := c.rows[key]; e != nil {
			return e
		}
	}
	return nil
}

// holders are the collections that have a key.
func (u *union[V]) holders(key string) (all []Ref) {
	for _, c := range u.all {
		if c.rows[key] != nil {
			all = append(all, Ref{Collection: c.name, Key: key, How: ReadRow})
		}
	}
	return all
}

// contest takes note of whether several have a key.
func (u *union[V]) contest(key string) {
	_, was := u.contested[key]
	switch is := len(u.holders(key)) > 1; {
	case is && !was:
		u.contested[key] = struct{}{}
		u.g.faulty.Add(1)
	case was && !is:
		delete(u.contested, key)
	}
}

func (u *union[V]) inputs(key string) []Ref {
	if all := u.holders(key); len(all) > 0 {
		return all[:1]
	}
	return nil
}

func (u *union[V]) faults() (all []Fault) {
	for _, key := range sortedKeys(u.contested) {
		holders := u.holders(key)
		for _, later := range holders[1:] {
			all = append(all, notTaken(u.name, key, later, holders[0]))
		}
	}
	return all
}

func (u *union[V]) discard() {}
