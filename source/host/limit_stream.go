package host

import (
	"context"
	"errors"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/model"
)

// limits answers what one proxy asks of limits, until its stream or its certificate ends. Questions do not wait
// for each other.
func (s *Server) limits(stream grpc.ServerStream) error {
	cert, _, err := s.caller(stream.Context())
	if err != nil {
		return err
	}
	if err := s.admit(stream.Context()); err != nil {
		return err
	}
	var first model.LimitMessage
	if err := stream.RecvMsg(&first); err != nil {
		return err
	}
	namespace, name, _ := strings.Cut(first.Proxy, "/")
	if err := s.Proxy(stream.Context(), namespace, name); err != nil {
		return err
	}
	if s.Limits == nil {
		return status.Error(codes.Unimplemented, "this server counts no requests")
	}
	ctx, cancel := context.WithDeadlineCause(stream.Context(), cert.NotAfter, errors.New("the certificate has ended: renew it"))
	defer cancel()
	one := limitStream{Server: s, stream: stream, workload: first.Proxy, room: make(chan struct{}, model.MaxLimitAsks)}
	ended := make(chan error, 1)
	go func() { ended <- one.listen(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return status.Error(codes.Unauthenticated, context.Cause(ctx).Error())
	}
}

// limitStream is that of one proxy.
type limitStream struct {
	*Server
	stream   grpc.ServerStream
	workload string
	room     chan struct{}

	sending sync.Mutex
}

func (l *limitStream) listen(ctx context.Context) error {
	for {
		var m model.LimitMessage
		if err := l.stream.RecvMsg(&m); err != nil {
			return err
		}
		select {
		case l.room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		go func() {
			defer func() { <-l.room }()
			l.answer(ctx, m)
		}()
	}
}

func (l *limitStream) answer(ctx context.Context, m model.LimitMessage) {
	reply := model.LimitMessage{ID: m.ID}
	body, err := l.Limits(ctx, l.workload, m.Body)
	if reply.Body = body; err != nil {
		reply.Error = err.Error()
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	_ = l.stream.SendMsg(&reply) // where it cannot be sent, the stream ends
}
