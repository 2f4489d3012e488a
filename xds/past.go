package xds

import (
	"sync"
	"sync/atomic"

	"weft.dev/model"
)

// past is what a proxy refused, on any of its streams.
type past struct {
	good *goods

	any   atomic.Bool // there are tries: most proxies never refuse anything
	mu    sync.Mutex
	tries map[tryKey]try
	order []tryKey // oldest first
}

type tryKey struct {
	t       model.Type
	name    string
	version uint64
}

// try is a refused version: maybe for the fault of another resource in the
// same response.
type try struct {
	times  int
	reason string // the last one
}

// failed counts one more refusal of a version.
func (p *past) failed(k tryKey, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.tries[k]
	p.any.Store(true)
	if !known {
		if p.tries == nil {
			p.tries = map[tryKey]try{}
		}
		if p.order = append(p.order, k); len(p.order) > maxTries {
			delete(p.tries, p.order[0])
			p.order = append(p.order[:0], p.order[1:]...)
		}
	}
	p.tries[k] = try{before.times + 1, reason}
}

// failures of a version: none, if it was never refused.
func (p *past) failures(k tryKey) try {
	if !p.any.Load() {
		return try{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries[k]
}

// forgive forgets the refusals of a version: it was accepted.
func (p *past) forgive(k tryKey) {
	if !p.any.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.tries[k]; !known {
		return
	}
	delete(p.tries, k)
	for i := range p.order {
		if p.order[i] == k {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	p.any.Store(len(p.order) > 0)
}

// goods are the last versions that a proxy accepted of what it, or another one
// of its scope, refused since: for a proxy that comes with nothing.
type goods struct {
	mu    sync.Mutex
	of    map[goodKey]*model.Resource
	order []goodKey // oldest first
}

type goodKey struct {
	scope string
	t     model.Type
	name  string
}

// keep remembers r as the one to fall back to.
func (g *goods) keep(scope string, r *model.Resource) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := goodKey{scope, r.Type, r.Name}
	if _, known := g.of[k]; !known {
		if g.of == nil {
			g.of = map[goodKey]*model.Resource{}
		}
		if g.order = append(g.order, k); len(g.order) > maxGood {
			delete(g.of, g.order[0])
			g.order = append(g.order[:0], g.order[1:]...)
		}
	}
	g.of[k] = r
}

// find returns what to fall back to, or nil.
func (g *goods) find(scope string, t model.Type, name string) *model.Resource {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.of[goodKey{scope, t, name}]
}
