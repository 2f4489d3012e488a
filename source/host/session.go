package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/model"
)

// session is one stream of one workload's agent.
type session struct {
	*Server
	stream grpc.ServerStream
	who    id
	group  group
	what   model.Registration
	health model.Health
	rate   *rate.Limiter
	roots  <-chan struct{} // closed when roots have changed since they were sent
	newer  chan struct{}   // closed when a newer stream of the workload takes over
	taps   chan time.Duration
	fulls  chan time.Duration
}

// heard is a message, or why there is none.
type heard struct {
	message model.AgentMessage
	err     error
}

// session serves a stream until it ends, falls silent, is taken over, or its
// certificate ends. Only an explicit Deregister ends the lease with it.
func (s *Server) session(stream grpc.ServerStream) error {
	cert, caller, err := s.caller(stream.Context())
	if err != nil {
		return err
	}
	if err := s.admit(stream.Context()); err != nil {
		return err
	}
	one := &session{
		Server: s, stream: stream, newer: make(chan struct{}), taps: make(chan time.Duration, 1), fulls: make(chan time.Duration, 1),
		rate: rate.NewLimiter(messagesPerSecond, talkBurst),
	}
	ctx, cancel := context.WithDeadlineCause(stream.Context(), cert.NotAfter, errors.New("the certificate has ended: renew it"))
	defer cancel()
	messages := one.receive(ctx)
	first, err := one.next(ctx, messages, firstMessage)
	if err != nil {
		return err
	}
	if first.Register == nil {
		return status.Error(codes.InvalidArgument, "the first message of a session registers a workload")
	}
	if first.Health == "" {
		first.Health = model.Unhealthy
	}
	if err := s.admits(stream.Context(), caller, *first.Register); err != nil {
		s.Log.Warn("a registration was refused", "from", address(ctx), "why", err)
		return err
	}
	if err := check(*first.Register, first.Health); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return one.serve(ctx, messages, first)
}

// receive reads the stream in the background. At most one message waits.
func (s *session) receive(ctx context.Context) <-chan heard {
	out := make(chan heard)
	go func() {
		for {
			var h heard
			h.err = s.stream.RecvMsg(&h.message)
			select {
			case out <- h:
			case <-ctx.Done():
				return
			}
			if h.err != nil {
				return
			}
		}
	}()
	return out
}

// next is the next message, at most after wait. Roots that change meanwhile are sent.
func (s *session) next(ctx context.Context, messages <-chan heard, wait time.Duration) (model.AgentMessage, error) {
	silence := time.NewTimer(wait)
	defer silence.Stop()
	for {
		select {
		case h := <-messages:
			if h.err == nil && !s.rate.Allow() {
				h.err = status.Errorf(codes.ResourceExhausted, "more than %d messages a second", messagesPerSecond)
			}
			return h.message, h.err
		case <-s.roots:
			s.roots = s.Authority.Changed() // before they are read, and only here: a change that came with a message waits
			if err := s.stream.SendMsg(&model.ServerMessage{Roots: s.Authority.Roots()}); err != nil {
				return model.AgentMessage{}, err
			}
		case d := <-s.taps:
			if err := s.stream.SendMsg(&model.ServerMessage{Tap: &model.Tap{For: d}}); err != nil {
				return model.AgentMessage{}, err
			}
		case d := <-s.fulls:
			if err := s.stream.SendMsg(&model.ServerMessage{Full: &model.Full{For: d}}); err != nil {
				return model.AgentMessage{}, err
			}
		case <-s.newer:
			return model.AgentMessage{}, status.Error(codes.Aborted, "a newer session of the same workload took over")
		case <-silence.C:
			return model.AgentMessage{}, status.Errorf(codes.DeadlineExceeded, "nothing was heard for %v", wait)
		case <-ctx.Done():
			return model.AgentMessage{}, status.Error(codes.Unauthenticated, context.Cause(ctx).Error())
		}
	}
}

func (s *session) serve(ctx context.Context, messages <-chan heard, first model.AgentMessage) error {
	s.what, s.health = *first.Register, first.Health
	s.who = id{s.what.Namespace, s.what.Name}
	s.group = group{s.what.Namespace, account(s.what)}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.roots = s.Authority.Changed()
	if err := s.register(ctx); err != nil {
		return err
	}
	answer := &model.ServerMessage{Registered: true, Health: s.health, Roots: s.Authority.Roots()}
	if err := s.stream.SendMsg(answer); err != nil {
		return err
	}
	for {
		message, err := s.next(ctx, messages, leaseTime)
		if err != nil {
			return err
		}
		if message.Deregister {
			return s.deregister(ctx)
		}
		if err := s.take(ctx, message); err != nil {
			return err
		}
	}
}

// enter makes this the workload's session; an older one ends. A name belongs to
// the application that has it until its lease ends.
func (s *session) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner, held := s.leases.owner(s.who); held && owner != s.group && !s.pod() {
		return status.Errorf(codes.AlreadyExists, "workload %s belongs to application %s: choose another name", s.who, owner.account)
	}
	if older := s.sessions[s.who]; older != nil {
		close(older.newer)
	}
	s.sessions[s.who] = s
	s.hear()
	return nil
}

func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[s.who] == s {
		delete(s.sessions, s.who)
	}
}

// current says whether no newer session has taken over, and renews the lease.
func (s *session) current() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[s.who] != s {
		return false
	}
	s.hear()
	return true
}

// hear renews the lease. Called with mu held.
func (s *session) hear() {
	if !s.pod() {
		s.leases.hear(s.who, s.group, s.Now())
	}
}

// Tap asks the agent of a workload to hand on what passes its proxy for a while, 0: no longer; false: it is not
// connected here.
func (s *Server) Tap(namespace, name string, d time.Duration) bool {
	return s.instruct(id{namespace, name}, d, func(one *session) chan time.Duration { return one.taps })
}

// Full has the proxy of a workload keep full statistics for a while, in the same way.
func (s *Server) Full(namespace, name string, d time.Duration) bool {
	return s.instruct(id{namespace, name}, d, func(one *session) chan time.Duration { return one.fulls })
}

func (s *Server) instruct(who id, d time.Duration, of func(*session) chan time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.sessions[who]
	if one == nil {
		return false
	}
	orders := of(one)
	select {
	case <-orders: // what it was not told yet
	default:
	}
	orders <- d
	return true
}

func (s *session) register(ctx context.Context) error {
	defer s.write(s.who)()
	if !s.current() || s.pod() {
		return nil
	}
	if err := s.Workloads.Apply(ctx, workload(s.what, s.health, metav1.NewTime(s.Now()))); err != nil {
		s.Log.Error("a workload is not written down", "workload", s.who, "why", err)
		return status.Error(codes.Unavailable, "the server cannot write the workload down: its log says why; try again")
	}
	s.Log.Info("a workload registered", "workload", s.who, "app", account(s.what), "version", s.what.Version, "address", s.what.Address, "health", s.health)
	return nil
}

// take does what a message after the first one says.
func (s *session) take(ctx context.Context, m model.AgentMessage) error {
	if m.Register != nil {
		return status.Error(codes.InvalidArgument, "a session registers once: open another one")
	}
	if m.Health != "" && !known(m.Health) {
		return status.Errorf(codes.InvalidArgument, "health %.100q: use Healthy, Unhealthy or Draining", m.Health)
	}
	if !s.current() {
		return nil // next says so
	}
	if m.Traffic != nil && s.Traffic != nil {
		s.Traffic(s.what, *m.Traffic)
	}
	if m.Spans != nil && s.Spans != nil {
		if err := s.Spans(s.what, *m.Spans); err != nil {
			return status.Errorf(codes.InvalidArgument, "spans: %v", err)
		}
	}
	if m.Tapped != nil && s.Tapped != nil {
		s.Tapped(s.who.String(), *m.Tapped)
	}
	if m.Health == "" || s.pod() {
		return nil
	}
	if m.Health != s.health {
		if err := s.setHealth(ctx, m.Health); err != nil {
			return err
		}
	}
	return s.stream.SendMsg(&model.ServerMessage{Health: s.health})
}

func (s *session) setHealth(ctx context.Context, h model.Health) error {
	defer s.write(s.who)()
	if err := s.Workloads.SetHealth(ctx, s.who.namespace, s.who.name, h); err != nil {
		s.Log.Error("a workload's health is not written down", "workload", s.who, "why", err)
		return status.Error(codes.Unavailable, "the server cannot write the health down: its log says why; try again")
	}
	s.health = h
	return nil
}

// deregister removes the workload at once, however many others leave too.
func (s *session) deregister(ctx context.Context) error {
	defer s.write(s.who)()
	if !s.current() || s.pod() {
		return nil
	}
	if err := s.Workloads.Delete(ctx, s.who.namespace, s.who.name); err != nil {
		return fmt.Errorf("workload %s: %w", s.who, err)
	}
	s.forget(s.who)
	s.Log.Info("a workload left", "workload", s.who)
	return nil
}
