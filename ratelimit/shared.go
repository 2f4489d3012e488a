package ratelimit

import (
	"context"
	"hash/fnv"
	"sync/atomic"
	"time"
)

// Shared is a Store whose budgets are each at one of several servers. All that know the same servers agree, so
// that a budget moves only with the server that has it: what it was taken from is forgotten then.
type Shared struct {
	Own  Store
	Self string
	// Others are the servers beside this one that answer now.
	Others func() []string
	// Ask has another server take, as its own Store does.
	Ask func(ctx context.Context, who string, asks []Ask, now time.Time) ([]Decision, error)

	alone atomic.Uint64
}

var _ Store = (*Shared)(nil)

// Take implements Store. Where the server that has a budget does not answer, this one counts for itself: each
// then lets in what all should.
func (s *Shared) Take(ctx context.Context, asks []Ask, now time.Time) ([]Decision, error) {
	others := s.Others()
	var all []Decision
	for len(asks) > 0 {
		who := s.owner(others, asks[0].Budget)
		same := 1
		for same < len(asks) && s.owner(others, asks[same].Budget) == who {
			same++
		}
		some, err := s.takeAt(ctx, who, asks[:same], now)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if n := len(some); n < same || !some[n-1].Allowed && !asks[n-1].Shadow {
			break
		}
		asks = asks[same:]
	}
	return all, nil
}

func (s *Shared) takeAt(ctx context.Context, who string, asks []Ask, now time.Time) ([]Decision, error) {
	if who != s.Self {
		some, err := s.Ask(ctx, who, asks, now)
		if err == nil && len(some) > 0 && len(some) <= len(asks) {
			return some, nil
		}
		s.alone.Add(uint64(len(asks)))
	}
	return s.Own.Take(ctx, asks, now)
}

// Alone is how many budgets were counted here because the server that has them did not answer.
func (s *Shared) Alone() uint64 { return s.alone.Load() }

// owner of a budget: the server that draws the highest number for it.
func (s *Shared) owner(others []string, budget string) string {
	who, best := s.Self, draw(s.Self, budget)
	for _, o := range others {
		if n := draw(o, budget); n > best || n == best && o > who {
			who, best = o, n
		}
	}
	return who
}

// draw mixes as it does because the hash alone tells names that differ at the beginning badly apart.
func draw(who, budget string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(who))
	h.Write([]byte{0})
	h.Write([]byte(budget))
	n := h.Sum64()
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
