package ask

import (
	"context"
	"sync"
	"time"

	"weft.dev/release/opinion"
)

const (
	// crowd is how many are asked at a time, for all releases.
	crowd = 32
	// forgetAfter nobody wanted to hear from somebody.
	forgetAfter = 10 * time.Minute
)

// Listener asks beside those who want to know, who never wait: they hear what was
// answered last.
type Listener struct {
	ask   func(context.Context, opinion.Ask) opinion.Said
	now   func() time.Time
	turns chan struct{}

	mu    sync.Mutex
	heard map[voice]*hearing
}

// voice is one of those who are asked for somebody.
type voice struct{ who, key string }

type hearing struct {
	said   opinion.Said
	known  bool
	asking bool
	asked  time.Time // last
	wanted time.Time // last
}

// Listen makes one.
func (a *Asker) Listen() *Listener {
	return &Listener{ask: a.Ask, now: a.Now, turns: make(chan struct{}, crowd), heard: map[voice]*hearing{}}
}

// Hear is what was answered last to these questions of somebody, by their keys, and asks again
// those whose time has come. Who is another one, as at another step, begins with nothing.
func (l *Listener) Hear(ctx context.Context, who string, asks []opinion.Ask) map[string]opinion.Said {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, all := l.now(), map[string]opinion.Said{}
	l.forget(now)
	for _, q := range asks {
		at := voice{who, q.Key}
		h := l.heard[at]
		if h == nil {
			h = &hearing{asked: now}
			l.heard[at] = h
		}
		h.wanted = now
		if h.known {
			all[q.Key] = h.said
		}
		if !h.asking && now.Sub(h.asked) >= q.Every {
			l.begin(ctx, h, q)
		}
	}
	return all
}

// begin asks, where there is a turn; else the next time.
func (l *Listener) begin(ctx context.Context, h *hearing, q opinion.Ask) {
	select {
	case l.turns <- struct{}{}:
	default:
		return
	}
	h.asking, h.asked = true, l.now()
	go func() {
		said := l.ask(context.WithoutCancel(ctx), q)
		<-l.turns
		l.mu.Lock()
		defer l.mu.Unlock()
		h.said, h.known, h.asking = said, true, false
	}()
}

// forget drops what nobody wants to hear any more.
func (l *Listener) forget(now time.Time) {
	for at, h := range l.heard {
		if !h.asking && now.Sub(h.wanted) > forgetAfter {
			delete(l.heard, at)
		}
	}
}
