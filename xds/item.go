package xds

import (
	"slices"

	"weft.dev/model"
)

// item is one resource as one client has it. There is one for each resource of
// each client, so what is rare stands apart.
type item struct {
	name    string
	want    *model.Resource // the view's; nil: it has none
	held    *model.Resource // that the client acknowledged; nil: none, or one of an earlier stream that we do not know
	version uint64          // that the client holds; 0: none
	maybe   *model.Resource // sent since then: it may hold this one instead
	rare    *rare
	group   uint32 // of suspects, which are sent together and with nothing else; 0: it is none
	asks    uint16 // on demand: names that the client asked for and that this answers
	marks   mark
}

// rare is what few items have.
type rare struct {
	maybe   []*model.Resource // sent before item.maybe, and refused in company
	refused *model.Refusal    // it is to blame, and stays as it is
}

type mark uint8

const (
	named   mark = 1 << iota // the client asks for it by name
	sent                     // on this stream
	force                    // the client is owed it again, also in the version that it holds
	absent                   // the client is owed the answer that there is none
	queued                   // it is in the queue
	blocked                  // it waits for something else's acknowledgement
	retry                    // the refused version may be tried again
	gone                     // the session has forgotten it
)

// unsettled are the marks of items that something is to come of.
const unsettled = force | absent | queued | blocked | retry | gone

func (it *item) is(m mark) bool { return it.marks&m != 0 }
func (it *item) set(m mark)     { it.marks |= m }
func (it *item) unset(m mark)   { it.marks &^= m }

// holds says whether the client has any version of it, or may.
func (it *item) holds() bool { return it.version != 0 || it.maybe != nil }

// may adds a resource that was sent to what the client may hold.
func (it *item) may(r *model.Resource) {
	if it.maybe != nil && it.maybe != r {
		if it.rare == nil {
			it.rare = &rare{}
		}
		it.rare.maybe = append(it.rare.maybe, it.maybe)
	}
	it.maybe = r
}

// mayNot takes back what the client certainly did not apply.
func (it *item) mayNot(r *model.Resource) {
	if it.rare != nil {
		it.rare.maybe = slices.DeleteFunc(it.rare.maybe, func(m *model.Resource) bool { return m == r })
	}
	if it.maybe != r {
		return
	}
	it.maybe = nil
	if it.rare != nil && len(it.rare.maybe) > 0 {
		last := len(it.rare.maybe) - 1
		it.maybe, it.rare.maybe = it.rare.maybe[last], it.rare.maybe[:last]
	}
}

// has is the news that the client acknowledged r.
func (it *item) has(r *model.Resource) {
	it.held, it.version, it.maybe, it.group = r, r.Version, nil, 0
	if it.rare != nil {
		it.rare.maybe = nil
	}
}

// lacks is the news that the client has been told to drop it.
func (it *item) lacks() {
	it.held, it.version, it.maybe, it.group = nil, 0, nil, 0
	it.unset(sent | force | absent | retry)
	if it.rare != nil {
		it.rare.maybe = nil
	}
}

// every yields what the client holds or may hold, as far as we know it.
func (it *item) every(yield func(*model.Resource) bool) {
	if it.held != nil && !yield(it.held) {
		return
	}
	if it.maybe == nil || !yield(it.maybe) || it.rare == nil {
		return
	}
	for _, r := range it.rare.maybe {
		if !yield(r) {
			return
		}
	}
}

// mayHoldOther says whether the client may hold another version than this one,
// which it acknowledged once.
func (it *item) mayHoldOther(version uint64) bool {
	other := func(r *model.Resource) bool { return r.Version != version }
	return it.maybe != nil && (other(it.maybe) || it.rare != nil && slices.ContainsFunc(it.rare.maybe, other))
}

// refusal of the item, or nil.
func (it *item) refusal() *model.Refusal {
	if it.rare == nil {
		return nil
	}
	return it.rare.refused
}

// needs says whether what the client has of the item may send to a cluster.
func (it *item) needs(cluster string) bool {
	if it.version != 0 && it.held == nil {
		return true // of an earlier stream, needing we do not know what
	}
	for r := range it.every {
		if slices.Contains(r.Needs, cluster) {
			return true
		}
	}
	return false
}
