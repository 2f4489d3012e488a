package metrics

import (
	"sync"

	"weft.dev/model"
)

// LimitRequests is the family of Limits.
var LimitRequests = &Family{"weft_limit_requests_total", Counter,
	"Requests that met a limit: allowed, limited (answered with 429) or shadow (let in by one on trial, which would have refused them).",
	[]string{"namespace", "ratelimit", "limit", "target", "outcome"}}

// maxLimits is how many are told apart; those of objects that are gone stay until the process ends.
const maxLimits = 10_000

// Limits collects what became of requests at limits, whoever counted. Safe for concurrent use.
type Limits struct {
	mu     sync.Mutex
	counts map[model.LimitID]model.LimitCounts
}

// NewLimits returns an empty collection.
func NewLimits() *Limits { return &Limits{counts: map[model.LimitID]model.LimitCounts{}} }

// Record adds what was counted.
func (l *Limits) Record(id model.LimitID, n model.LimitCounts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, known := l.counts[id]
	if !known && len(l.counts) >= maxLimits {
		return
	}
	l.counts[id] = before.Add(n)
}

// Figures are the running totals.
func (l *Limits) Figures(emit Emit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.counts {
		object, limit, target, ok := id.Parts()
		if !ok {
			continue
		}
		labels := []string{object.Namespace, object.Name, limit, target}
		for _, o := range []struct {
			outcome string
			n       uint64
		}{{"allowed", n.Allowed}, {"limited", n.Limited}, {"shadow", n.Shadow}} {
			if o.n > 0 {
				emit(Figure{Family: LimitRequests, Labels: append(labels, o.outcome), Value: float64(o.n)})
			}
		}
	}
}
