package xds

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// admission bounds how many proxies get their first configuration at once: when
// thousands come back, most wait on their open stream, with what they have.
type admission struct {
	queue *queue
	seats int
	after func() // called when a crowd has been served

	mu      sync.Mutex
	free    int
	waiting []*stream // the longest first
	crowd   int       // admitted since after was called
}

func newAdmission(q *queue, after func()) *admission {
	seats := firstSyncs * runtime.GOMAXPROCS(0)
	return &admission{queue: q, seats: seats, free: seats, after: after}
}

// seat is a stream's place in the admission.
type seat uint8

const (
	outside seat = iota // it has nothing to get yet
	waits
	inside // it gets its first configuration
	done   // it had its turn
)

// enter lets a stream in, or has it wait.
func (a *admission) enter(st *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free > 0 {
		a.admit(st)
		return
	}
	st.seat = waits
	a.waiting = append(a.waiting, st)
}

func (a *admission) admit(st *stream) {
	a.free--
	a.crowd++
	st.seat = inside
	st.turn = time.AfterFunc(firstSyncTime, func() { a.leave(st) })
}

// seatOf says where a stream is.
func (a *admission) seatOf(st *stream) seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	return st.seat
}

// leave ends the turn of a stream, or its waiting. Who waits next is drawn from
// those who wait longest, so that one application's proxies do not come in a row.
func (a *admission) leave(st *stream) {
	a.mu.Lock()
	was := st.seat
	st.seat = done
	var next *stream
	switch was {
	case waits:
		if i := slices.Index(a.waiting, st); i >= 0 {
			a.waiting = slices.Delete(a.waiting, i, i+1)
		}
	case inside:
		st.turn.Stop()
		a.free++
		if n := len(a.waiting); n > 0 {
			i := rand.IntN(min(n, spread))
			next = a.waiting[i]
			a.waiting = slices.Delete(a.waiting, i, i+1)
			a.admit(next)
		}
	}
	if crowd := a.crowd; a.served() {
		time.AfterFunc(crowdGone, func() { a.rest(crowd) })
	}
	a.mu.Unlock()
	if next != nil {
		a.queue.push(next)
	}
}

// served says whether more than a few have come, and nobody is coming any more.
func (a *admission) served() bool {
	return a.after != nil && a.free == a.seats && a.crowd >= a.seats
}

// rest ends a crowd, unless more have come since it had so many.
func (a *admission) rest(crowd int) {
	a.mu.Lock()
	quiet := a.served() && a.crowd == crowd
	if quiet {
		a.crowd = 0
	}
	a.mu.Unlock()
	if quiet {
		a.after()
	}
}
