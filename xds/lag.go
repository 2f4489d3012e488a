package xds

import "sync"

// lag is which connected streams may lack something of a revision. What is in
// step costs nothing to ask for.
type lag struct {
	mu     sync.Mutex
	behind map[*stream]struct{}
}

// wake notes that a revision concerns streams.
func (l *lag) wake(rev uint64, all []*stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, st := range all {
		st.wanted = max(st.wanted, rev)
		if st.missing == 0 {
			st.missing = rev
			l.behind[st] = struct{}{}
		}
	}
}

// join adds a stream that lacks everything.
func (l *lag) join(st *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st.missing = 1
	l.behind[st] = struct{}{}
}

func (l *lag) leave(st *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.behind, st)
}

// saw notes that the client of a stream holds all of a revision.
func (l *lag) saw(st *stream, rev uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rev < st.wanted {
		st.missing = rev + 1
		return
	}
	st.missing = 0
	delete(l.behind, st)
}

// since is the oldest revision that a stream may lack something of; 0: none.
func (l *lag) since(st *stream) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return st.missing
}

// of lists the streams that may lack something of a revision.
func (l *lag) of(rev uint64) []*stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*stream
	for st := range l.behind {
		if st.missing <= rev {
			all = append(all, st)
		}
	}
	return all
}
