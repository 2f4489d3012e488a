package xds

import (
	"time"

	"weft.dev/model"
)

// Linger is for how long servers keep clusters: longer than what waits for an authorizer does.
const Linger = 5 * time.Second

// lingering are clusters that nothing needs any more, with the serial from which on they may go. A request may have chosen its
// route before that changed, and wait in a filter, for an authorizer or a delay: it still goes to the cluster.
type lingering struct {
	since  map[string]uint64 // by cluster
	serial uint64            // of the newest
	over   uint64            // serial up to which they have been there for long enough
}

// lingers says whether it is too early to remove a cluster. In state of the world every response would have to wait for it.
func (s *Session) lingers(t model.Type, it *item) bool {
	if t != model.TypeCluster || s.full || s.limits.Linger <= 0 || !it.holds() {
		return false
	}
	l := &s.lingering
	since, known := l.since[it.name]
	if !known {
		if l.since == nil {
			l.since = map[string]uint64{}
		}
		l.serial++
		since, l.since[it.name] = l.serial, l.serial
	}
	return since > l.over
}

// lingersNoMore is the news that something is removed, or is not to be. A listener may have the name of a cluster.
func (s *Session) lingersNoMore(t model.Type, name string) {
	if t != model.TypeCluster {
		return
	}
	l := &s.lingering
	if delete(l.since, name); len(l.since) == 0 {
		l.since = nil
	}
}

// Leaving is the serial of the newest cluster that is to be removed: LetGo of it is owed after Limits.Linger.
func (s *Session) Leaving() uint64 { return s.lingering.serial }

// LetGo has clusters removed that were to be removed at a serial of Leaving.
func (s *Session) LetGo(serial uint64) {
	s.lingering.over = max(s.lingering.over, serial)
	s.types[model.TypeCluster].unblock()
}
