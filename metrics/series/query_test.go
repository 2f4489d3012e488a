package series

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"weft.dev/test/process"
)

// As many queries run at once as may. One more waits; given up, it says why; else it is answered when another
// has ended. Nobody who stores anything waits for them.
func TestQueriesAtOnce(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := New(Options{Dir: t.TempDir() + "/m", Interval: time.Hour, Retention: 24 * time.Hour, Size: 1 << 30, Series: 100, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { _ = s.Run(ctx) })
	if err := process.Until(time.Minute, func() error { return s.Sample(ctx) }); err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	for range maxQueries {
		running.Go(func() {
			_ = s.ask(ctx, func(context.Context) error { begun <- struct{}{}; <-end; return nil })
		})
	}
	for range maxQueries {
		<-begun
	}
	if len(s.running) != cap(s.running) {
		t.Errorf("%d run, and %d may", len(s.running), cap(s.running))
	}
	impatient, leave := context.WithCancel(ctx)
	leave()
	if code, body := query(impatient, s); code != http.StatusServiceUnavailable || !strings.Contains(body, "4 queries run already") {
		t.Errorf("one more than may: %d %s", code, body)
	}
	answered := make(chan int, maxQueries)
	for range maxQueries {
		running.Go(func() { code, _ := query(ctx, s); answered <- code })
	}
	if err := s.Sample(ctx); err != nil {
		t.Error(err)
	}
	if len(answered) > 0 {
		t.Error("more are answered than may run")
	}
	end <- struct{}{} // one ends, and the others go in its place, one after the other
	for range maxQueries {
		if code := <-answered; code != http.StatusOK {
			t.Errorf("one that waited: %d", code)
		}
	}
	close(end)
}

func query(ctx context.Context, s *Store) (code int, body string) {
	w := httptest.NewRecorder()
	path := Prefix + "/api/v1/query?" + url.Values{"query": {heldSeries.Name}}.Encode()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}
