package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	"weft.dev/model"
)

const (
	minReconnect = 200 * time.Millisecond
	maxReconnect = 4 * time.Second // with jitter, half of a lease
)

// session keeps the workload's lease: it registers, says how it is, and hands
// reports on.
type session struct {
	conn  grpc.ClientConnInterface
	what  model.Registration
	roots func([][]byte)
	spans func() *model.SpanReport // that nobody has heard; nil: there are none
	tap   func(time.Duration)
	full  func(time.Duration)
	log   *slog.Logger

	traffic   chan model.TrafficReport
	tapped    chan model.Tapped
	leave     chan struct{}     // closed: deregister
	confirmed chan model.Health // the server's words, the newest few

	mu        sync.Mutex
	health    model.Health
	connected bool
	changed   chan struct{}
}

func newSession(conn grpc.ClientConnInterface, what model.Registration, roots func([][]byte), spans func() *model.SpanReport, log *slog.Logger) *session {
	return &session{
		conn: conn, what: what, roots: roots, spans: spans, log: log, health: model.Unhealthy,
		traffic: make(chan model.TrafficReport, 1), tapped: make(chan model.Tapped, 1), leave: make(chan struct{}),
		confirmed: make(chan model.Health, 8), changed: make(chan struct{}, 1),
	}
}

// set says how the workload is from now on.
func (s *session) set(h model.Health) {
	s.mu.Lock()
	s.health = h
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *session) state() (h model.Health, connected bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health, s.connected
}

// takes says whether a report is to be made. While the server takes its time with the last one, what the next one would say is
// left to the one after it; while there is no server, nobody waits for old figures.
func (s *session) takes() bool {
	_, connected := s.state()
	return !connected || len(s.traffic) == 0
}

// report hands a report on, if there is someone to take it.
func (s *session) report(r model.TrafficReport) {
	select {
	case s.traffic <- r:
	default: // not connected: this report is lost, as the protocol allows
	}
}

// tell hands on what was tapped; false: the server has not taken the last of it.
func (s *session) tell(t model.Tapped) bool {
	select {
	case s.tapped <- t:
		return true
	default:
		return false
	}
}

// await waits until the server has written a health down, at most until ctx ends.
func (s *session) await(ctx context.Context, h model.Health) {
	for {
		select {
		case got := <-s.confirmed:
			if got == h {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// run keeps a stream open until ctx ends or the workload has left.
func (s *session) run(ctx context.Context) {
	backoff := minReconnect
	for ctx.Err() == nil {
		err := s.once(ctx)
		s.mu.Lock()
		was := s.connected
		s.connected = false
		s.mu.Unlock()
		select {
		case <-s.leave:
			return
		case <-ctx.Done():
			return
		default:
		}
		if was {
			backoff = minReconnect
		}
		s.log.Info("no session with the server; the workload runs on", "why", err)
		select {
		case <-ctx.Done():
		case <-s.leave:
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
		backoff = min(2*backoff, maxReconnect)
	}
}

func (s *session) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := s.conn.NewStream(ctx, description, model.AgentSession,
		grpc.ForceCodec(model.AgentCodec{}), grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	health, _ := s.state()
	ended := make(chan error, 1)
	go func() { ended <- s.listen(stream) }()
	if err := stream.SendMsg(&model.AgentMessage{Register: &s.what, Health: health}); err != nil {
		return <-ended
	}
	heartbeat := time.NewTicker(model.LeaseInterval / 2)
	defer heartbeat.Stop()
	telling := time.NewTicker(spanInterval)
	defer telling.Stop()
	leave := s.leave
	for {
		var m model.AgentMessage
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-heartbeat.C:
		case <-s.changed:
			m.Health, _ = s.state()
		case r := <-s.traffic:
			m.Traffic = &r
		case <-telling.C:
			if m.Spans = s.spans(); m.Spans == nil {
				continue
			}
		case t := <-s.tapped:
			m.Tapped = &t
		case <-leave:
			m.Deregister = true
			leave = nil // the server ends the stream once it is done
		}
		if err := stream.SendMsg(&m); err != nil {
			return <-ended
		}
	}
}

// listen takes what the server says until the stream ends.
func (s *session) listen(stream grpc.ClientStream) error {
	for {
		var m model.ServerMessage
		if err := stream.RecvMsg(&m); err != nil {
			return err
		}
		if m.Registered {
			s.mu.Lock()
			s.connected = true
			s.mu.Unlock()
			s.log.Info("registered", "workload", s.what.Namespace+"/"+s.what.Name)
		}
		if m.Health != "" {
			select {
			case s.confirmed <- m.Health:
			default:
			}
		}
		if m.Tap != nil {
			s.tap(m.Tap.For)
		}
		if m.Full != nil {
			s.full(m.Full.For)
		}
		if len(m.Roots) > 0 {
			s.roots(m.Roots)
		}
	}
}
