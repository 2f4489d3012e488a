package xds

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"

	"weft.dev/model"
)

// verdict on one name of a queue.
type verdict int

const (
	skip   verdict = iota // nothing is owed
	block                 // something else must be acknowledged first
	send                  // the resource of the view
	remove                // the answer that there is none
)

// plan makes the next response of a type, or nil.
func (s *Session) plan(t model.Type) *Response {
	sub := &s.types[t]
	if !sub.asked || sub.flight != nil {
		return nil
	}
	s.settleClaim(t)
	fresh, removed, probe := s.pick(t)
	full := s.full && traits[t].full
	if full && sub.stale && len(sub.blocked) > 0 {
		// The client would drop what it has of the blocked ones: all, or nothing yet.
		for _, r := range fresh {
			sub.blocked[r.Name] = struct{}{}
		}
		for _, name := range removed {
			sub.blocked[name] = struct{}{}
		}
		return nil
	}
	empty := len(fresh) == 0 && len(removed) == 0
	if empty && !probe && (!sub.owed || len(sub.queue) > 0 || len(sub.blocked) > 0) {
		return nil
	}
	sub.owed, sub.stale = false, false
	return s.launch(t, fresh, removed)
}

// launch puts a response under way.
func (s *Session) launch(t model.Type, fresh []*model.Resource, removed []string) *Response {
	sub := &s.types[t]
	for _, r := range fresh {
		it := sub.item(r.Name)
		it.maybe = append(it.maybe, r)
		it.sent, it.force, it.absent, it.retry = true, false, false, false
		if t == model.TypeCluster {
			s.resendEndpoints(r.Name)
		}
	}
	for _, name := range removed {
		if it := sub.items[name]; it != nil {
			*it = item{}
			delete(sub.refused, name)
		}
	}
	s.nonces++
	sub.nonce = strconv.FormatUint(s.nonces, 10)
	sub.flight = &flight{nonce: sub.nonce, fresh: fresh, removed: removed}
	r := &Response{Type: t, Nonce: sub.nonce, Resources: fresh, Removed: removed, fresh: len(fresh)}
	r.Version = strconv.FormatUint(s.rev, 10)
	if s.full {
		all := sub.world(fresh)
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
	if it := sub.items[cluster]; it != nil && sub.wants(cluster) {
		it.force = true
		sub.enqueue(cluster)
	}
}

// clusterSent says the same for endpoints that are asked for after their
// cluster went out.
func (s *Session) clusterSent(t model.Type, name string) bool {
	if t != model.TypeEndpoint {
		return false
	}
	it := s.types[model.TypeCluster].items[name]
	return it != nil && it.sent
}

// pick takes from the queue what fits into one response. Additions and
// removals of delta go apart, so that a refusal says nothing of a removal.
func (s *Session) pick(t model.Type) (fresh []*model.Resource, removed []string, probe bool) {
	sub := &s.types[t]
	full := s.full && traits[t].full
	bytes, taken := 0, 0
	for _, name := range sub.queue {
		want := s.view.Find(t, name)
		v := s.judge(t, name, want)
		alone := v == send && sub.item(name).alone
		if v == send && len(fresh) > 0 && (alone || !full && (len(fresh) == chunkResources || bytes+len(want.Body) > chunkBytes)) {
			break
		}
		taken++
		delete(sub.queued, name)
		delete(sub.blocked, name) // what it waited for may be over
		switch {
		case v == send:
			fresh, bytes = append(fresh, want), bytes+len(want.Body)
		case v == remove && s.early(sub.items[name]):
			probe = true
			sub.blocked[name] = struct{}{}
		case v == remove:
			removed = append(removed, name)
		case v == block:
			sub.blocked[name] = struct{}{}
		}
		if alone {
			break
		}
	}
	if sub.queue = sub.queue[taken:]; len(sub.queue) == 0 {
		sub.queue = nil
	}
	if len(fresh) > 0 && !full {
		for _, name := range removed {
			sub.blocked[name] = struct{}{} // until these are answered
		}
		removed = nil
	}
	return fresh, removed, probe
}

// judge decides on one name. want is the view's resource, or nil.
func (s *Session) judge(t model.Type, name string, want *model.Resource) verdict {
	sub := &s.types[t]
	it := sub.items[name]
	if !sub.wants(name) {
		return skip
	}
	if want == nil {
		return s.judgeAbsent(t, name, it)
	}
	if it != nil {
		if it.version == want.Version {
			it.held = want // also if it is from an earlier stream
			if !it.force && !it.mayHoldOther(want.Version) {
				it.absent, it.refused = false, nil
				delete(sub.refused, name)
				return skip
			}
		}
		if failed := it.failures(want.Version); failed.times > maxResends {
			sub.blame(want, failed.reason)
			return skip
		}
		if it.refused != nil && it.refused.Version == want.Version && !it.retry {
			return skip
		}
	}
	for _, cluster := range want.Needs {
		if c := s.types[model.TypeCluster].items[cluster]; c == nil || c.version == 0 {
			if s.view.Find(model.TypeCluster, cluster) == nil {
				sub.blame(want, "not sent: it needs cluster "+cluster+", which the view lacks")
			}
			return block
		}
	}
	return send
}

func (s *Session) judgeAbsent(t model.Type, name string, it *item) verdict {
	sub := &s.types[t]
	if it == nil {
		return skip
	}
	it.refused = nil
	delete(sub.refused, name)
	if !traits[t].removable {
		return skip
	}
	holds := it.version != 0 || len(it.maybe) > 0
	switch {
	case !holds && !it.absent:
		sub.forget(name)
		return skip
	case holds && t == model.TypeCluster && s.needed(name):
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
		for _, it := range s.types[t].items {
			if it.version != 0 && it.held == nil {
				return true // of an earlier stream, needing we do not know what
			}
			if it.held != nil && slices.Contains(it.held.Needs, cluster) {
				return true
			}
			for _, r := range it.maybe {
				if slices.Contains(r.Needs, cluster) {
					return true
				}
			}
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
	for _, name := range sub.queue {
		if r := s.view.Find(t, name); r != nil {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *model.Resource) int { return cmp.Compare(a.Name, b.Name) })
	sub.stale = digest(all) != sub.claim
	sub.claim = ""
	if sub.stale {
		return
	}
	for _, r := range all {
		*sub.item(r.Name) = item{version: r.Version, held: r}
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
