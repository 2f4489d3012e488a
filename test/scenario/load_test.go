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
	s.loading = append(s.loading, l)
	w := s.workload(words[0])
	for _, url := range words[1:] {
		l.running.Go(func() {
			for s.once(l, w, url) {
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
func (s *script) once(l *load, w *workload, url string) bool {
	answers, err := s.twenty(w, url)
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

func (s *script) twenty(w *workload, url string) ([]answer, error) {
	if w.gateway {
		return s.enter(w, http.MethodGet, url, map[string]string{}, 20)
	}
	return w.ask(map[string]any{"method": http.MethodGet, "url": url, "count": 20, "together": true})
}

// loaded [AT-LEAST]: the calls of every load end, of each of which there were so many; none has failed.
func (s *script) loaded(args []string) {
	least := 1
	if len(args) > 0 {
		var err error
		least, err = strconv.Atoi(args[0])
		s.ts.Check(err)
	}
	for _, l := range s.loading {
		l.stop()
		l.running.Wait()
		if l.made < least || len(l.failed) > 0 {
			s.ts.Fatalf("%d of %d calls failed, want none of at least %d: %.1000q", len(l.failed), l.made, least, l.failed)
		}
		s.ts.Logf("%d calls, none failed", l.made)
	}
	s.loading = nil
}
