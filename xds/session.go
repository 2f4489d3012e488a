package xds

import (
	"slices"

	"weft.dev/model"
)

// Request is one message of a client, of either protocol.
type Request struct {
	Type model.Type
	// Nonce of the response that this answers; empty: it answers none.
	Nonce   string
	Refused bool   // the answer is no
	Reason  string // why it is no

	// Of delta: the changes of the subscription, and with the first request
	// what the client holds from an earlier stream.
	Subscribe, Unsubscribe []string
	Holds                  map[string]uint64 // name -> version

	// Of state of the world: the whole subscription, and the version of the
	// last response that the client accepted, on an earlier stream too.
	Names   []string
	Version string
}

// Response is one message to a client.
type Response struct {
	Type      model.Type
	Nonce     string
	Version   string // of state of the world: what the client holds once it has applied this
	Resources []*model.Resource
	Removed   []string // delta only
	fresh     int      // resources that are new to the client: all of them in delta
	parts     [][]byte // delta only: the bytes of Resources; nil: those of each
}

// Status is what is known of a client.
type Status struct {
	// Revision up to which it holds everything: all of its view at that
	// revision was acknowledged. 0: never yet.
	Revision uint64
	Synced   bool // it holds everything of the newest view that the session knows
	Refusals []model.Refusal
}

// trait is how xDS treats a type.
type trait struct {
	wildcard  bool // a client may ask for all
	removable bool // a client drops what it is told is gone
	full      bool // in state of the world a response is everything; what it lacks is removed
	needy     bool // its resources may need clusters
	whole     bool // a response is applied as a whole, or refused as a whole
	spoils    bool // a client gives what it refused to what asks for it next, until it gets another
	onDemand  bool // a client asks by name, or alias, for what a request waits for
}

// Types that are not removable are asked for by name: clients wait for those
// that do not exist yet, and drop them when what refers to them is gone. Envoy
// ignores their removal, so one that left the view counts as held until it is
// unsubscribed.
var traits = [model.NumTypes]trait{
	model.TypeCluster:     {wildcard: true, removable: true, full: true},
	model.TypeListener:    {wildcard: true, removable: true, full: true, needy: true},
	model.TypeScopedRoute: {wildcard: true, removable: true, needy: true, whole: true},
	model.TypeRoute:       {needy: true},
	model.TypeVirtualHost: {wildcard: true, removable: true, needy: true, whole: true, onDemand: true},
	model.TypeExtension:   {needy: true, spoils: true},
}

// Session is what one stream of one client knows and is owed. It is a state
// machine: feed it requests and views, take responses until there is none. It
// is for one goroutine. The same input gives the same output.
type Session struct {
	full      bool // state of the world
	limits    Limits
	past      *past
	view      *model.View
	rev       uint64
	synced    uint64
	nonces    uint64
	groups    uint32
	blames    uint32 // counts the changes of what is refused
	underway  int    // bytes that are sent and not answered
	heard     bool   // the client has answered something: all it holds from before is claimed by now
	claimed   bool   // the client holds something from before
	unasked   uint8  // types, as bits, that the view has, that a client can have all of, and that ours did not ask for
	demand    demand
	lingering lingering
	types     [model.NumTypes]subscription
}

// NewSession begins a stream of delta xDS.
func NewSession(l Limits) *Session { return newSession(l.withDefaults(), &past{good: &goods{}}) }

func newSession(l Limits, p *past) *Session { return &Session{limits: l, past: p} }

// NewFullSession begins a stream of state-of-the-world xDS. The protocol does
// not say what a client holds from before, so that a client that comes back
// may lose a cluster of a route that changed in the meantime a moment too
// early. Use delta where you can.
func NewFullSession(l Limits) *Session {
	s := NewSession(l)
	s.full = true
	return s
}

// Update gives the session a newer view. A nil view changes nothing: who had
// something keeps it.
func (s *Session) Update(v *model.View, rev uint64) {
	if v == nil {
		return
	}
	old := s.view
	if v != old && old != nil {
		for t := range model.NumTypes {
			s.unroll(t) // an opening is one of all in the older view
		}
	}
	s.view, s.rev = v, rev
	if v == old {
		return
	}
	s.findUnasked()
	if old == nil {
		for t := range model.NumTypes {
			if s.types[t].asked {
				s.load(t)
			}
		}
		s.resolve()
		return
	}
	// What was refused for the sake of something else may be accepted now.
	for t := range s.types {
		sub := &s.types[t]
		for _, name := range sortedNames(sub.refused) {
			it := sub.refused[name]
			it.set(retry)
			sub.enqueue(it)
		}
	}
	diff(old, v, func(t model.Type, name string, now *model.Resource) { s.changed(old, t, name, now) })
	if s.demand.dirty {
		s.resolve()
	}
}

// changed is called for each resource that the newest view changed. now is nil
// if the view has no such resource any more.
func (s *Session) changed(old *model.View, t model.Type, name string, now *model.Resource) {
	sub := &s.types[t]
	if !sub.asked {
		return
	}
	if now == nil {
		now = s.view.Find(t, name) // it may have gone to another layer
	}
	s.demand.dirty = s.demand.dirty || traits[t].onDemand
	it := sub.items[name]
	if it == nil {
		if it = s.changedSettled(old, t, name, now); it == nil {
			return
		}
	}
	it.want = now
	if sub.wants(it) {
		sub.enqueue(it)
	}
}

// changedSettled is the item of a resource of which nothing needed to be known
// until it changed; nil: the client has not asked for it.
func (s *Session) changedSettled(old *model.View, t model.Type, name string, now *model.Resource) *item {
	sub := &s.types[t]
	var was *model.Resource
	if _, not := sub.except[name]; sub.settles && !not {
		was = old.Find(t, name)
	}
	switch {
	case was != nil:
		it := sub.item(name)
		sub.hadSettled(it, was)
		return it
	case now == nil:
		delete(sub.except, name)
	case sub.whole:
		sub.except[name] = struct{}{}
	case sub.wildcard:
		return sub.item(name)
	}
	return nil
}

// load has everything looked at that the client may be owed. From here on each
// item knows what the view has for it.
func (s *Session) load(t model.Type) {
	if s.view == nil {
		return
	}
	sub := &s.types[t]
	if sub.opening != nil || s.open(t) {
		return
	}
	if sub.wildcard {
		sub.reserve(s.view.Count(t))
		sub.settles = !s.full
	}
	for r := range s.view.All(t) {
		it := sub.items[r.Name]
		switch {
		case it != nil:
			it.name = r.Name
			sub.items[r.Name] = it // the key is the view's: the client's copy of the name can go
		case sub.wildcard:
			it = sub.item(r.Name)
		default:
			continue
		}
		it.want = r
		sub.enqueue(it)
	}
	for _, name := range sortedNames(sub.items) {
		sub.enqueue(sub.items[name]) // those that the view lacks
	}
}

// Next returns what is to be sent now, or nil. One response of a type is under
// way at a time; what changes meanwhile goes into the next one, in its newest version.
func (s *Session) Next() *Response {
	if s.view == nil {
		return nil
	}
	for t := range model.NumTypes {
		if r := s.plan(t); r != nil {
			return r
		}
	}
	return nil
}

// Status may be asked after every step.
func (s *Session) Status() Status {
	st := Status{Synced: s.insync()}
	st.Revision = s.synced
	for t := range model.NumTypes {
		sub := &s.types[t]
		for _, name := range sortedNames(sub.refused) {
			st.Refusals = append(st.Refusals, *sub.refused[name].rare.refused)
		}
	}
	return st
}

// insync says whether the client acknowledged all of the view that it asks for
// and has asked for all kinds of which it can have everything.
func (s *Session) insync() bool {
	if s.view == nil || s.unasked != 0 {
		return false
	}
	for t := range s.types {
		sub := &s.types[t]
		if sub.opening.busy() || sub.flight != nil || len(sub.queue) > 0 || sub.lacking() || len(sub.refused) > 0 {
			return false
		}
	}
	s.synced = s.rev
	return true
}

func (s *Session) findUnasked() {
	s.unasked = 0
	for t := range model.NumTypes {
		if !traits[t].wildcard || s.types[t].asked {
			continue
		}
		for range s.view.All(t) {
			s.unasked |= 1 << t
			break
		}
	}
}

// diff names every resource that may differ between two views, and what the
// newer has of it. Layers that both share cost nothing.
func diff(old, now *model.View, changed func(t model.Type, name string, now *model.Resource)) {
	for i, shelf := range now.Shelves {
		if i < len(old.Shelves) {
			for j, l := range shelf {
				diffLayer(old.Shelves[i][j], l, changed)
			}
		}
	}
	before, after := old.Layers, now.Layers
	for i := len(now.Shelves); i < len(old.Shelves); i++ {
		before = slices.Concat(before, old.Shelves[i])
	}
	for i := len(old.Shelves); i < len(now.Shelves); i++ {
		after = slices.Concat(after, now.Shelves[i])
	}
	for len(before) > 0 && len(after) > 0 && before[0].Name == after[0].Name {
		diffLayer(before[0], after[0], changed)
		before, after = before[1:], after[1:]
	}
	diffByName(before, after, changed)
}

// diffByName compares layers in whatever order they come.
func diffByName(before, after []*model.Layer, changed func(model.Type, string, *model.Resource)) {
	if len(before) == 0 && len(after) == 0 {
		return
	}
	was := make(map[string]*model.Layer, len(before))
	for _, l := range before {
		was[l.Name] = l
	}
	stays := make(map[string]bool, len(after))
	for _, l := range after {
		stays[l.Name] = true
	}
	for _, l := range before {
		if !stays[l.Name] {
			diffLayer(l, nil, changed)
		}
	}
	for _, l := range after {
		diffLayer(was[l.Name], l, changed)
	}
}

func diffLayer(old, now *model.Layer, changed func(model.Type, string, *model.Resource)) {
	if old == now {
		return
	}
	if old == nil {
		old = model.NoLayer
	}
	if now == nil {
		now = model.NoLayer
	}
	for t := range model.NumTypes {
		a, b := old.Resources[t], now.Resources[t]
		for len(a) > 0 || len(b) > 0 {
			switch {
			case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
				changed(t, a[0].Name, nil)
				a = a[1:]
			case len(a) == 0 || a[0].Name > b[0].Name:
				changed(t, b[0].Name, b[0])
				b = b[1:]
			default:
				if a[0] != b[0] {
					changed(t, b[0].Name, b[0])
				}
				a, b = a[1:], b[1:]
			}
		}
	}
}

func sortedNames[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
