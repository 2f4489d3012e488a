package xds

import (
	"slices"

	"weft.dev/model"
)

// opening is the first time that a client gets what there is of a type: it has
// nothing, and so nothing needs to be known of each resource but how far it has
// come. Whatever else happens ends it: what is not acknowledged by then becomes items.
type opening struct {
	resources []*model.Resource // of a type that is asked for by name: so far
	named     places            // of them in the view, of such a type; nil: it is all there is
	sent      int               // of them
	acked     int
}

// places are a set of places in a view.
type places []uint64

func (p places) has(at int) bool { return p[at/64]&(1<<(at%64)) != 0 }
func (p places) add(at int)      { p[at/64] |= 1 << (at % 64) }

// busy says whether anything is to come of it.
func (o *opening) busy() bool { return o != nil && o.acked < len(o.resources) }

// owes says whether a resource is to be sent yet.
func (o *opening) owes(name string) bool {
	return o != nil && slices.ContainsFunc(o.resources[o.sent:], func(r *model.Resource) bool { return r.Name == name })
}

// canOpen says whether the client has nothing of a type, and refused nothing ever.
func (s *Session) canOpen(sub *subscription) bool {
	return !s.full && s.view != nil && len(sub.items) == 0 && sub.opening == nil && sub.flight == nil && !sub.settles && !s.past.any.Load()
}

// open begins an opening with all there is, or says that there is none to begin.
func (s *Session) open(t model.Type) bool {
	sub := &s.types[t]
	if !sub.wildcard || !s.canOpen(sub) {
		return false
	}
	all, _ := s.view.List(t)
	if len(all) > 0 {
		sub.opening = &opening{resources: all}
	}
	return len(all) > 0
}

// openByName begins an opening with the names of a request, or adds them to one.
// Clients ask by name for the endpoints of the clusters that they get, some at a
// time, until they have asked for all. False: it is to be done name by name.
func (s *Session) openByName(sub *subscription, r Request) bool {
	if len(r.Subscribe) == 0 || len(r.Holds) > 0 || traits[r.Type].wildcard || traits[r.Type].needy {
		return false
	}
	if sub.opening == nil {
		if !s.canOpen(sub) {
			return false
		}
		all, _ := s.view.List(r.Type)
		sub.opening = &opening{resources: make([]*model.Resource, 0, len(all)), named: make(places, (len(all)+63)/64)}
	}
	o := sub.opening
	for _, name := range r.Subscribe {
		res, at := s.view.Place(r.Type, name)
		if res == nil || o.named.has(at) {
			s.unroll(r.Type)
			return false
		}
		o.named.add(at)
		o.resources = append(o.resources, res)
		sub.names++
	}
	return true
}

// openedByName says whether a name is part of an opening.
func (s *Session) openedByName(t model.Type, name string) bool {
	res, at := s.view.Place(t, name)
	return res != nil && s.types[t].opening.named.has(at)
}

// openNext is the next response of an opening; nil: it waits.
func (s *Session) openNext(t model.Type) *Response {
	sub := &s.types[t]
	o := sub.opening
	if sub.flight != nil || o.sent == len(o.resources) || t == demandType && s.unsure() {
		return nil
	}
	var b batch
	for _, r := range o.resources[o.sent:] {
		if len(b.fresh) > 0 && !b.roomFor(r) || !s.hasNeeds(r) {
			break
		}
		b.fresh, b.bytes = o.resources[o.sent:o.sent+len(b.fresh)+1], b.bytes+r.Size()
	}
	if len(b.fresh) == 0 {
		if s.opens(model.TypeCluster) {
			return nil
		}
		s.unroll(t) // it may wait for long: for a cluster that was refused, or that the view lacks
		return s.plan(t)
	}
	if t == model.TypeCluster {
		for _, r := range b.fresh {
			s.resendEndpoints(r.Name)
		}
	}
	if o.named == nil {
		b.parts = partsOf(s.view, t, o.sent, o.sent+len(b.fresh))
	}
	o.sent += len(b.fresh)
	sub.owed = false
	return s.launch(t, b)
}

// partsOf are the bytes of some of the list of a type: those of a layer at a time, which all
// streams share, unless that is little.
func partsOf(v *model.View, t model.Type, from, to int) (parts [][]byte) {
	all, spans := v.List(t)
	for _, span := range spans {
		whole := from <= span.From && span.To <= to
		if whole && span.Size(t) >= runBytes {
			parts = append(parts, span.Run(t))
			continue
		}
		for at := max(span.From, from); at < min(span.To, to); at++ {
			parts = append(parts, all[at].Head, all[at].Body)
		}
	}
	return parts
}

func (s *Session) opens(t model.Type) bool { return s.types[t].opening != nil }

// hasNeeds says whether the client is known to have the clusters that r needs.
func (s *Session) hasNeeds(r *model.Resource) bool {
	if len(r.Needs) == 0 {
		return true
	}
	clusters := &s.types[model.TypeCluster]
	if clusters.settles && len(clusters.items) == 0 && s.view.Closed() {
		return true
	}
	for _, cluster := range r.Needs {
		c := clusters.items[cluster]
		if c == nil && s.settled(model.TypeCluster, cluster) == nil || c != nil && c.version == 0 {
			return false
		}
	}
	return true
}

// openAccepted is the news that the client has what was under way.
func (s *Session) openAccepted(t model.Type) {
	sub := &s.types[t]
	o := sub.opening
	if o.acked = o.sent; !o.busy() && s.opensAll(t) {
		s.endOpening(t)
	}
}

// opensAll says whether an opening is of all that there is, or the client may ask for more by name.
func (s *Session) opensAll(t model.Type) bool {
	all, _ := s.view.List(t)
	return len(s.types[t].opening.resources) == len(all)
}

// endOpening has no item mean, from now on, that the client has what the view has, if
// it asked for all that there is.
func (s *Session) endOpening(t model.Type) *opening {
	sub := &s.types[t]
	o := sub.opening
	sub.settles = s.opensAll(t)
	sub.opening, sub.opened = nil, o.sent > 0
	if sub.whole = sub.settles && o.named != nil; sub.whole {
		sub.except = map[string]struct{}{}
	}
	return o
}

// unroll ends an opening: what the client has not acknowledged becomes items,
// what it has is as the view has it.
func (s *Session) unroll(t model.Type) {
	sub := &s.types[t]
	if sub.opening == nil {
		return
	}
	o := s.endOpening(t)
	from := o.acked
	if !sub.settles {
		from = 0
	}
	sub.reserve(len(o.resources) - from)
	if o.sent > o.acked {
		sub.flight.items = make([]*item, o.sent-o.acked)
	}
	for i, r := range o.resources[from:] {
		it := sub.item(r.Name)
		it.want = r
		if o.named != nil {
			it.set(named)
		}
		switch i += from; {
		case i < o.acked:
			it.has(r)
		case i < o.sent:
			it.may(r)
			it.set(sent)
			sub.flight.items[i-o.acked] = it
		default:
			sub.enqueue(it)
		}
	}
}
