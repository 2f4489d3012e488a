package xds

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"weft.dev/model"
)

// subscription is one type of a session.
type subscription struct {
	asked    bool // at least once
	wildcard bool
	names    map[string]struct{} // asked for by name
	items    map[string]*item    // what the client holds, may hold, refuses or is owed
	owed     bool                // an answer, even an empty one: the client waits for it
	nonce    string              // of the last response
	claim    string              // state of the world: version of what the client holds from before
	stale    bool                // state of the world: the client holds we do not know what

	queue   []string // names to look at, each once
	queued  map[string]struct{}
	blocked map[string]struct{} // names that wait for something else's acknowledgement
	refused map[string]struct{} // names of items with a refusal
	flight  *flight
}

// flight is a response without an answer.
type flight struct {
	nonce   string
	fresh   []*model.Resource
	removed []string
}

// item is one resource as the client has it.
type item struct {
	version uint64            // that it holds; 0: none
	held    *model.Resource   // of that version; nil: one from an earlier stream that we do not know
	maybe   []*model.Resource // sent since then: it may hold one of these instead
	sent    bool              // on this stream
	force   bool              // it is owed the resource again, also in the version that it holds
	absent  bool              // it is owed the answer that there is none

	tries   []try          // versions that were refused, the last one last
	alone   bool           // it goes alone until it is accepted: it was in a refused response
	refused *model.Refusal // it is to blame, and stays as it is
	retry   bool           // try the refused version again
}

// try is a refused version: maybe for the fault of another resource in the
// same response.
type try struct {
	version uint64
	times   int
	reason  string // the last one
}

// failed counts one more refusal of a version, and returns how many there are.
func (it *item) failed(version uint64, reason string) int {
	last := try{version: version, times: 1 + it.failures(version).times, reason: reason}
	it.untry(version)
	if len(it.tries) == maxTries {
		it.tries = slices.Delete(it.tries, 0, 1)
	}
	it.tries = append(it.tries, last)
	return last.times
}

// failures of a version: none, if it was never refused.
func (it *item) failures(version uint64) try {
	for _, t := range it.tries {
		if t.version == version {
			return t
		}
	}
	return try{}
}

// untry forgets the refusals of a version: it was accepted.
func (it *item) untry(version uint64) {
	it.tries = slices.DeleteFunc(it.tries, func(t try) bool { return t.version == version })
}

// mayHoldOther says whether the client may hold another version than this one,
// which it acknowledged once.
func (it *item) mayHoldOther(version uint64) bool {
	return slices.ContainsFunc(it.maybe, func(r *model.Resource) bool { return r.Version != version })
}

func (sub *subscription) init() {
	sub.names = map[string]struct{}{}
	sub.items = map[string]*item{}
	sub.queued = map[string]struct{}{}
	sub.blocked = map[string]struct{}{}
	sub.refused = map[string]struct{}{}
}

func (sub *subscription) item(name string) *item {
	it := sub.items[name]
	if it == nil {
		it = &item{}
		sub.items[name] = it
	}
	return it
}

func (sub *subscription) wants(name string) bool {
	if sub.wildcard {
		return true
	}
	_, ok := sub.names[name]
	return ok
}

func (sub *subscription) enqueue(name string) {
	if _, waits := sub.queued[name]; waits {
		return
	}
	sub.queued[name] = struct{}{}
	sub.queue = append(sub.queue, name)
}

func (sub *subscription) forget(name string) {
	delete(sub.items, name)
	delete(sub.refused, name)
	delete(sub.blocked, name)
}

// Request takes in one message. An error is the client's: end the stream.
func (s *Session) Request(r Request) error {
	if err := s.check(r); err != nil {
		return err
	}
	sub := &s.types[r.Type]
	first := !sub.asked
	sub.asked = true
	if sub.flight != nil && r.Nonce == sub.flight.nonce {
		s.heard = true
		if r.Refused {
			sub.refuse(r.Reason)
		} else {
			sub.accept()
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
	if n := max(len(s.types[r.Type].names)+len(r.Subscribe), len(r.Names), len(r.Holds)); n > s.limits.Names {
		return fmt.Errorf("%v: %d names on one stream, more than %d", r.Type, n, s.limits.Names)
	}
	for _, names := range []iter.Seq[string]{slices.Values(r.Subscribe), slices.Values(r.Names), maps.Keys(r.Holds)} {
		for name := range names {
			if len(name) > s.limits.NameBytes {
				return fmt.Errorf("%v %.40q...: name of %d bytes, more than %d", r.Type, name, len(name), s.limits.NameBytes)
			}
		}
	}
	return nil
}

// subscribe applies the changes of a delta request.
func (s *Session) subscribe(sub *subscription, r Request, first bool) {
	if first {
		for name, version := range r.Holds {
			sub.item(name).version = version
			s.claimed = true
		}
	}
	all := first && traits[r.Type].wildcard && len(r.Subscribe) == 0
	for _, name := range r.Subscribe {
		if name == "*" && traits[r.Type].wildcard {
			all = true
			continue
		}
		sub.names[name] = struct{}{}
		it := sub.item(name)
		_, claimed := r.Holds[name]
		it.force = it.force || !claimed && (it.version != 0 || len(it.maybe) > 0) || s.clusterSent(r.Type, name)
		it.absent = !claimed && traits[r.Type].removable
		sub.enqueue(name)
	}
	for _, name := range r.Unsubscribe {
		if name == "*" && sub.wildcard {
			sub.wildcard = false
			sub.drop()
		}
		delete(sub.names, name)
		if !sub.wants(name) {
			sub.forget(name)
		}
	}
	if all && !sub.wildcard {
		sub.wildcard = true
		sub.owed = len(r.Holds) == 0
		s.enqueueAll(r.Type)
	}
}

// subscribeFull makes the names of a state-of-the-world request the subscription.
func (s *Session) subscribeFull(sub *subscription, r Request, first bool) {
	was := sub.wildcard
	sub.wildcard = traits[r.Type].wildcard && len(r.Names) == 0 && (first || was)
	names := make(map[string]struct{}, len(r.Names))
	for _, name := range r.Names {
		if name == "*" && traits[r.Type].wildcard {
			sub.wildcard = true
			continue
		}
		names[name] = struct{}{}
		if _, had := sub.names[name]; !had {
			sub.enqueue(name)
			if traits[r.Type].full {
				sub.owed = true
			}
		}
	}
	sub.names = names
	sub.drop()
	if first && traits[r.Type].full {
		// Of other types the client may have dropped some of what it once accepted.
		sub.claim, sub.owed = r.Version, true
	}
	if sub.wildcard && !was {
		s.enqueueAll(r.Type)
	}
}

// drop forgets what is no longer asked for.
func (sub *subscription) drop() {
	for name := range sub.items {
		if !sub.wants(name) {
			sub.forget(name)
		}
	}
}

func (sub *subscription) unblock() {
	for _, name := range sortedNames(sub.blocked) {
		sub.enqueue(name)
	}
	clear(sub.blocked)
}
