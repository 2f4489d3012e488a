package xds

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/model"
)

// subscription is one type of a session.
type subscription struct {
	asked    bool // at least once
	wildcard bool
	owed     bool             // an answer, even an empty one: the client waits for it
	stale    bool             // state of the world: the client holds we do not know what
	names    int              // items that are asked for by name
	waiting  int              // items that are blocked
	items    map[string]*item // see Session.settle for those that there are none of
	spare    []item           // made at once for those that will be
	settles  bool             // items of which the client has what the view has are not kept
	whole    bool             // the client asks by name for all that the view has, but for
	except   map[string]struct{}
	opening  *opening
	opened   bool             // there was one
	queue    []*item          // to look at, each once
	held     []*item          // blocked ones, and some that were
	refused  map[string]*item // those with a refusal
	flight   *flight
	nonce    string // of the last response
	claim    string // state of the world: version of what the client holds from before
}

// flight is a response without an answer.
type flight struct {
	nonce   string
	fresh   []*model.Resource
	items   []*item // one for each of fresh; nil: the resource is no item
	removed []removal
	bytes   int
}

// removal remembers what the client held.
type removal struct {
	name    string
	held    *model.Resource
	version uint64
}

func (r removal) needs(cluster string) bool {
	return r.held == nil || slices.Contains(r.held.Needs, cluster)
}

func (sub *subscription) item(name string) *item {
	it := sub.items[name]
	if it == nil {
		it = sub.spareItem()
		it.name = name
		sub.items[name] = it
	}
	return it
}

// itemOf is the item of a name in a request, whose texts live no longer than it.
func (sub *subscription) itemOf(name string) *item {
	if it := sub.items[name]; it != nil {
		return it
	}
	return sub.item(strings.Clone(name))
}

// reserve makes room for so many more items at once.
func (sub *subscription) reserve(n int) {
	if sub.items == nil {
		sub.items = make(map[string]*item, n)
	}
	if len(sub.spare) < n {
		sub.spare = make([]item, n)
	}
	sub.queue = slices.Grow(sub.queue, n)
}

func (sub *subscription) spareItem() *item {
	if sub.items == nil {
		sub.items = map[string]*item{}
	}
	if len(sub.spare) == 0 {
		return &item{}
	}
	it := &sub.spare[0]
	if sub.spare = sub.spare[1:]; len(sub.spare) == 0 {
		sub.spare = nil
	}
	return it
}

func (sub *subscription) wants(it *item) bool { return sub.wildcard || it.is(named) || it.asks > 0 }

func (sub *subscription) enqueue(it *item) {
	if it == nil || it.is(queued|gone) {
		return
	}
	it.set(queued)
	sub.queue = append(sub.queue, it)
}

// block has an item wait for the next request.
func (sub *subscription) block(it *item) {
	if !it.is(blocked) {
		it.set(blocked)
		sub.waiting++
		sub.held = append(sub.held, it)
	}
}

// lacking says whether something that waits is new to the client. What waits to be removed is no more than a
// rest: an Envoy asks for the filters of a listener that is gone, and may call for them, until its last
// connection there has ended.
func (sub *subscription) lacking() bool {
	return sub.waiting > 0 && slices.ContainsFunc(sub.held, func(it *item) bool { return it.is(blocked) && it.want != nil })
}

func (sub *subscription) release(it *item) {
	if it.is(blocked) {
		it.unset(blocked)
		sub.waiting--
	}
}

// unblock has all looked at again that wait.
func (sub *subscription) unblock() {
	for _, it := range sub.held {
		if it.is(blocked) {
			sub.release(it)
			sub.enqueue(it)
		}
	}
	sub.held = nil
}

// name makes an item one that is asked for by name, or not.
func (sub *subscription) name(it *item, yes bool) {
	switch {
	case yes && !it.is(named):
		it.set(named)
		sub.names++
	case !yes && it.is(named):
		it.unset(named)
		sub.names--
	}
}

// settle forgets an item of which the client has exactly what the view has: of a
// type that the client has all of, that is how things are where there is no
// item. A proxy that knows a thousand services and is in step costs nothing for them.
func (s *Session) settle(t model.Type, it *item) {
	sub := &s.types[t]
	if !sub.settles || it.want == nil || it.held != it.want || it.maybe != nil || it.rare != nil || it.group != 0 || it.asks > 0 {
		return
	}
	if it.is(unsettled) || it.is(named) != sub.whole {
		return
	}
	if t == model.TypeCluster && !s.types[model.TypeEndpoint].asked {
		return // whoever asks for its endpoints must hear that it was sent
	}
	if delete(sub.items, it.name); len(sub.items) == 0 {
		sub.items = nil // and the room for all of them
	}
}

// settled is what the client has of a name that has no item; nil: nothing.
func (s *Session) settled(t model.Type, name string) *model.Resource {
	sub := &s.types[t]
	if _, not := sub.except[name]; not || !sub.settles {
		return nil
	}
	return s.view.Find(t, name)
}

// recall is the item of a name; nil: the client has nothing of it, nor asks for it.
func (s *Session) recall(t model.Type, name string) *item {
	s.unroll(t)
	sub := &s.types[t]
	if it := sub.items[name]; it != nil {
		return it
	}
	r := s.settled(t, name)
	if r == nil {
		return nil
	}
	it := sub.item(r.Name)
	it.want = r
	sub.hadSettled(it, r)
	return it
}

// hadSettled makes of an item what the client had of it, while there was none.
func (sub *subscription) hadSettled(it *item, r *model.Resource) {
	it.held, it.version = r, r.Version
	if sub.whole {
		it.set(named)
	}
}

// wholeByName finds out whether the client asks for all that there is, as Envoys do that ask
// for the endpoints of all their clusters: then nothing needs to be known of each.
func (s *Session) wholeByName(t model.Type) {
	sub := &s.types[t]
	if s.full || traits[t].wildcard || sub.whole || s.view == nil || sub.names == 0 || sub.names < s.view.Count(t) {
		return
	}
	for r := range s.view.All(t) {
		if it := sub.items[r.Name]; it == nil || !it.is(named) {
			return
		}
	}
	sub.whole, sub.settles, sub.except = true, true, map[string]struct{}{}
	for _, it := range sub.items {
		s.settle(t, it)
	}
}

// forget drops an item that nobody asks for, or of which there is nothing.
func (s *Session) forget(sub *subscription, it *item) {
	s.unblame(sub, it)
	sub.release(it)
	sub.name(it, false)
	it.set(gone)
	delete(sub.items, it.name)
}

// Request takes in one message. An error is the client's: end the stream.
func (s *Session) Request(r Request) error {
	if err := s.check(r); err != nil {
		return err
	}
	sub := &s.types[r.Type]
	first := !sub.asked
	if first {
		sub.asked = true
		s.unasked &^= 1 << r.Type
	}
	if sub.flight != nil && r.Nonce == sub.flight.nonce {
		s.heard = true
		if r.Refused {
			s.refuse(r.Type, r.Reason)
		} else {
			s.accept(r.Type)
		}
	}
	if !s.full {
		s.subscribe(sub, r, first)
	} else if first || r.Nonce == sub.nonce { // else stale: the client will answer the newer response, too
		s.subscribeFull(sub, r, first)
	}
	// An answer, or a name less, may be what others waited for.
	for t := range s.types {
		s.types[t].unblock()
	}
	return nil
}

func (s *Session) check(r Request) error {
	n := max(s.types[r.Type].names+len(r.Subscribe), len(r.Names), len(r.Holds))
	if traits[r.Type].onDemand {
		n = max(n, len(s.demand.asks)+len(r.Subscribe))
	}
	if n > s.limits.Names {
		return fmt.Errorf("%v: %d names on one stream, more than %d", r.Type, n, s.limits.Names)
	}
	for _, names := range [][]string{r.Subscribe, r.Names} {
		for _, name := range names {
			if err := s.checkName(r.Type, name); err != nil {
				return err
			}
		}
	}
	for name := range r.Holds {
		if err := s.checkName(r.Type, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) checkName(t model.Type, name string) error {
	if len(name) > s.limits.NameBytes {
		return fmt.Errorf("%v %.40q...: name of %d bytes, more than %d", t, name, len(name), s.limits.NameBytes)
	}
	return nil
}

// subscribe applies the changes of a delta request.
func (s *Session) subscribe(sub *subscription, r Request, first bool) {
	if first {
		for name, version := range r.Holds {
			if version != emptyVersion {
				sub.itemOf(name).version = version
				s.claimed = true
			}
		}
	}
	all := first && traits[r.Type].wildcard && len(r.Subscribe) == 0
	if i := slices.Index(r.Subscribe, "*"); i >= 0 && traits[r.Type].wildcard {
		all = true
		r.Subscribe = slices.DeleteFunc(slices.Clone(r.Subscribe), func(name string) bool { return name == "*" })
	}
	if all && !sub.wildcard {
		sub.wildcard = true
		sub.owed = len(r.Holds) == 0
		first = true
	}
	if !traits[r.Type].onDemand {
		s.byName(sub, r, first)
	}
	if first {
		s.load(r.Type)
	}
	for _, name := range r.Unsubscribe {
		if name == "*" && sub.wildcard {
			s.unroll(r.Type)
			sub.wildcard, sub.settles = false, false
			s.drop(sub)
		}
		if traits[r.Type].onDemand {
			s.unask(name)
		} else if it := s.recall(r.Type, name); it != nil {
			sub.name(it, false)
			if !sub.wants(it) {
				s.forget(sub, it)
			}
			if sub.whole {
				sub.except[it.name] = struct{}{}
			}
		}
	}
	if traits[r.Type].onDemand {
		s.ask(r)
	}
}

// byName adds the names of a delta request. The view is asked for each, unless
// all of it will be gone through.
func (s *Session) byName(sub *subscription, r Request, loads bool) {
	if s.openByName(sub, r) {
		return
	}
	if len(r.Subscribe) > fewNames {
		sub.reserve(len(r.Subscribe))
	}
	for _, name := range r.Subscribe {
		it := s.recall(r.Type, name)
		if it == nil {
			it = s.newByName(sub, r.Type, name, loads)
		}
		sub.name(it, true)
		_, claimed := r.Holds[name]
		if !claimed && it.holds() || s.clusterSent(r.Type, name) {
			it.set(force)
		}
		it.unset(absent)
		if !claimed && traits[r.Type].removable {
			it.set(absent)
		}
		sub.enqueue(it)
		delete(sub.except, name)
	}
	s.wholeByName(r.Type)
}

func (s *Session) newByName(sub *subscription, t model.Type, name string, loads bool) *item {
	if s.view != nil && !loads {
		if want := s.view.Find(t, name); want != nil {
			it := sub.item(want.Name)
			it.want = want
			return it
		}
	}
	return sub.itemOf(name)
}

// subscribeFull makes the names of a state-of-the-world request the subscription.
func (s *Session) subscribeFull(sub *subscription, r Request, first bool) {
	was := sub.wildcard
	sub.wildcard = traits[r.Type].wildcard && len(r.Names) == 0 && (first || was)
	names := make(map[string]bool, len(r.Names))
	for _, name := range r.Names {
		if name == "*" && traits[r.Type].wildcard {
			sub.wildcard = true
			continue
		}
		names[name] = true
		it := sub.itemOf(name)
		if it.is(named) {
			continue
		}
		sub.name(it, true)
		if s.view != nil {
			it.want = s.view.Find(r.Type, name)
		}
		sub.enqueue(it)
		if traits[r.Type].full {
			sub.owed = true
		}
	}
	for name, it := range sub.items {
		if !names[name] {
			sub.name(it, false)
		}
	}
	s.drop(sub)
	if first && traits[r.Type].full {
		// Of other types the client may have dropped some of what it once accepted.
		sub.claim, sub.owed = strings.Clone(r.Version), true
	}
	if sub.wildcard && !was {
		s.load(r.Type)
	}
}

// drop forgets what is no longer asked for.
func (s *Session) drop(sub *subscription) {
	for _, it := range sub.items {
		if !sub.wants(it) {
			s.forget(sub, it)
		}
	}
}
