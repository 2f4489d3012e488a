package scenario

import (
	"net/http"
	"strconv"
	"sync"
)

// load is calls that go on while other things happen.
type load struct {
	stop    func()
	running sync.WaitGroup
	also    string // a status that is no failure, beside 200

	mu     sync.Mutex
	made   int
	failed []string
}

// load FROM URL... [or=STATUS]: calls go on from here, twenty at a time to each URL, until `loaded`.
func (s *script) load(args []string) {
	want, words := settings(args)
	halt := make(chan struct{})
	l := &load{stop: sync.OnceFunc(func() { close(halt) }), also: take(want, "or", "")}
	s.loading = l
	w := s.workload(words[0])
	for _, url := range words[1:] {
		l.running.Go(func() {
			for l.once(w, url) {
				select {
				case <-halt:
					return
				default:
				}
			}
		})
	}
}

// once makes twenty calls. It returns false where none can be made any more.
func (l *load) once(w *workload, url string) bool {
	answers, err := w.ask(map[string]any{"method": http.MethodGet, "url": url, "count": 20, "together": true})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = append(l.failed, err.Error())
	}
	for _, a := range answers {
		if l.made++; a.Status != http.StatusOK && strconv.Itoa(a.Status) != l.also {
			l.failed = append(l.failed, a.String())
		}
	}
	return err == nil
}

// loaded [AT-LEAST]: the calls end, of which there were so many; none has failed.
func (s *script) loaded(args []string) {
	l, least := s.loading, 1
	l.stop()
	l.running.Wait()
	if len(args) > 0 {
		var err error
		least, err = strconv.Atoi(args[0])
		s.ts.Check(err)
	}
	if l.made < least || len(l.failed) > 0 {
		s.ts.Fatalf("%d of %d calls failed, want none of at least %d: %.1000q", len(l.failed), l.made, least, l.failed)
	}
	s.ts.Logf("%d calls, none failed", l.made)
}
