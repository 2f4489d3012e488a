package main

import (
	"slices"
	"sync"

	"weft.dev/flow"
	"weft.dev/model"
)

// maxBlamed bounds what is remembered of refused resources.
const maxBlamed = 1000

// blame finds which EnvoyFilter to leave out where an Envoy refuses a resource that some have changed: the one that
// came last, then the one before. So a patch that only Envoy can judge keeps nothing else from its proxies.
type blame struct {
	street

	mu      sync.Mutex
	count   int
	came    map[string]int    // EnvoyFilter -> when it became what it is
	content map[string]uint64 // EnvoyFilter -> what it is
	spoilt  map[string]bool
	seen    map[string]bool // refused versions, by keyOf
}

func newBlame(s street) *blame {
	return &blame{street: s, came: map[string]int{}, content: map[string]uint64{}, spoilt: map[string]bool{}, seen: map[string]bool{}}
}

// follow is part of the wiring.
func (b *blame) follow(proxies *flow.Collection[model.Proxy]) {
	b.rows.EnvoyFilters.Observe(func(_ flow.Revision, changes []flow.Change[model.EnvoyFilter]) {
		for _, c := range changes {
			b.changed(c)
		}
	})
	proxies.Observe(func(_ flow.Revision, changes []flow.Change[model.Proxy]) {
		for _, c := range changes {
			if c.New == nil {
				continue
			}
			for _, r := range c.New.Refusals {
				b.refused(r)
			}
		}
	})
}

// changed gives a filter that says something else another try.
func (b *blame) changed(c flow.Change[model.EnvoyFilter]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.New != nil && b.content[c.Key] == c.New.Content() {
		return
	}
	if b.spoilt[c.Key] {
		b.graph.Submit(func(tx *flow.Tx) { b.spoiled.Delete(tx, c.Key) })
	}
	delete(b.spoilt, c.Key)
	delete(b.came, c.Key)
	delete(b.content, c.Key)
	if c.New != nil {
		b.count++
		b.came[c.Key], b.content[c.Key] = b.count, c.New.Content()
	}
}

// refused leaves a filter out, once for each version of a resource.
func (b *blame) refused(r model.Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[keyOf(r)] {
		return
	}
	if len(b.seen) >= maxBlamed {
		clear(b.seen)
	}
	b.seen[keyOf(r)] = true
	var suspects []string
	for _, k := range r.From {
		if key := k.String(); b.came[key] > 0 && !b.spoilt[key] {
			suspects = append(suspects, key)
		}
	}
	if len(suspects) == 0 {
		return
	}
	last := slices.MaxFunc(suspects, func(x, y string) int { return b.came[x] - b.came[y] })
	b.spoilt[last] = true
	row := model.Spoiled{Filter: last, Content: b.content[last], Reason: brief(r.Reason)}
	b.graph.Submit(func(tx *flow.Tx) { b.spoiled.Set(tx, row) })
}
