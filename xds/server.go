package xds

import (
	"context"
	"slices"
	"sync"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"weft.dev/flow"
	"weft.dev/model"
)

// Options of a server.
type Options struct {
	// Views are what proxies receive.
	Views Views
	// Authenticate returns the id of the proxy that opened the stream of ctx and
	// gives this node id, or an error that ends the stream. It runs before the
	// stream costs anything else. Nil: the node id is the proxy's, whoever says so.
	Authenticate func(ctx context.Context, node string) (proxy string, err error)
	// Graph and Proxies receive a row for each proxy. Nil: nobody wants to know.
	Graph   *flow.Graph
	Proxies *flow.Source[model.Proxy]
	Limits  Limits
}

// Server serves ADS, delta and state of the world.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	opts Options

	mu      sync.Mutex
	proxies map[string]*peer                // by id, connected or not
	scopes  map[string]map[*stream]struct{} // connected streams
	stale   map[string]struct{}             // proxies whose row is to be written
	writing bool                            // a stage that does so is submitted
}

// peer is what the server knows of a proxy. It lives as long as the proxy has
// a stream or an assignment.
type peer struct {
	id      string
	streams []*stream // the newest last
	sent    [model.NumTypes]int
	row     model.Proxy // as it is, or is to be, in Options.Proxies
}

// NewServer is wired before the first commit of the graph.
func NewServer(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	s := &Server{
		opts:    o,
		proxies: map[string]*peer{},
		scopes:  map[string]map[*stream]struct{}{},
		stale:   map[string]struct{}{},
	}
	o.Views.OnChange(s.changed)
	return s
}

// Register adds ADS to a gRPC server, which should have ServerOptions.
func (s *Server) Register(to grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(to, s)
}

// DeltaAggregatedResources implements the service.
func (s *Server) DeltaAggregatedResources(st discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.serve(st.Context(), delta{st})
}

// StreamAggregatedResources implements the service.
func (s *Server) StreamAggregatedResources(st discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return s.serve(st.Context(), full{st})
}

// Applied says how many of the connected proxies hold everything of a
// revision, and which do not. A proxy whose view did not change up to the
// revision since it was in step holds it. While the commit of the revision is
// still being told, nobody does.
func (s *Server) Applied(rev uint64) (applied, total int, laggards []string) {
	told := s.opts.Graph == nil || uint64(s.opts.Graph.Published()) >= rev
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, p := range s.proxies {
		if len(p.streams) == 0 {
			continue
		}
		total++
		if missing := p.newest().missing; told && (missing == 0 || missing > rev) {
			applied++
		} else {
			laggards = append(laggards, id)
		}
	}
	slices.Sort(laggards)
	return applied, total, laggards
}

// Sent counts the resources that were sent to a proxy since the server knows it.
func (s *Server) Sent(proxy string) map[model.Type]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[proxy]
	if p == nil {
		return nil
	}
	sent := map[model.Type]int{}
	for t, n := range p.sent {
		if n > 0 {
			sent[model.Type(t)] = n
		}
	}
	return sent
}

// changed wakes the streams that a commit concerns, and no others.
func (s *Server) changed(rev uint64, scopes, proxies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, scope := range scopes {
		for st := range s.scopes[scope] {
			st.wake(rev)
		}
	}
	var gone []string
	for _, id := range proxies {
		p := s.proxies[id]
		if p == nil {
			continue
		}
		for _, st := range p.streams {
			st.wake(rev)
		}
		if len(p.streams) == 0 {
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		s.release(id)
	}
}

// join makes st the newest stream of its proxy. One too many ends the oldest:
// that is the one which the proxy lost without our knowing.
func (s *Server) join(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[st.id]
	if p == nil {
		p = &peer{id: st.id, row: model.Proxy{ID: st.id}}
		s.proxies[st.id] = p
	}
	st.peer = p
	p.streams = append(p.streams, st)
	if n := len(p.streams) - s.opts.Limits.StreamsPerID; n > 0 {
		close(p.streams[0].replaced)
		p.streams = p.streams[1:]
	}
	if !p.row.Connected {
		p.row.Connected = true
		s.write(st.id)
	}
}

// leave is the end of a stream.
func (s *Server) leave(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.rescope(s, "")
	p := st.peer
	i := slices.Index(p.streams, st)
	if i < 0 {
		return // replaced: the proxy has others, or had, and they left
	}
	if p.streams = slices.Delete(p.streams, i, i+1); len(p.streams) > 0 {
		return
	}
	p.row.Connected = false
	s.release(st.id)
}

// release forgets a proxy without streams that has no workload either.
func (s *Server) release(id string) {
	if scope, _, _ := s.opts.Views.View(id); scope == "" {
		delete(s.proxies, id)
	}
	s.write(id)
}

func (p *peer) newest() *stream { return p.streams[len(p.streams)-1] }

// report notes what a stream knows of its proxy now.
func (s *Server) report(st *stream, status Status, version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.saw(status)
	p := st.peer
	if len(p.streams) == 0 || p.newest() != st {
		return
	}
	row := model.Proxy{
		ID: st.id, Scope: st.scope, Connected: true,
		Revision: status.Revision, Refusals: status.Refusals, Version: version,
	}
	if !row.Equal(p.row) {
		p.row = row
		s.write(st.id)
	}
}

// write has the row of a proxy written by the next commit: many proxies and
// many changes of one are one stage. Called with mu held.
func (s *Server) write(id string) {
	if s.opts.Proxies == nil {
		return
	}
	s.stale[id] = struct{}{}
	if !s.writing {
		s.writing = true
		go s.opts.Graph.Submit(s.writeRows) // Submit may wait for a commit that waits for mu
	}
}

func (s *Server) writeRows(tx *flow.Tx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
	for id := range s.stale {
		if p := s.proxies[id]; p != nil {
			s.opts.Proxies.Set(tx, p.row)
		} else {
			s.opts.Proxies.Delete(tx, id)
		}
	}
	clear(s.stale)
}
