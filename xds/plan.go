package xds

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"weft.dev/model"
)

// verdict on one item of a queue.
type verdict int

const (
	skip   verdict = iota // nothing is owed
	block                 // something else must be acknowledged first
	send                  // a resource
	remove                // the answer that there is none
)

// batch is a response in the making.
type batch struct {
	items   []*item           // one for each of fresh; nil: the resource is no item
	fresh   []*model.Resource // to be sent
	removed []*item
	parts   [][]byte // the bytes of fresh, where they are at hand in larger pieces
	bytes   int
	probe   bool // any answer is wanted
}

func (b *batch) add(it *item, r *model.Resource) {
	b.items, b.fresh, b.bytes = append(b.items, it), append(b.fresh, r), b.bytes+r.Size()
}

// fits says whether one more may come along.
func (b *batch) fits(it *item, r *model.Resource, full bool) bool {
	if len(b.fresh) == 0 {
		return !full || it.group == 0 || len(b.removed) == 0
	}
	return it.group == b.items[0].group && (full || b.roomFor(r))
}

// roomFor says whether one more resource is not too much.
func (b *batch) roomFor(r *model.Resource) bool {
	resources, bytes := chunkResources, chunkBytes
	if traits[r.Type].whole {
		resources, bytes = math.MaxInt, tableBytes
	}
	return len(b.fresh) < resources && b.bytes+r.Size() <= bytes
}

// suspect says whether what is in the batch is to come with nothing else.
func (b *batch) suspect() bool {
	return len(b.items) > 0 && b.items[0] != nil && b.items[0].group > 0
}

func (b *batch) has(name string) bool {
	return slices.ContainsFunc(b.fresh, func(r *model.Resource) bool { return r.Name == name }) ||
		slices.ContainsFunc(b.removed, func(it *item) bool { return it.name == name })
}

// plan makes the next response of a type, or nil.
func (s *Session) plan(t model.Type) *Response {
	sub := &s.types[t]
	if sub.opening != nil {
		return s.openNext(t)
	}
	if !sub.asked || sub.flight != nil || t == demandType && s.unsure() {
		return nil
	}
	s.settleClaim(t)
	b := s.pick(t)
	full := s.full && traits[t].full
	if full && sub.stale && sub.waiting > 0 {
		// The client would drop what it has of the blocked ones: all, or nothing yet.
		for _, it := range slices.Concat(b.items, b.removed) {
			sub.block(it)
		}
		return nil
	}
	empty := len(b.fresh) == 0 && len(b.removed) == 0
	if empty && !b.probe && (!sub.owed || len(sub.queue) > 0 || sub.waiting > 0) {
		return nil
	}
	sub.owed, sub.stale = false, false
	return s.launch(t, b)
}

// launch puts a response under way.
func (s *Session) launch(t model.Type, b batch) *Response {
	sub := &s.types[t]
	s.nonces++
	sub.nonce = strconv.FormatUint(s.nonces, 10)
	sub.flight = &flight{nonce: sub.nonce, fresh: b.fresh, items: b.items, bytes: b.bytes}
	for i, it := range b.items {
		if it == nil {
			continue
		}
		if t == model.TypeRoute && !it.holds() {
			s.resendHosts(it.name)
		}
		it.may(b.fresh[i])
		it.set(sent)
		it.unset(force | absent | retry)
		if t == model.TypeCluster {
			s.resendEndpoints(it.name)
		}
	}
	var removed []string
	for _, it := range b.removed {
		sub.flight.removed = append(sub.flight.removed, removal{it.name, it.held, it.version})
		removed = append(removed, it.name)
		s.unblame(sub, it)
		s.lingersNoMore(t, it.name)
		it.lacks()
	}
	s.underway += b.bytes
	r := &Response{Type: t, Nonce: sub.nonce, Resources: b.fresh, Removed: removed, fresh: len(b.fresh), parts: b.parts}
	r.Version = strconv.FormatUint(s.rev, 10)
	if s.full {
		all := sub.world(b.fresh)
		r.Version, r.Removed = digest(all), nil
		if traits[t].full {
			r.Resources = all
		}
	}
	return r
}

// resendEndpoints of a cluster that is sent: Envoy warms the new cluster with
// endpoints that come after it, and without any waits 15 seconds.
func (s *Session) resendEndpoints(cluster string) {
	sub := &s.types[model.TypeEndpoint]
	if !sub.asked || sub.opening != nil && !s.openedByName(model.TypeEndpoint, cluster) {
		return
	}
	if it := s.recall(model.TypeEndpoint, cluster); it != nil && sub.wants(it) {
		it.set(force)
		sub.enqueue(it)
	}
}

// resendHosts of a table that is new to the client: Envoy looks for hosts of a table from when it gets it, and drops
// those that come before, with the listener that has it ask for the table.
func (s *Session) resendHosts(table string) {
	sub, ofTable := &s.types[model.TypeVirtualHost], func(r *model.Resource) bool { return strings.HasPrefix(r.Name, table+"/") }
	if !sub.asked || sub.opening != nil && !slices.ContainsFunc(sub.opening.resources[:sub.opening.sent], ofTable) {
		return
	}
	for r := range s.view.All(model.TypeVirtualHost) {
		if !ofTable(r) {
			continue
		}
		if it := s.recall(model.TypeVirtualHost, r.Name); it != nil && it.holds() && sub.wants(it) {
			it.set(force)
			sub.enqueue(it)
		}
	}
}

// clusterSent says the same for endpoints that are asked for after their
// cluster went out.
func (s *Session) clusterSent(t model.Type, name string) bool {
	if t != model.TypeEndpoint {
		return false
	}
	clusters := &s.types[model.TypeCluster]
	it := clusters.items[name]
	return clusters.opening != nil || clusters.opened || it != nil && it.is(sent)
}

// pick takes from the queue what fits into one response.
func (s *Session) pick(t model.Type) batch {
	sub := &s.types[t]
	full := s.full && traits[t].full
	var b batch
	taken := 0
	for _, it := range sub.queue {
		v, r := skip, (*model.Resource)(nil)
		if !it.is(gone) {
			v, r = s.judge(t, it)
		}
		if v == send && !b.fits(it, r, full) || v == remove && full && b.suspect() {
			break
		}
		taken++
		it.unset(queued)
		sub.release(it) // what it waited for may be over
		switch {
		case v == send:
			b.add(it, r)
		case v == remove && !traits[t].whole && s.early(it):
			b.probe = true
			sub.block(it)
		case v == remove:
			b.removed = append(b.removed, it)
		case v == block:
			sub.block(it)
		case !it.is(gone):
			s.settle(t, it)
		}
	}
	if sub.queue = sub.queue[taken:]; len(sub.queue) == 0 {
		sub.queue = nil
	}
	if traits[t].onDemand && !b.suspect() {
		s.denials(&b)
	}
	s.part(t, &b)
	return b
}

// part has removals wait. Of most types those of delta go apart from additions,
// so that a refusal says nothing of a removal. Of a type that is applied as a
// whole they go together, so that a domain that moves is always somewhere: they
// wait only for what takes their place and is not in this response.
func (s *Session) part(t model.Type, b *batch) {
	sub := &s.types[t]
	if traits[t].whole && len(b.fresh) > 0 {
		s.displace(t, b)
	}
	if len(b.removed) == 0 || s.full && traits[t].full {
		return
	}
	waits := func(*item) bool { return len(b.fresh) > 0 }
	if traits[t].whole {
		successors := sub.successors(b)
		waits = func(it *item) bool { return successors[it.name] || it.held != nil && meets(successors, it.held) }
	}
	b.removed = slices.DeleteFunc(b.removed, func(it *item) bool {
		if waits(it) {
			sub.block(it)
			return true
		}
		return false
	})
}

// displace adds to a batch the removals of what it takes the place of, wherever
// they wait.
func (s *Session) displace(t model.Type, b *batch) {
	sub := &s.types[t]
	if !sub.anyLeaves() {
		return
	}
	names := map[string]bool{}
	for _, r := range b.fresh {
		claim(names, r)
	}
	for _, items := range [][]*item{sub.queue, sub.held} {
		for _, it := range items {
			if it.want != nil || !it.is(queued|blocked) || slices.Contains(b.removed, it) {
				continue
			}
			if s.judgeAbsent(t, it) == remove && (it.held == nil || meets(names, it.held)) {
				sub.release(it)
				b.removed = append(b.removed, it)
			}
		}
	}
}

// anyLeaves says whether something that the view lacks waits to be removed.
func (sub *subscription) anyLeaves() bool {
	leaves := func(it *item) bool { return it.want == nil && it.is(queued|blocked) }
	return slices.ContainsFunc(sub.queue, leaves) || slices.ContainsFunc(sub.held, leaves)
}

// successors are the names and aliases of what is to be sent after a batch, or
// refused.
func (sub *subscription) successors(b *batch) map[string]bool {
	names := map[string]bool{}
	for _, items := range [][]*item{sub.queue, sub.held} {
		for _, it := range items {
			if it.is(queued|blocked) && it.want != nil {
				claim(names, it.want)
			}
		}
	}
	for _, it := range sub.refused {
		if it.want != nil && it.maybe == nil && !slices.Contains(b.items, it) {
			claim(names, it.want)
		}
	}
	return names
}

func claim(names map[string]bool, r *model.Resource) {
	names[r.Name] = true
	for _, alias := range r.Aliases {
		names[alias] = true
	}
}

func meets(names map[string]bool, r *model.Resource) bool {
	return names[r.Name] || slices.ContainsFunc(r.Aliases, func(alias string) bool { return names[alias] })
}

// judge decides on one item, and which resource to send.
func (s *Session) judge(t model.Type, it *item) (verdict, *model.Resource) {
	sub := &s.types[t]
	if !sub.wants(it) {
		return skip, nil
	}
	want := it.want
	if want == nil {
		return s.judgeAbsent(t, it), nil
	}
	s.lingersNoMore(t, it.name)
	if it.version == want.Version {
		it.held = want // also if it is from an earlier stream
		if !it.is(force) && !it.mayHoldOther(want.Version) {
			it.unset(absent)
			s.unblame(sub, it)
			return skip, nil
		}
	}
	if failed := s.past.failures(tryKey{t, it.name, want.Version}); failed.times > maxResends {
		s.blame(sub, it, want, failed.reason)
		return s.fallback(t, it)
	}
	if refused := it.refusal(); refused != nil && refused.Version == want.Version && !it.is(retry) {
		return s.fallback(t, it)
	}
	return s.ready(t, it, want)
}

// fallback of a refused item is what the client has, where that is spoilt; of one that it has nothing of, what another
// client of the scope has.
func (s *Session) fallback(t model.Type, it *item) (verdict, *model.Resource) {
	if traits[t].spoils && it.is(force) && it.held != nil {
		return s.ready(t, it, it.held)
	}
	if it.holds() {
		return skip, nil
	}
	r := s.past.good.find(s.view.Scope, t, it.name)
	if r == nil || r.Version == it.want.Version || s.past.failures(tryKey{t, r.Name, r.Version}).times > 0 {
		if it.asks > 0 {
			s.demand.giveUpOn(it)
		}
		return skip, nil
	}
	return s.ready(t, it, r)
}

// ready says whether the client has the clusters that r needs. A cluster that
// the client refuses holds nothing back of which it has no last good version,
// or that has much else in it.
func (s *Session) ready(t model.Type, it *item, r *model.Resource) (verdict, *model.Resource) {
	clusters := &s.types[model.TypeCluster]
	if clusters.opening != nil && len(r.Needs) > 0 {
		return block, nil
	}
	for _, cluster := range r.Needs {
		c := clusters.items[cluster]
		switch {
		case s.owesEndpoints(cluster):
			return block, nil
		case c != nil && c.version != 0:
		case c == nil && s.settled(model.TypeCluster, cluster) != nil:
		case c != nil && c.want != nil && c.refusal() != nil && c.maybe == nil && (!traits[t].whole || !it.holds()):
		case (c == nil || c.want == nil) && s.view.Find(model.TypeCluster, cluster) == nil:
			s.blame(&s.types[t], it, r, "not sent: it needs cluster "+cluster+", which the view lacks")
			return block, nil
		default:
			return block, nil
		}
	}
	return send, r
}

// owesEndpoints says whether newer endpoints of a cluster wait for the answer to
// others: what needs the cluster must not overtake them.
func (s *Session) owesEndpoints(cluster string) bool {
	sub := &s.types[model.TypeEndpoint]
	if sub.opening.owes(cluster) {
		return true
	}
	e := sub.items[cluster]
	return e != nil && e.is(queued) && e.want != nil && e.want.Version != e.version && (e.maybe == nil || e.maybe.Version != e.want.Version)
}

func (s *Session) judgeAbsent(t model.Type, it *item) verdict {
	sub := &s.types[t]
	s.unblame(sub, it)
	switch {
	case !traits[t].removable:
		return skip
	case it.asks > 0:
		return skip // told that it is gone, the client would never ask again
	case !it.holds() && !it.is(absent):
		if !it.is(named) {
			s.forget(sub, it)
		}
		return skip
	case it.holds() && t == model.TypeCluster && s.needed(it.name):
		s.lingersNoMore(t, it.name)
		return block
	case s.lingers(t, it):
		return block
	}
	return remove
}

// needed says whether the client may hold something that needs a cluster.
func (s *Session) needed(cluster string) bool {
	for t := range s.types {
		if !traits[t].needy {
			continue
		}
		sub := &s.types[t]
		if sub.opening != nil {
			return true // maybe
		}
		for _, it := range sub.items {
			if it.needs(cluster) {
				return true
			}
		}
		if sub.settles {
			for r := range s.view.All(model.Type(t)) {
				if sub.items[r.Name] == nil && slices.Contains(r.Needs, cluster) {
					return true
				}
			}
		}
		if sub.flight != nil && slices.ContainsFunc(sub.flight.removed, func(r removal) bool { return r.needs(cluster) }) {
			return true // until it is acknowledged
		}
	}
	return false
}

// early says whether it is too early to remove what a client has: one that
// comes back claims what it holds type by type, and a route may not have been
// claimed yet. It sends all claims before its first answer, so any answer will do.
func (s *Session) early(it *item) bool { return s.claimed && !s.heard && it.version != 0 }

// world is what a state-of-the-world client holds once it has fresh. Sorted.
func (sub *subscription) world(fresh []*model.Resource) []*model.Resource {
	all := slices.Clone(fresh)
	isFresh := make(map[string]bool, len(fresh))
	for _, r := range fresh {
		isFresh[r.Name] = true
	}
	for name, it := range sub.items {
		if it.held != nil && !isFresh[name] {
			all = append(all, it.held)
		}
	}
	slices.SortFunc(all, func(a, b *model.Resource) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// settleClaim finds out whether a state-of-the-world client that came back
// holds just what it is to hold.
func (s *Session) settleClaim(t model.Type) {
	sub := &s.types[t]
	if sub.claim == "" {
		return
	}
	var all []*model.Resource
	for _, it := range sub.queue {
		if it.want != nil {
			all = append(all, it.want)
		}
	}
	slices.SortFunc(all, func(a, b *model.Resource) int { return cmp.Compare(a.Name, b.Name) })
	sub.stale = digest(all) != sub.claim
	sub.claim = ""
	if sub.stale {
		return
	}
	for _, r := range all {
		it := sub.items[r.Name]
		it.held, it.version = r, r.Version
	}
	sub.owed = false
}

// digest names a set of resources by content.
func digest(sorted []*model.Resource) string {
	h := sha256.New()
	var b [8]byte
	for _, r := range sorted {
		h.Write([]byte(r.Name))
		binary.BigEndian.PutUint64(b[:], r.Version)
		h.Write(append(b[:], 0))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
