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
}

// Types that are not removable are asked for by name: clients wait for those
// that do not exist yet, and drop them when what refers to them is gone. Envoy
// ignores their removal, so one that left the view counts as held until it is
// unsubscribed.
var traits = [model.NumTypes]trait{
	model.TypeCluster:     {wildcard: true, removable: true, full: true},
	model.TypeListener:    {wildcard: true, removable: true, full: true, needy: true},
	model.TypeScopedRoute: {needy: true},
	model.TypeRoute:       {needy: true},
	model.TypeVirtualHost: {needy: true},
}

// Session is what one stream of one client knows and is owed. It is a state
// machine: feed it requests and views, take responses until there is none. It
// is for one goroutine. The same input gives the same output.
type Session struct {
	full    bool // state of the world
	limits  Limits
	view    *model.View
	rev     uint64
	synced  uint64
	nonces  uint64
	heard   bool // the client has answered something: all it holds from before is claimed by now
	claimed bool // the client holds something from before
	types   [model.NumTypes]subscription
}

// NewSession begins a stream of delta xDS.
func NewSession(l Limits) *Session {
	s := &Session{limits: l.withDefaults()}
	for t := range s.types {
		s.types[t].init()
	}
	return s
}

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
	s.view, s.rev = v, rev
	for t := range model.NumTypes {
		sub := &s.types[t]
		if !sub.asked {
			continue
		}
		if old == nil {
			s.enqueueAll(t)
			continue
		}
		// What was refused for the sake of something else may be accepted now.
		for _, name := range sortedNames(sub.refused) {
			sub.items[name].retry = true
			sub.enqueue(name)
		}
	}
	if old != nil {
		diff(old, v, func(t model.Type, name string) {
			if sub := &s.types[t]; sub.wants(name) {
				sub.enqueue(name)
			}
		})
	}
}

// enqueueAll has everything looked at that the client may be owed.
func (s *Session) enqueueAll(t model.Type) {
	sub := &s.types[t]
	if s.view != nil && sub.wildcard {
		for r := range s.view.All(t) {
			sub.enqueue(r.Name)
		}
	}
	for _, name := range sortedNames(sub.names) {
		sub.enqueue(name)
	}
	for _, name := range sortedNames(sub.items) {
		sub.enqueue(name)
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
	if st.Synced {
		s.synced = s.rev
	}
	st.Revision = s.synced
	for t := range model.NumTypes {
		sub := &s.types[t]
		for _, name := range sortedNames(sub.refused) {
			st.Refusals = append(st.Refusals, *sub.items[name].refused)
		}
	}
	return st
}

// insync says whether the client acknowledged all of the view that it asks for
// and has asked for all kinds of which it can have everything.
func (s *Session) insync() bool {
	if s.view == nil {
		return false
	}
	for t := range model.NumTypes {
		sub := &s.types[t]
		if sub.flight != nil || len(sub.queue) > 0 || len(sub.blocked) > 0 || len(sub.refused) > 0 {
			return false
		}
		if traits[t].wildcard && !sub.asked {
			for range s.view.All(t) {
				return false
			}
		}
	}
	return true
}

// diff names every resource that may differ between two views. Layers that
// both share cost nothing.
func diff(old, now *model.View, changed func(model.Type, string)) {
	before := make(map[string]*model.Layer, len(old.Layers))
	for _, l := range old.Layers {
		before[l.Name] = l
	}
	for _, l := range now.Layers {
		if was := before[l.Name]; was != l {
			diffLayer(was, l, changed)
		}
		delete(before, l.Name)
	}
	for _, l := range old.Layers {
		if before[l.Name] != nil {
			diffLayer(l, nil, changed)
		}
	}
}

func diffLayer(old, now *model.Layer, changed func(model.Type, string)) {
	none := &model.Layer{}
	if old == nil {
		old = none
	}
	if now == nil {
		now = none
	}
	for t := range model.NumTypes {
		a, b := old.Resources[t], now.Resources[t]
		for len(a) > 0 || len(b) > 0 {
			switch {
			case len(b) == 0 || len(a) > 0 && a[0].Name < b[0].Name:
				changed(t, a[0].Name)
				a = a[1:]
			case len(a) == 0 || a[0].Name > b[0].Name:
				changed(t, b[0].Name)
				b = b[1:]
			default:
				if a[0] != b[0] {
					changed(t, a[0].Name)
				}
				a, b = a[1:], b[1:]
			}
		}
	}
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
