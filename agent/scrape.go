package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"weft.dev/agent/envoy"
	"weft.dev/model"
)

const (
	scrapeTime  = 10 * time.Second // that a Prometheus may take to ask, and to read the answer
	scrapeBytes = 4 << 10          // of the headers of a question
)

// listenForScrapes takes the port at which a Prometheus asks, so that the registration says it.
func (a *agent) listenForScrapes(held *claims) (err error) {
	if a.Metrics == "" {
		return nil
	}
	if a.scraped, err = net.Listen("tcp", a.Metrics); err != nil {
		return fmt.Errorf("metrics %s: %w; choose another port, or 0 for a free one", a.Metrics, err)
	}
	*held = append(*held, a.scraped)
	a.Registration.MetricsPort = uint32(a.scraped.Addr().(*net.TCPAddr).Port)
	return nil
}

// answerScrapes answers until ctx ends.
func (a *agent) answerScrapes(ctx context.Context) {
	mux := http.NewServeMux()
	mux.Handle("GET "+model.MetricsPath, &scrapes{admin: a.admin, upstreams: func() []string { return a.relay.Names(model.TypeCluster.TypeURL()) }, full: a.full.ends})
	server := http.Server{Handler: mux, ReadTimeout: scrapeTime, WriteTimeout: scrapeTime, IdleTimeout: time.Minute, MaxHeaderBytes: scrapeBytes}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(a.scraped); ctx.Err() == nil {
		a.Log.Error("no Prometheus gets an answer any more", "why", err)
	}
}

// scrapes tell what Envoy counted. However many ask, Envoy is asked once a second.
type scrapes struct {
	admin     *envoy.Admin
	upstreams func() []string
	full      func() time.Time

	mu   sync.Mutex
	at   time.Time
	last envoy.Counters
}

func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	counters, err := s.counters(r.Context())
	if err != nil {
		http.Error(w, "Envoy does not say what it counted: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = counters.Write(w) // who has gone does not need it
}

func (s *scrapes) counters(ctx context.Context) (envoy.Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.at) >= scrape {
		counters, err := s.admin.Counters(ctx, s.upstreams(), !s.full().IsZero())
		if err != nil {
			return nil, err
		}
		s.at, s.last = now, counters
	}
	return s.last, nil
}
