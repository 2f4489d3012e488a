package ratelimit

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Ask is one request at one budget.
type Ask struct {
	Budget string `json:"budget"` // unique: of the limit and the value of its key
	Rate   Rate   `json:"rate"`
	Hits   uint32 `json:"hits"`
	Shadow bool   `json:"shadow,omitempty"` // what it refuses is counted by those behind it, too
}

// Store has the budgets.
type Store interface {
	// Take asks one budget after the other, at most until one refuses: those behind it are not touched, and have
	// no decision. An error says that nobody knows.
	Take(ctx context.Context, asks []Ask, now time.Time) ([]Decision, error)
}

const (
	shards = 64
	// looked is how many budgets are looked at, where there is no room, to find one that is full or the nearest to
	// that: to forget it gives the least away.
	looked = 16
	// swept is how many are looked at for each new one, to forget those that are full.
	swept = 2
)

// Memory is a Store of this process. It holds a bounded number of budgets.
type Memory struct {
	seeds   [2]maphash.Seed
	most    int // of each shard
	shards  [shards]shard
	evicted atomic.Uint64
}

// name is of a budget: 128 bits that nobody outside can aim at.
type name [2]uint64

// shard has budgets in a row, which a hand goes round.
type shard struct {
	mu   sync.Mutex
	at   map[name]int32
	row  []budget
	hand int
}

type budget struct {
	name
	full int64 // when, Unix nanoseconds
}

// NewMemory has room for so many budgets.
func NewMemory(most int) *Memory {
	m := &Memory{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, most: max(1, most/shards)}
	for i := range m.shards {
		m.shards[i].at = map[name]int32{}
	}
	return m
}

var _ Store = (*Memory)(nil)

// Take implements Store.
func (m *Memory) Take(_ context.Context, asks []Ask, now time.Time) ([]Decision, error) {
	all := make([]Decision, 0, len(asks))
	for _, a := range asks {
		d := m.take(a, now.UnixNano())
		all = append(all, d)
		if !d.Allowed && !a.Shadow {
			break
		}
	}
	return all, nil
}

func (m *Memory) take(a Ask, now int64) Decision {
	key := name{maphash.String(m.seeds[0], a.Budget), maphash.String(m.seeds[1], a.Budget)}
	s := &m.shards[key[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, known := s.at[key]; known {
		d, full := a.Rate.decide(s.row[i].full, a.Hits, now)
		s.row[i].full = full
		return d
	}
	d, full := a.Rate.decide(0, a.Hits, now)
	if full > now { // else it is full still, and nothing is to be remembered
		m.evicted.Add(s.room(m.most, now))
		s.at[key] = int32(len(s.row))
		s.row = append(s.row, budget{key, full})
	}
	return d
}

// room makes room for one more, and returns how many budgets were forgotten that were not full.
func (s *shard) room(most int, now int64) (evicted uint64) {
	for range min(swept, len(s.row)) {
		if i := s.next(); s.row[i].full <= now {
			s.forget(i)
		}
	}
	if len(s.row) < most {
		return 0
	}
	nearest := s.next()
	for range looked - 1 {
		if i := s.next(); s.row[i].full < s.row[nearest].full {
			nearest = i
		}
	}
	if s.row[nearest].full > now {
		evicted = 1
	}
	s.forget(nearest)
	return evicted
}

// next is where the hand is, which goes on.
func (s *shard) next() int {
	s.hand = (s.hand + 1) % len(s.row)
	return s.hand
}

// forget puts the last one in its place.
func (s *shard) forget(i int) {
	delete(s.at, s.row[i].name)
	last := len(s.row) - 1
	if i != last {
		s.row[i] = s.row[last]
		s.at[s.row[i].name] = int32(i)
	}
	s.row = s.row[:last]
}

// Len is how many budgets are remembered.
func (m *Memory) Len() (n int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.row)
		s.mu.Unlock()
	}
	return n
}

// Evicted is how many were forgotten that were not full: each had its whole budget again.
func (m *Memory) Evicted() uint64 { return m.evicted.Load() }
