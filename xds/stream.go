package xds

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"weft.dev/model"
)

// stream is one connected stream of a proxy. What happens on it is done by
// whoever has the news: the goroutine that reads requests, or a worker of the
// queue that was told of a new view.
type stream struct {
	server *Server
	wire   wire
	end    context.CancelCauseFunc // the first reason counts

	id      string // these are set before the stream joins
	version string // of Envoy
	peer    *peer

	mu      sync.Mutex
	session *Session
	scope   string
	sending bool   // a goroutine waits for the client to take in a response
	left    bool   // nothing may happen any more
	synced  bool   // it was in step once
	blames  uint32 // of the session, that the proxy's row says
	asked   uint64 // serial of the newest name that others look for
	leaving uint64 // serial of the clusters whose removal is owed

	queued, urgent  bool        // of the queue
	seat            seat        // of the admission
	turn            *time.Timer // of the admission
	wanted, missing uint64      // of the lag: newest revision that concerns it; oldest that it may lack something of, 0: none
}

// endable is the context of a stream that others can end while its only
// goroutine waits for the client: gRPC waits for the client and this context,
// and tells the client its error.
type endable struct {
	context.Context
	end context.CancelCauseFunc
}

type endKey struct{}

// Err is why the stream was ended.
func (e endable) Err() error { return context.Cause(e.Context) }

func (e endable) Value(key any) any {
	if key == (endKey{}) {
		return e.end
	}
	return e.Context.Value(key)
}

func makeEndable(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, end := context.WithCancelCause(ctx)
	return endable{ctx, end}, nil
}

// serve runs one stream until one side ends it.
func (s *Server) serve(ctx context.Context, w wire) error {
	end, ok := ctx.Value(endKey{}).(context.CancelCauseFunc)
	if !ok {
		return status.Error(codes.Internal, "xds: the gRPC server was made without xds.ServerOptions")
	}
	st := &stream{server: s, wire: w, end: end}
	defer st.leave()
	return st.read(ctx)
}

func (st *stream) read(ctx context.Context) error {
	silence := st.server.opts.Limits.FirstRequest
	silent := time.AfterFunc(silence, func() {
		st.end(fmt.Errorf("xds: no request within %v of opening the stream", silence))
	})
	m, err := st.wire.receive()
	silent.Stop()
	if err == nil {
		err = st.open(ctx, m)
	}
	for err == nil {
		if m, err = st.wire.receive(); err == nil {
			err = st.take(m.Request)
		}
	}
	return err
}

// open takes in the first request: it says who the client is, and until that is
// believed the stream costs nothing else.
func (st *stream) open(ctx context.Context, m message) error {
	s := st.server
	node, err := st.wire.node(m.node)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "xds: node of the first request: %v", err)
	}
	if st.id, err = s.authenticate(ctx, node); err != nil {
		return err
	}
	st.version = node.Version
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.left {
		return ctx.Err()
	}
	s.join(st)
	st.session = newSession(s.opts.Limits, &st.peer.past)
	st.session.full = st.wire.full
	st.see()
	return st.hear(m.Request)
}

// take gives the session a request.
func (st *stream) take(r Request) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.hear(r)
}

func (st *stream) hear(r Request) error {
	if st.left {
		return nil
	}
	if err := st.session.Request(r); err != nil {
		return status.Errorf(codes.InvalidArgument, "xds: %s: %v", st.id, err)
	}
	st.step()
	return nil
}

// look gives the session the view of now.
func (st *stream) look() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.left {
		st.see()
		st.step()
	}
}

// lookFor has names answered that would be in the view of now if they were anywhere.
func (st *stream) lookFor(names []string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.left {
		st.see()
		st.session.NotFound(names)
		st.step()
	}
}

func (st *stream) see() {
	views := st.server.opts.Views
	scope, view, rev := views.View(st.id)
	if scope != st.scope {
		// Its changes were not ours to hear of until now: look again.
		st.server.rescope(st, scope)
		_, view, rev = views.View(st.id)
	}
	st.session.Update(view, rev)
}

// step does what the session has for us.
func (st *stream) step() {
	st.say()
	if added, dropped, serial := st.session.Asked(); len(added)+len(dropped) > 0 || serial > st.asked {
		st.seek(added, dropped, serial)
	}
	st.linger()
	if st.session.insync() {
		st.server.lag.saw(st, st.session.synced)
		if !st.synced {
			st.synced = true
			st.server.queue.promote(st)
			st.server.admission.leave(st)
		}
	}
	if st.session.blames != st.blames {
		st.blames = st.session.blames
		st.server.write(st)
	}
}

// seek has others look for names, and the client answered if they do not find them in time.
func (st *stream) seek(added, dropped []string, serial uint64) {
	st.server.ask(st.peer, added, dropped)
	if serial == st.asked {
		return
	}
	st.asked = serial
	st.later(st.server.opts.Limits.AskAnswer, func() { st.session.GiveUp(serial) })
}

// linger has clusters removed after a while.
func (st *stream) linger() {
	serial := st.session.Leaving()
	if serial == st.leaving {
		return
	}
	st.leaving = serial
	st.later(st.server.opts.Limits.Linger, func() { st.session.LetGo(serial) })
}

// later tells the session something after a while, unless the stream has ended by then.
func (st *stream) later(after time.Duration, tell func()) {
	time.AfterFunc(after, func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if !st.left {
			tell()
			st.step()
		}
	})
}

// say sends what is to be sent. gRPC takes in what is little without waiting;
// for more there is a goroutine, so that a client that does not read holds up
// neither a worker nor the reading of its own requests.
func (st *stream) say() {
	if st.session.view == nil || st.sending {
		return
	}
	if !st.synced && !st.admitted() {
		return
	}
	for {
		before := st.session.underway
		r := st.session.Next()
		if r == nil {
			return
		}
		st.peer.sent[r.Type].Add(int64(r.fresh))
		if before >= freeSend {
			st.sending = true
			go st.push(r)
			return
		}
		if err := st.wire.send(r); err != nil {
			st.end(err)
			return
		}
	}
}

func (st *stream) admitted() bool {
	a := st.server.admission
	at := a.seatOf(st)
	if at == outside {
		a.enter(st)
		at = a.seatOf(st)
	}
	return at != waits
}

// push sends a response to a client that has others to take in before it.
func (st *stream) push(r *Response) {
	limit := st.server.opts.Limits.WriteStall
	stalled := time.AfterFunc(limit, func() {
		st.end(fmt.Errorf("xds: %s took in nothing for %v", st.id, limit))
	})
	err := st.wire.send(r)
	stalled.Stop()
	if err != nil {
		st.end(err)
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.sending = false
	if !st.left {
		st.step()
	}
}

// leave is the end of the stream.
func (st *stream) leave() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.left = true
	if st.peer != nil {
		st.server.leave(st)
	}
}

// row is what the proxy's row says while this is its newest stream.
func (st *stream) row() model.Proxy {
	return model.Proxy{
		ID: st.id, Scope: st.scope, Connected: true, Version: st.version,
		Refusals: st.session.Status().Refusals,
	}
}
