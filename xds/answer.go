package xds

import (
	"math"
	"slices"
	"strings"

	"weft.dev/model"
)

// accept ends the flight: the client holds what it brought.
func (s *Session) accept(t model.Type) {
	sub := &s.types[t]
	if sub.opening != nil {
		s.openAccepted(t)
		s.land(sub)
		return
	}
	for i, r := range sub.flight.fresh {
		it := sub.flight.items[i]
		if it == nil || it.is(gone) {
			continue // unsubscribed meanwhile, or an answer that is no resource
		}
		s.past.forgive(tryKey{t, r.Name, r.Version})
		it.has(r)
		fallback := it.want != nil && it.want.Version != r.Version
		if refused := it.refusal(); refused != nil && !(fallback && refused.Version == it.want.Version) {
			s.unblame(sub, it)
		}
		s.settle(t, it)
	}
	s.land(sub)
}

// refuse ends the flight: the client holds what it held, or, of a response
// with several resources, any of them; unless the type is applied as a whole,
// Envoy applies the good ones. What is refused alone is to blame. Of several it
// is those that the reason names, else maybe any: suspects are sent again in
// smaller groups, after the others.
func (s *Session) refuse(t model.Type, reason string) {
	s.unroll(t)
	sub := &s.types[t]
	fresh := sub.flight.fresh
	reason = strings.ToValidUTF8(strings.Clone(reason[:min(len(reason), maxReason)]), "")
	isNamed := slices.ContainsFunc(fresh, func(r *model.Resource) bool { return mentions(reason, r.Name) })
	var suspects, others []*item
	for i, r := range fresh {
		it := sub.flight.items[i]
		if it == nil {
			s.demand.again(r.Name)
			continue
		}
		s.past.failed(tryKey{t, r.Name, r.Version}, reason)
		if it.is(gone) {
			continue // unsubscribed meanwhile
		}
		if len(fresh) == 1 {
			s.blame(sub, it, r, reason)
		}
		if len(fresh) == 1 || traits[t].whole {
			it.mayNot(r)
		}
		if traits[t].spoils {
			it.set(force)
		}
		if !isNamed || mentions(reason, r.Name) {
			suspects = append(suspects, it)
		} else {
			others = append(others, it)
		}
	}
	s.regroup(sub, others, len(others))
	size := 1
	if !isNamed && len(suspects) > smallBatch && suspects[0].group == 0 {
		size = int(math.Ceil(math.Sqrt(float64(len(suspects)))))
	}
	s.regroup(sub, suspects, size)
	if traits[t].whole {
		sub.restore()
	}
	s.land(sub)
	if t == demandType {
		s.resolve() // what was to answer a name may not
	}
}

// smallBatch is how many suspects are sent one by one at once. More go in groups
// of the square root first, so that the culprit is known by its second resend.
const smallBatch = 8

// regroup has items sent again, so many at a time.
func (s *Session) regroup(sub *subscription, items []*item, size int) {
	for i, it := range items {
		if i%size == 0 {
			s.groups++
		}
		it.group = s.groups
		sub.enqueue(it)
	}
}

// blame has people told why the client does not get a resource.
func (s *Session) blame(sub *subscription, it *item, r *model.Resource, reason string) {
	if old := it.refusal(); old != nil && old.Version == r.Version && old.Reason == reason {
		return
	}
	s.blames++
	if it.rare == nil {
		it.rare = &rare{}
	}
	it.rare.refused = &model.Refusal{Type: r.Type.String(), Name: r.Name, Version: r.Version, From: s.causes(r), Reason: reason}
	if sub.refused == nil {
		sub.refused = map[string]*item{}
	}
	sub.refused[it.name] = it
	if it.held != nil && it.held.Version != r.Version {
		s.past.good.keep(s.view.Scope, it.held)
	}
}

// causes are the objects that may have spoilt a resource: not those that have a part in something
// else that the client took as it is now, unless all have.
func (s *Session) causes(r *model.Resource) []model.Key {
	suspects := slices.Clone(r.From)
	acquit := func(other *model.Resource) {
		if other.Type != r.Type || other.Name != r.Name {
			suspects = slices.DeleteFunc(suspects, func(key model.Key) bool { return slices.Contains(other.From, key) })
		}
	}
	for t := range model.NumTypes {
		if t == model.TypeEndpoint {
			continue // which say little of what their objects say
		}
		sub := &s.types[t]
		for _, it := range sub.items {
			if it.held != nil && (it.want == nil || it.version == it.want.Version) {
				acquit(it.held)
			}
		}
		for other := range s.view.All(t) {
			if sub.items[other.Name] == nil && s.settled(t, other.Name) != nil {
				acquit(other)
			}
		}
	}
	if len(suspects) == 0 {
		return r.From
	}
	return suspects
}

func (s *Session) unblame(sub *subscription, it *item) {
	if it.refusal() != nil {
		s.blames++
		it.rare.refused = nil
		delete(sub.refused, it.name)
	}
}

// land ends the flight, however it was answered. What it removed is gone: a
// client has no reason to refuse a removal, and must not be trusted to keep what it did.
func (s *Session) land(sub *subscription) {
	for _, r := range sub.flight.removed {
		it := sub.items[r.name]
		if it != nil && it.want == nil && !it.holds() && !it.is(absent|named) && it.asks == 0 {
			s.forget(sub, it)
		}
	}
	s.underway -= sub.flight.bytes
	sub.flight = nil
}

// restore takes back the removals of a response of which nothing was applied.
func (sub *subscription) restore() {
	for _, r := range sub.flight.removed {
		if it := sub.items[r.name]; it != nil && !it.holds() {
			it.held, it.version = r.held, r.version
			sub.enqueue(it)
		}
	}
}

// mentions says whether text names a resource: the name, and not a longer one
// that contains it.
func mentions(text, name string) bool {
	inName := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".:_-/|*", c) >= 0
	}
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			break
		}
		start := from + i
		rest := text[start+len(name):]
		if len(rest) > 0 && (rest[0] == ':' || rest[0] == '.') { // of the sentence, unless the name goes on
			rest = rest[1:]
		}
		if (start == 0 || !inName(text[start-1])) && (rest == "" || !inName(rest[0])) {
			return true
		}
		from = start + 1
	}
	return false
}
