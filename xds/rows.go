package xds

import (
	"sync"

	"weft.dev/flow"
	"weft.dev/model"
)

// rows are what is to be written to the graph. A row says who is connected and
// what is refused, not what everybody holds: that would be a second commit of
// the size of the mesh after each change. Many changes of many proxies are one
// commit.
type rows struct {
	graph   *flow.Graph
	proxies *flow.Source[model.Proxy]
	asks    *flow.Source[model.Ask]
	looked  func([]model.Ask) // called when all has been looked at that follows from new asks
	*pending
}

type pending struct {
	mu      sync.Mutex
	proxies map[string]*model.Proxy // nil: to be deleted
	asks    map[model.Ask]bool      // false: to be deleted
	writing bool                    // a stage is submitted
}

func newRows(o Options) rows {
	return rows{graph: o.Graph, proxies: o.Proxies, asks: o.Asks, pending: &pending{}}
}

func (r rows) write(p *peer) {
	row := p.row
	r.change(func() { put(&r.pending.proxies, p.id, &row) })
}

func (r rows) remove(p *peer) {
	r.change(func() { put(&r.pending.proxies, p.id, nil) })
}

func (r rows) ask(p *peer, name string, yes bool) {
	if r.asks != nil {
		r.change(func() { put(&r.pending.asks, model.Ask{Proxy: p.id, Type: demandType, Name: name}, yes) })
	}
}

func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

func (r rows) change(note func()) {
	if r.graph == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	note()
	if !r.writing {
		r.writing = true
		go r.commit() // it may wait for a commit that waits for us
	}
}

func (r rows) commit() {
	var asked []model.Ask
	r.graph.Commit(func(tx *flow.Tx) { asked = r.stage(tx) })
	if len(asked) > 0 {
		r.looked(asked)
	}
}

func (r rows) stage(tx *flow.Tx) (asked []model.Ask) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, row := range r.pending.proxies {
		switch {
		case r.proxies == nil:
		case row == nil:
			r.proxies.Delete(tx, id)
		default:
			r.proxies.Set(tx, *row)
		}
	}
	for ask, yes := range r.pending.asks {
		if yes {
			asked = append(asked, ask)
			r.asks.Set(tx, ask)
		} else {
			r.asks.Delete(tx, ask.Key())
		}
	}
	r.pending.proxies, r.pending.asks, r.writing = nil, nil, false
	return asked
}
