package xds

import (
	"slices"
	"strings"

	"weft.dev/model"
)

// demandType is the one of the trait onDemand.
const demandType = model.TypeVirtualHost

// demand is what a client asked for by name, on behalf of requests that wait.
// Envoy waits forever for a name that is not answered, and never asks again for
// one whose resource is removed: that one is removed only when nobody finds
// another, and pushed when there is one again.
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
	outdated                 // it has an answer that the view lacks, and others look for a new one
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
			a = &ask{name: strings.Clone(name)}
			s.demand.asks[a.name] = a
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
		s.demand.dropped = append(s.demand.dropped, a.name)
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
	has := a.state == answered || a.state == outdated
	if (a.waits || !has) && it.holds() && !fromBefore {
		it.set(force)
	}
	if a.waits || !has || a.on != it {
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
		s.await(a, outdated)
	case !a.row || a.waits && a.state == denied:
		a.state = owed
	case a.state == answered:
		s.await(a, open)
	}
}

// await has a name wait for those who look for it.
func (s *Session) await(a *ask, state askState) {
	if a.state != state {
		s.demand.serial++
		a.state, a.serial = state, s.demand.serial
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

// GiveUp has the names answered that nobody found in time, of those up to a
// serial of Asked.
func (s *Session) GiveUp(serial uint64) {
	for _, a := range s.demand.asks {
		if a.serial <= serial {
			s.giveUp(a)
		}
	}
	s.types[demandType].unblock()
}

// NotFound has names answered for which everybody has looked: the view of now,
// which the session has, would have what they found.
func (s *Session) NotFound(names []string) {
	for _, name := range names {
		if a := s.demand.asks[name]; a != nil {
			s.giveUp(a)
		}
	}
	s.types[demandType].unblock()
}

func (s *Session) giveUp(a *ask) {
	switch a.state {
	case open:
		a.state = owed
	case outdated:
		a.state = denied
		s.standOn(a, nil) // it is removed
	}
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

// comes says whether a resource for all names of a pattern, such as
// outbound/*.example.com, is on its way that serves a name. No answer is its, so the request that
// waits is let go by a denial, which must not come before it.
func (s *Session) comes(name string) bool {
	for r := range s.view.All(demandType) {
		if !slices.ContainsFunc(r.Aliases, func(alias string) bool { return covers(alias, name) }) {
			continue
		}
		sub := &s.types[demandType]
		it := sub.items[r.Name]
		return sub.opening != nil || it != nil && !it.holds() || it != nil && it.maybe != nil
	}
	return false
}

// covers says whether a pattern of names has the name.
func covers(pattern, name string) bool {
	before, after, ok := strings.Cut(pattern, "*")
	return ok && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) && len(name) > len(pattern)-1
}

// denials are the answers that there is no such resource.
func (s *Session) denials(b *batch) {
	d := &s.demand
	if !d.any(owed) {
		return
	}
	for _, name := range sortedNames(d.asks) {
		if a := d.asks[name]; a.state == owed && len(b.fresh) < chunkResources && !s.comes(name) {
			a.state = denied
			if !b.has(name) {
				b.add(nil, emptyResource(demandType, name))
			}
		}
	}
}
