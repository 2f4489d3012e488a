// Package probe answers the kubelet in a pod: whether the proxy serves, and, for
// the application, the probes that redirection and mTLS would keep from it.
//
// Input: the probes as injection wrote them down, and a function that says
// whether the proxy serves. A probe is asked of the application as the kubelet
// would have asked, at the pod's address, and its answer handed on.
//
// Nothing but those probes can be asked: the ports are open to all.
package probe

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weft.dev/model"
)

const (
	headerTimeout = 5 * time.Second
	stopGrace     = time.Second
)

// Options are what New needs to know.
type Options struct {
	Address string       // IP of the pod
	Probes  model.Probes // may be empty
	Ready   func() bool  // whether the proxy serves
	Log     *slog.Logger
}

// Server answers at the ports model.AgentProbes and model.AgentReady.
type Server struct {
	Options
	application *application
}

// New makes a server, which answers once it runs.
func New(o Options) *Server {
	return &Server{o, newApplication(o.Address)}
}

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	for port, handler := range map[int]http.HandlerFunc{model.AgentProbes: s.probe, model.AgentReady: s.ready} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+strconv.Itoa(port))
		if err != nil {
			return fmt.Errorf("port %d of the pod: %w; the application must leave it to its proxy", port, err)
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: 1 << 14}
		defer shutdown(server)
		go func() { failed <- server.Serve(listener) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func shutdown(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != model.ReadyPath:
		http.NotFound(w, r)
	case s.Ready():
		fmt.Fprintln(w, "the proxy serves")
	default:
		http.Error(w, "the proxy has no configuration yet", http.StatusServiceUnavailable)
	}
}

func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, model.ProbePath)
	p, known := s.Probes[key]
	if !ok || !known {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(max(p.Seconds, 1))*time.Second)
	defer cancel()
	code, body, err := s.application.ask(ctx, p, r.UserAgent())
	if err != nil {
		s.Log.Info("a probe failed", "probe", key, "why", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
