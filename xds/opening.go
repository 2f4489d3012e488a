package xds

import "weft.dev/model"

// opening is the first time that a client gets all there is of a type: it has
// nothing, it wants everything, and so nothing needs to be known of each
// resource but how far it has come. Whatever else happens ends it: what is not
// acknowledged by then becomes items.
type opening struct {
	resources []*model.Resource
	sent      int // of them
	acked     int
}

// open begins an opening, or says that there is none to begin.
func (s *Session) open(t model.Type) bool {
	sub := &s.types[t]
	if s.full || !sub.wildcard || len(sub.items) > 0 || sub.opening != nil || sub.flight != nil || sub.settles || s.past.any.Load() {
		return false
	}
	n := s.view.Count(t)
	if n == 0 {
		return false
	}
	o := &opening{resources: make([]*model.Resource, 0, n)}
	for r := range s.view.All(t) {
		o.resources = append(o.resources, r)
	}
	sub.opening = o
	return true
}

// openNext is the next response of an opening; nil: it waits.
func (s *Session) openNext(t model.Type) *Response {
	sub := &s.types[t]
	if sub.flight != nil || t == demandType && s.unsure() {
		return nil
	}
	o := sub.opening
	var b batch
	for _, r := range o.resources[o.sent:] {
		if len(b.fresh) > 0 && !b.roomFor(r) || !s.hasNeeds(r) {
			break
		}
		b.fresh, b.bytes = o.resources[o.sent:o.sent+len(b.fresh)+1], b.bytes+len(r.Body)+len(r.Head)
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
	o.sent += len(b.fresh)
	sub.owed = false
	return s.launch(t, b)
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
func (sub *subscription) openAccepted() {
	o := sub.opening
	if o.acked = o.sent; o.acked == len(o.resources) {
		sub.opening, sub.settles, sub.opened = nil, true, true
	}
}

// unroll ends an opening: what the client has not acknowledged becomes items,
// what it has is as the view has it.
func (s *Session) unroll(t model.Type) {
	sub := &s.types[t]
	o := sub.opening
	if o == nil {
		return
	}
	sub.opening, sub.settles, sub.opened = nil, true, o.sent > 0
	sub.reserve(len(o.resources) - o.acked)
	if o.sent > o.acked {
		sub.flight.items = make([]*item, o.sent-o.acked)
	}
	for i, r := range o.resources[o.acked:] {
		it := sub.item(r.Name)
		it.want = r
		if o.acked+i < o.sent {
			it.may(r)
			it.set(sent)
			sub.flight.items[i] = it
		} else {
			sub.enqueue(it)
		}
	}
}
