package metrics

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"weft.dev/model"
)

const (
	// Remember is for how long callers without a certificate are known after their last call.
	Remember = 24 * time.Hour
	// maxStrangers bounds memory: an address takes some 100 bytes.
	maxStrangers = 20_000
	maxAddress   = 64
	// lapse is after how long without a word nobody can say what came by meanwhile.
	lapse = 6 * model.WatchPace
)

// Stranger is somebody who calls workloads of an application and shows no certificate of the mesh.
type Stranger struct {
	To      End    // without a version
	Port    uint32 // of the workload; 0: one that no service has
	Address string // "": of everybody together
	Refused bool   // it was not let in
}

// StrangerCalls are the calls of one.
type StrangerCalls struct {
	Stranger
	Calls       uint64
	First, Last time.Time
}

type watch struct{ since, last time.Time }

// Strangers collects what proxies say of callers without a certificate, and which proxies say so. Safe for concurrent use.
type Strangers struct {
	mu      sync.Mutex
	known   map[Stranger]*StrangerCalls
	watches map[string]watch // by workload
	swept   time.Time
}

// NewStrangers returns an empty collection.
func NewStrangers() *Strangers {
	return &Strangers{known: map[Stranger]*StrangerCalls{}, watches: map[string]watch{}}
}

// Record adds what the proxy of a workload counted until now.
func (s *Strangers) Record(workload string, to End, report model.TrafficReport, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	to.Version = ""
	if report.Watches {
		w, known := s.watches[workload]
		if !known || now.Sub(w.last) > lapse {
			w.since = now
		}
		w.last = now
		s.watches[workload] = w
	}
	for _, c := range report.Peers {
		if c.Calls > maxCount || len(c.Peer) > maxAddress {
			continue
		}
		key := Stranger{to, c.Port, c.Peer, c.Refused}
		one := s.known[key]
		if one == nil && c.Peer != "" && len(s.known) >= maxStrangers {
			continue // of all together it is known
		}
		if one == nil {
			one = &StrangerCalls{Stranger: key, First: now}
			s.known[key] = one
		}
		one.Calls, one.Last = one.Calls+c.Calls, now
	}
}

func (s *Strangers) sweep(now time.Time) {
	if now.Sub(s.swept) < sweepPace {
		return
	}
	s.swept = now
	for key, one := range s.known {
		if now.Sub(one.Last) > Remember {
			delete(s.known, key)
		}
	}
	for workload, w := range s.watches {
		if now.Sub(w.last) > Remember {
			delete(s.watches, workload)
		}
	}
}

// Watched is since when the proxy of a workload has counted without a gap until now.
func (s *Strangers) Watched(workload string, now time.Time) (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.watches[workload]
	return w.since, ok && now.Sub(w.last) <= lapse
}

// All are those that are known, by whom they call.
func (s *Strangers) All() []StrangerCalls {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]StrangerCalls, 0, len(s.known))
	for _, one := range s.known {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b StrangerCalls) int {
		return cmp.Or(compareEnds(a.To, b.To), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address), model.CompareBool(a.Refused, b.Refused))
	})
	return all
}
