package xds

import (
	"context"
	"fmt"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stream is one connected stream of a proxy. Its fields are guarded by the
// server's mu, but for the channels.
type stream struct {
	id       string
	peer     *peer
	scope    string
	wanted   uint64 // newest revision that concerns it
	missing  uint64 // oldest revision that it may lack something of; 0: none
	awake    chan struct{}
	replaced chan struct{}
}

// request is what the reading goroutine hands over.
type request struct {
	Request
	node *corev3.Node
	err  error
}

// serve runs one stream: one goroutine reads, one writes, this one decides, so
// that a client that does not read is still heard, timed and let go.
func (s *Server) serve(ctx context.Context, w wire) error {
	requests := make(chan request)
	go func() {
		for {
			var r request
			r.Request, r.node, r.err = w.receive()
			select {
			case requests <- r:
			case <-ctx.Done(): // after serve returned, too
				return
			}
			if r.err != nil {
				return
			}
		}
	}()
	first, err := s.first(ctx, requests)
	if err != nil {
		return err
	}
	id, err := s.authenticate(ctx, first.node.GetId())
	if err != nil {
		return err
	}
	st := &stream{id: id, missing: 1, awake: make(chan struct{}, 1), replaced: make(chan struct{})}
	s.join(st)
	defer s.leave(st)
	l := loop{server: s, stream: st, wire: w, session: w.session(s.opts.Limits), version: envoyVersion(first.node)}
	return l.run(ctx, first, requests)
}

// first waits for the first request: it says who the client is.
func (s *Server) first(ctx context.Context, requests <-chan request) (request, error) {
	timer := time.NewTimer(s.opts.Limits.FirstRequest)
	defer timer.Stop()
	select {
	case r := <-requests:
		return r, r.err
	case <-timer.C:
		return request{}, status.Errorf(codes.DeadlineExceeded, "xds: no request within %v of opening the stream", s.opts.Limits.FirstRequest)
	case <-ctx.Done():
		return request{}, ctx.Err()
	}
}

func (s *Server) authenticate(ctx context.Context, node string) (string, error) {
	if n := len(node); n > s.opts.Limits.NameBytes {
		return "", status.Errorf(codes.InvalidArgument, "xds: node id of %d bytes, more than %d", n, s.opts.Limits.NameBytes)
	}
	if s.opts.Authenticate != nil {
		id, err := s.opts.Authenticate(ctx, node)
		if err != nil {
			return "", status.Errorf(codes.Unauthenticated, "xds: node %q: %v", node, err)
		}
		return id, nil
	}
	if node == "" {
		return "", status.Error(codes.InvalidArgument, "xds: the first request has no node id; set --service-node or node.id in Envoy's bootstrap")
	}
	return node, nil
}

// loop is the deciding goroutine's own.
type loop struct {
	server  *Server
	stream  *stream
	wire    wire
	session *Session
	version string // of Envoy

	out     chan *Response // to the writing goroutine
	written chan error
	sending bool
	stalled *time.Timer
}

func (l *loop) run(ctx context.Context, first request, requests <-chan request) error {
	l.out, l.written = make(chan *Response), make(chan error, 1)
	defer close(l.out)
	go l.write()
	l.stalled = time.NewTimer(time.Hour)
	l.stalled.Stop()
	defer l.stalled.Stop()

	l.look()
	if err := l.take(first); err != nil {
		return err
	}
	for {
		l.say()
		l.server.report(l.stream, l.session.Status(), l.version)
		select {
		case r := <-requests:
			if err := l.take(r); err != nil {
				return err
			}
		case <-l.stream.awake:
			l.look()
		case err := <-l.written:
			if err != nil {
				return err
			}
			l.sending = false
			l.stalled.Stop()
		case <-l.stalled.C:
			return status.Errorf(codes.ResourceExhausted, "xds: %s took in nothing for %v", l.stream.id, l.server.opts.Limits.WriteStall)
		case <-l.stream.replaced:
			return status.Errorf(codes.Aborted, "xds: %s opened newer streams", l.stream.id)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take gives the session a request.
func (l *loop) take(r request) error {
	if r.err != nil {
		return r.err
	}
	if err := l.session.Request(r.Request); err != nil {
		return status.Errorf(codes.InvalidArgument, "xds: %s: %v", l.stream.id, err)
	}
	return nil
}

// look gives the session the view of now.
func (l *loop) look() {
	scope, view, rev := l.server.opts.Views.View(l.stream.id)
	if !l.server.scope(l.stream, scope) {
		// Its changes were not ours to hear of until now: look again.
		_, view, rev = l.server.opts.Views.View(l.stream.id)
	}
	l.session.Update(view, rev)
}

// say hands the next response to the writing goroutine, if that is free.
func (l *loop) say() {
	if l.sending {
		return
	}
	if r := l.session.Next(); r != nil {
		l.server.count(l.stream, r)
		l.sending = true
		l.stalled.Reset(l.server.opts.Limits.WriteStall)
		l.out <- r
	}
}

func (l *loop) write() {
	for r := range l.out {
		l.written <- l.wire.send(r)
	}
}

func envoyVersion(n *corev3.Node) string {
	v := n.GetUserAgentBuildVersion().GetVersion()
	if v == nil {
		return n.GetUserAgentVersion()
	}
	return fmt.Sprintf("%d.%d.%d", v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch())
}

// scope files the stream under a scope; false: it was under another one.
func (s *Server) scope(st *stream, scope string) (same bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.scope == scope {
		return true
	}
	st.rescope(s, scope)
	return false
}

func (st *stream) rescope(s *Server, scope string) {
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

func (s *Server) count(st *stream, r *Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.peer.sent[r.Type] += r.fresh
}

// wake says that a revision concerns the stream. It never waits.
func (st *stream) wake(rev uint64) {
	st.wanted = max(st.wanted, rev)
	if st.missing == 0 {
		st.missing = rev
	}
	select {
	case st.awake <- struct{}{}:
	default:
	}
}

// saw notes what the stream's session says.
func (st *stream) saw(now Status) {
	switch {
	case !now.Synced:
	case now.Revision >= st.wanted:
		st.missing = 0
	default:
		st.missing = now.Revision + 1
	}
}
