package xds

import (
	"runtime"
	"sync"
)

// queue has streams looked at that were woken, by as many goroutines as there
// are processors, and by none when there is nothing to do. What a client holds
// that is in step changes before others get their first configuration.
type queue struct {
	mu      sync.Mutex
	urgent  []*stream
	others  []*stream
	running int
}

// push has streams looked at, each once.
func (q *queue) push(all ...*stream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, st := range all {
		if st.queued {
			continue
		}
		st.queued = true
		if st.urgent {
			q.urgent = append(q.urgent, st)
		} else {
			q.others = append(q.others, st)
		}
	}
	for q.running < min(runtime.GOMAXPROCS(0), len(q.urgent)+len(q.others)) {
		q.running++
		go q.work()
	}
}

// promote has a stream come first from now on.
func (q *queue) promote(st *stream) {
	q.mu.Lock()
	defer q.mu.Unlock()
	st.urgent = true
}

func (q *queue) work() {
	for st := q.pop(); st != nil; st = q.pop() {
		st.look()
	}
}

// pop returns the next stream; nil ends the worker.
func (q *queue) pop() *stream {
	q.mu.Lock()
	defer q.mu.Unlock()
	from := &q.urgent
	if len(*from) == 0 {
		from = &q.others
	}
	if len(*from) == 0 {
		q.urgent, q.others = nil, nil
		q.running--
		return nil
	}
	st := (*from)[0]
	(*from)[0] = nil
	*from = (*from)[1:]
	st.queued = false
	return st
}
