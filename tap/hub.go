package tap

import (
	"errors"
	"slices"
	"sync"
	"time"

	"weft.dev/model"
)

const (
	// Pace is how often agents are asked again.
	Pace = 5 * time.Second
	// lease is how long a proxy goes on when nobody asks again.
	lease = 3 * Pace

	mostListeners = 50
	mostProxies   = 20 // of one listener
	waiting       = 16 // of what a listener has not read
	keptTime      = 5 * time.Minute
	kept          = 5000 // requests, of all proxies
)

// ErrBusy is the error of one more who looks than can.
var ErrBusy = errors.New("too many people look at requests as they pass: try again when somebody has ended")

// Batch is what is heard of some workloads at a time.
type Batch struct {
	Records []Record `json:"records,omitempty"`
	Left    int      `json:"left,omitempty"` // requests that were left out since the last batch
}

// Listener is somebody who looks.
type Listener struct {
	Batches <-chan Batch

	hub     *Hub
	batches chan Batch
	who     func() []string
	asked   map[string]bool // the agents that were
	known   int
	left    int
}

// Hub is who looks at what.
type Hub struct {
	ask func(workload string, d time.Duration) bool // false: its agent is not connected here

	mu        sync.Mutex
	listeners map[*Listener]bool
	newest    []Record // a ring
	next      int
}

// NewHub asks agents by a function that must not block.
func NewHub(ask func(workload string, d time.Duration) bool) *Hub {
	return &Hub{ask: ask, listeners: map[*Listener]bool{}}
}

// Listen looks at workloads, those that there are from time to time, until Leave.
func (h *Hub) Listen(who func() []string) (*Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= mostListeners {
		return nil, ErrBusy
	}
	l := &Listener{hub: h, batches: make(chan Batch, waiting), who: who}
	l.Batches = l.batches
	h.listeners[l] = true
	h.renew(l)
	return l, nil
}

// Leave ends a Listen. Proxies that nobody else looks at fall silent.
func (l *Listener) Leave() {
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, l)
	for workload := range l.asked {
		if !h.wanted(workload) {
			h.ask(workload, 0)
		}
	}
}

func (h *Hub) wanted(workload string) bool {
	for l := range h.listeners {
		if l.asked[workload] {
			return true
		}
	}
	return false
}

// renew is called with mu held.
func (h *Hub) renew(l *Listener) {
	all := l.who()
	l.asked, l.known = map[string]bool{}, len(all)
	for _, workload := range all {
		if len(l.asked) < mostProxies && h.ask(workload, lease) {
			l.asked[workload] = true
		}
	}
}

// Proxies are how many tell, and how many there are.
func (l *Listener) Proxies() (telling, known int) {
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	return len(l.asked), l.known
}

// Again asks all agents again, which is due each Pace.
func (h *Hub) Again() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		h.renew(l)
	}
}

// Heard takes what an agent handed on. complete adds to a record what proxies do not know.
func (h *Hub) Heard(workload string, t model.Tapped, complete func(*Record)) {
	b := Batch{Left: t.Left}
	for _, batch := range t.Batches {
		b.Records = append(b.Records, records(workload, batch)...)
	}
	for i := range b.Records {
		complete(&b.Records[i])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep(b.Records)
	for l := range h.listeners {
		if l.asked[workload] {
			l.hear(b)
		}
	}
}

// hear counts what is not read in time.
func (l *Listener) hear(b Batch) {
	b.Left += l.left
	select {
	case l.batches <- b:
		l.left = 0
	default:
		l.left = b.Left + len(b.Records)
	}
}

func (h *Hub) keep(all []Record) {
	for _, r := range all {
		if r.ID == "" {
			continue
		}
		if len(h.newest) < kept {
			h.newest = append(h.newest, r)
			continue
		}
		h.newest[h.next] = r
		h.next = (h.next + 1) % kept
	}
}

// Request is what is kept of a request at a time, by when each proxy began with it.
func (h *Hub) Request(id string, now time.Time) []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(func(yield func(Record) bool) {
		for _, r := range h.newest {
			if r.ID == id && now.Sub(r.Time) < keptTime && !yield(r) {
				return
			}
		}
	}, func(a, b Record) int { return a.Time.Compare(b.Time) })
}
