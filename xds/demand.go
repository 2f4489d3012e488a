package xds

import (
	"slices"

	"weft.dev/model"
)

// demandType is the one of the trait onDemand.
const demandType = model.TypeVirtualHost

// demand is what a client asked for by name, on behalf of requests that wait.
// Envoy waits forever for a name that is not answered, and never asks again for
// one whose resource is removed.
type demand struct {
	asks    map[string]*ask
	dirty   bool   // the view may answer others than before
	rows    int    // asks that others are told of
	serial  uint64 // of the newest ask without an answer
	added   []string
	dropped []string
}

type ask struct {
	name   string
	on     *item // that answers it, by its name or an alias; nil: none
	state  askState
	waits  bool // the client asked (again), and was not answered since
	row    bool // others are told of it
	serial uint64
	tries  int
}

type askState uint8

const (
	answered askState = iota // by a resource
	open                     // others look for it
	owed                     // the answer that there is none
	denied                   // it got that answer
)

// ask takes in the names of a request.
func (s *Session) ask(r Request) {
	for _, name := range r.Subscribe {
		a := s.demand.asks[name]
		if a == nil {
			if s.demand.asks == nil {
				s.demand.asks = map[string]*ask{}
			}
			a = &ask{name: name}
			s.demand.asks[name] = a
		}
		a.waits = true
		s.demand.dirty = true
	}
	if s.demand.dirty {
		s.resolve()
	}
}

func (s *Session) unask(name string) {
	a := s.demand.asks[name]
	if a == nil {
		return
	}
	s.standOn(a, nil)
	if a.row {
		s.demand.rows--
		s.demand.dropped = append(s.demand.dropped, name)
	}
	delete(s.demand.asks, name)
}

// resolve finds out which resource of the view answers each name.
func (s *Session) resolve() {
	d := &s.demand
	if s.view == nil || len(d.asks) == 0 {
		return
	}
	d.dirty = false
	found := make(map[string]*model.Resource, len(d.asks))
	for r := range s.view.All(demandType) {
		if d.asks[r.Name] != nil {
			found[r.Name] = r // also if another one has it as an alias
		}
		for _, alias := range r.Aliases {
			if d.asks[alias] != nil && found[alias] == nil {
				found[alias] = r
			}
		}
	}
	for _, name := range sortedNames(d.asks) {
		a := d.asks[name]
		if r := found[name]; r != nil {
			s.answer(a, r)
		} else {
			s.seek(a)
		}
		a.waits = false
	}
	s.types[demandType].unblock()
}

// answer has a name answered by a resource. The client resumes what waits only
// if the answer is in a response, also if it has the resource.
func (s *Session) answer(a *ask, r *model.Resource) {
	sub := &s.types[demandType]
	it := s.recall(demandType, r.Name)
	if it == nil {
		it = sub.item(r.Name)
	}
	it.want = r
	if a.state == denied && a.on == it && !a.waits && it.refusal() != nil {
		return
	}
	fromBefore := it.version != 0 && it.held == nil && it.maybe == nil
	if (a.waits || a.state != answered) && it.holds() && !fromBefore {
		it.set(force)
	}
	if a.waits || a.state != answered || a.on != it {
		sub.enqueue(it)
	}
	a.state = answered
	s.standOn(a, it)
}

// seek has others look for a name that the view lacks. Who has an answer from
// before keeps it until there is a new one.
func (s *Session) seek(a *ask) {
	d := &s.demand
	if a.on != nil && a.on.want != nil {
		s.standOn(a, nil) // it has lost the alias
	}
	if a.on == nil || !a.on.holds() {
		s.standOn(a, s.holder(a.name))
	}
	if !a.row && d.rows < s.limits.Asks {
		a.row = true
		d.rows++
		d.added = append(d.added, a.name)
	}
	switch {
	case a.on != nil && a.on.holds():
		a.state = answered
	case !a.row || a.waits && a.state == denied:
		a.state = owed
	case a.state == answered:
		d.serial++
		a.state, a.serial = open, d.serial
	}
}

// holder is what the client has, or is sent, that answers to a name, as far as
// we know; or nil.
func (s *Session) holder(name string) *item {
	items := s.types[demandType].items
	if it := items[name]; it != nil && it.holds() {
		return it
	}
	for _, key := range sortedNames(items) {
		for r := range items[key].every {
			if slices.Contains(r.Aliases, name) {
				return items[key]
			}
		}
	}
	return nil
}

// standOn makes an item, or nil, the answer to a name.
func (s *Session) standOn(a *ask, it *item) {
	if a.on == it {
		return
	}
	if a.on != nil {
		a.on.asks--
		s.types[demandType].enqueue(a.on) // it may go now
	}
	a.on = it
	if it != nil {
		it.asks++
	}
}

// GiveUp has the names answered that nobody found, of those up to a serial of Asked.
func (s *Session) GiveUp(serial uint64) {
	for _, a := range s.demand.asks {
		if a.state == open && a.serial <= serial {
			a.state = owed
		}
	}
	s.types[demandType].unblock()
}

// Asked returns the names that others are to look for, those that they need not
// any more, each once, and the serial of the newest.
func (s *Session) Asked() (added, dropped []string, serial uint64) {
	d := &s.demand
	added, dropped, d.added, d.dropped = d.added, d.dropped, nil, nil
	return added, dropped, d.serial
}

// giveUpOn has the names denied that a refused item should answer.
func (d *demand) giveUpOn(it *item) {
	for _, a := range d.asks {
		if a.on == it && a.state == answered {
			a.state = owed
		}
	}
}

// again has a denial sent again that was in a refused response.
func (d *demand) again(name string) {
	if a := d.asks[name]; a != nil && a.state == denied && a.tries < maxResends {
		a.tries++
		a.state = owed
	}
}

func (d *demand) any(state askState) bool {
	for _, a := range d.asks {
		if a.state == state {
			return true
		}
	}
	return false
}

// unsure says whether the client holds something from before that may be what
// it asks for by an alias. It is not known until the name is found, or given up:
// nothing can be removed before, and what is added may have its domains.
func (s *Session) unsure() bool {
	if !s.claimed || !s.demand.any(open) {
		return false
	}
	for _, it := range s.types[demandType].items {
		if it.want == nil && it.held == nil && it.version != 0 && it.asks == 0 {
			return true
		}
	}
	return false
}

// denials are the answers that there is no such resource.
func (d *demand) denials(b *batch) {
	if !d.any(owed) {
		return
	}
	for _, name := range sortedNames(d.asks) {
		if a := d.asks[name]; a.state == owed && len(b.fresh) < chunkResources {
			a.state = denied
			if !b.has(name) {
				b.add(nil, emptyResource(demandType, name))
			}
		}
	}
}
