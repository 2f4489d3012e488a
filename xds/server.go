package xds

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/flow"
	"weft.dev/model"
)

// Options of a server.
type Options struct {
	// Views are what proxies receive.
	Views Views
	// Authenticate returns the id of the proxy that opened the stream of ctx and
	// says this of itself, or an error that ends the stream. It runs before the
	// stream costs anything else. Nil: the node id is the proxy's, whoever says so.
	Authenticate func(ctx context.Context, n Node) (proxy string, err error)
	// Graph and Proxies receive a row for each proxy. Nil: nobody wants to know.
	Graph   *flow.Graph
	Proxies *flow.Source[model.Proxy]
	// Asks receive a row for each name that a proxy asks for and that its view
	// lacks. Nil: such names are denied at once. Needs Graph.
	Asks   *flow.Source[model.Ask]
	Limits Limits
	// CrowdServed is called after many proxies got their first configuration, once no more
	// come: what that took is not needed any more. Nil: nothing is done about it.
	CrowdServed func()
}

// Server serves ADS, delta and state of the world.
type Server struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	opts      Options
	queue     *queue
	admission *admission
	lag       *lag
	goods     goods

	mu        sync.Mutex
	told      uint64                          // newest revision heard of
	connected int                             // proxies
	proxies   map[string]*peer                // by id, connected or not
	scopes    map[string]map[*stream]struct{} // connected streams
	rows      rows
}

// peer is what the server knows of a proxy. It lives as long as the proxy has
// a stream or an assignment.
type peer struct {
	id      string
	past    past
	sent    [model.NumTypes]atomic.Int64
	streams []*stream           // the newest last
	asks    map[string]struct{} // names that the proxy asks for and that its view lacked
	row     model.Proxy         // as it is, or is to be, in Options.Proxies
}

// NewServer is wired before the first commit of the graph.
func NewServer(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	if o.Asks == nil {
		o.Limits.Asks = -1
	}
	s := &Server{
		opts:    o,
		queue:   &queue{},
		lag:     &lag{behind: map[*stream]struct{}{}},
		proxies: map[string]*peer{},
		scopes:  map[string]map[*stream]struct{}{},
		rows:    newRows(o),
	}
	s.rows.looked = s.looked
	s.admission = newAdmission(s.queue, o.CrowdServed)
	o.Views.OnChange(s.changed)
	return s
}

// Register adds ADS to a gRPC server, which must have ServerOptions.
func (s *Server) Register(to grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(to, s)
}

// DeltaAggregatedResources implements the service.
func (s *Server) DeltaAggregatedResources(st discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	return s.serve(st.Context(), wire{ServerStream: st})
}

// StreamAggregatedResources implements the service.
func (s *Server) StreamAggregatedResources(st discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return s.serve(st.Context(), wire{ServerStream: st, full: true})
}

func (s *Server) authenticate(ctx context.Context, node Node) (string, error) {
	if n := len(node.ID); n > s.opts.Limits.NameBytes {
		return "", status.Errorf(codes.InvalidArgument, "xds: node id of %d bytes, more than %d", n, s.opts.Limits.NameBytes)
	}
	if s.opts.Authenticate != nil {
		id, err := s.opts.Authenticate(ctx, node)
		if err != nil {
			return "", status.Errorf(codes.Unauthenticated, "xds: node %q: %v", node.ID, err)
		}
		return id, nil
	}
	if node.ID == "" {
		return "", status.Error(codes.InvalidArgument, "xds: the first request has no node id; set --service-node or node.id in Envoy's bootstrap")
	}
	return node.ID, nil
}

// Applied says how many of the connected proxies hold everything of a
// revision, and which do not. A proxy whose view did not change up to the
// revision since it was in step holds it. While the commit of the revision is
// still being told, nobody does.
func (s *Server) Applied(rev uint64) (applied, total int, laggards []string) {
	told := s.opts.Graph == nil || uint64(s.opts.Graph.Published()) >= rev
	s.mu.Lock()
	defer s.mu.Unlock()
	if !told {
		for id, p := range s.proxies {
			if len(p.streams) > 0 {
				laggards = append(laggards, id)
			}
		}
	}
	for _, st := range s.lag.of(rev) {
		if told && st.peer.newest() == st {
			laggards = append(laggards, st.id)
		}
	}
	slices.Sort(laggards)
	return s.connected - len(laggards), s.connected, laggards
}

// Revision up to which a proxy is known to hold everything: all of its view at
// that revision was acknowledged. 0: never yet, or it is not connected.
func (s *Server) Revision(proxy string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[proxy]
	if p == nil || len(p.streams) == 0 {
		return 0
	}
	if missing := s.lag.since(p.newest()); missing > 0 {
		return missing - 1
	}
	if s.opts.Graph != nil {
		return uint64(s.opts.Graph.Published())
	}
	return s.told
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
	for t := range p.sent {
		if n := p.sent[t].Load(); n > 0 {
			sent[model.Type(t)] = int(n)
		}
	}
	return sent
}

// changed wakes the streams that a commit concerns, and no others.
func (s *Server) changed(rev uint64, scopes, proxies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = max(s.told, rev)
	var woken []*stream
	for _, scope := range scopes {
		for st := range s.scopes[scope] {
			woken = append(woken, st)
		}
	}
	for _, id := range proxies {
		p := s.proxies[id]
		if p == nil {
			continue
		}
		woken = append(woken, p.streams...)
		if len(p.streams) == 0 {
			s.release(p)
		}
	}
	s.lag.wake(rev, woken)
	s.queue.push(woken...)
}

// join makes st the newest stream of its proxy. One too many ends the oldest:
// that is the one which the proxy lost without our knowing.
func (s *Server) join(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.proxies[st.id]
	if p == nil {
		p = &peer{id: st.id, row: model.Proxy{ID: st.id}}
		p.past.good = &s.goods
		s.proxies[st.id] = p
	}
	st.peer = p
	if p.streams = append(p.streams, st); len(p.streams) == 1 {
		s.connected++
	}
	if n := len(p.streams) - s.opts.Limits.StreamsPerID; n > 0 {
		p.streams[0].end(fmt.Errorf("xds: %s opened newer streams", st.id))
		p.streams = slices.Delete(p.streams, 0, 1)
	}
	s.lag.join(st)
	p.row.Connected, p.row.Version = true, st.version
	s.rows.write(p)
}

// leave is the end of a stream.
func (s *Server) leave(st *stream) {
	s.lag.leave(st)
	s.admission.leave(st)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file(st, "")
	p := st.peer
	i := slices.Index(p.streams, st)
	if i < 0 {
		return // replaced: the proxy has others, or had, and they left
	}
	if p.streams = slices.Delete(p.streams, i, i+1); len(p.streams) > 0 {
		return
	}
	s.connected--
	p.row.Connected = false
	for name := range p.asks {
		s.rows.ask(p, name, false)
	}
	p.asks = nil
	s.release(p)
}

// release forgets a proxy without streams that has no workload either.
func (s *Server) release(p *peer) {
	if scope, _, _ := s.opts.Views.View(p.id); scope == "" {
		delete(s.proxies, p.id)
		s.rows.remove(p)
		return
	}
	s.rows.write(p)
}

func (p *peer) newest() *stream {
	if len(p.streams) == 0 {
		return nil
	}
	return p.streams[len(p.streams)-1]
}

// rescope files a stream under another scope.
func (s *Server) rescope(st *stream, scope string) {
	s.mu.Lock()
	s.file(st, scope)
	s.mu.Unlock()
	s.write(st)
}

func (s *Server) file(st *stream, scope string) {
	if in := s.scopes[st.scope]; in != nil {
		delete(in, st)
		if len(in) == 0 {
			delete(s.scopes, st.scope)
		}
	}
	st.scope = scope
	if scope == "" {
		return
	}
	if s.scopes[scope] == nil {
		s.scopes[scope] = map[*stream]struct{}{}
	}
	s.scopes[scope][st] = struct{}{}
}

// write has the row of a stream's proxy written, if it changed.
func (s *Server) write(st *stream) {
	row := st.row()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := st.peer; p.newest() == st && !row.Equal(p.row) {
		p.row = row
		s.rows.write(p)
	}
}

// ask has others look for names that a proxy asks for, or not any more.
func (s *Server) ask(p *peer, added, dropped []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range added {
		if p.asks == nil {
			p.asks = map[string]struct{}{}
		}
		p.asks[name] = struct{}{}
		s.rows.ask(p, name, true)
	}
	for _, name := range dropped {
		delete(p.asks, name)
		s.rows.ask(p, name, false)
	}
}

// looked has asks answered for which everybody has looked.
func (s *Server) looked(asks []model.Ask) {
	names := map[*stream][]string{}
	s.mu.Lock()
	for _, a := range asks {
		if p := s.proxies[a.Proxy]; p != nil {
			for _, st := range p.streams {
				names[st] = append(names[st], a.Name)
			}
		}
	}
	s.mu.Unlock()
	for st, all := range names {
		st.lookFor(all)
	}
}
