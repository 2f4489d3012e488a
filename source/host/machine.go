package host

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/model"
)

// orderPoll is how often it is asked what a machine is to run, while nobody knows.
const orderPoll = 200 * time.Millisecond

// machine serves the stream of a machine whose operator lets weft start processes: it
// hears what runs there, and is told what is to.
func (s *Server) machine(stream grpc.ServerStream) error {
	cert, caller, err := s.caller(stream.Context())
	if err != nil {
		return err
	}
	if err := s.admit(stream.Context()); err != nil {
		return err
	}
	switch {
	case caller.Host == "":
		return status.Errorf(codes.PermissionDenied, "%s is no machine: only one that joined is told what to run", caller)
	case s.Machines == nil:
		return status.Error(codes.Unimplemented, "this server starts no processes: it serves files, and nothing releases")
	}
	ctx, cancel := context.WithDeadlineCause(stream.Context(), cert.NotAfter, errors.New("the certificate has ended: renew it"))
	defer cancel()
	may := func(namespace, app string) bool {
		_, err := s.Authority.Caller(cert, namespace+"/"+app)
		return err == nil
	}
	s.Log.Info("a machine lets weft start processes", "host", caller.Host, "from", address(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.order(ctx, stream, caller.Host) }()
	go func() { ended <- s.hear(stream, func(r model.HostReport) { s.Machines.Hear(caller.Host, may, r) }) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return status.Error(codes.Unauthenticated, context.Cause(ctx).Error())
	}
}

// hear reads reports until the stream ends. How long a machine may be silent, who hears decides.
func (s *Server) hear(stream grpc.ServerStream, take func(model.HostReport)) error {
	limit := rate.NewLimiter(messagesPerSecond, talkBurst)
	for {
		var r model.HostReport
		if err := stream.RecvMsg(&r); err != nil {
			return err
		}
		if !limit.Allow() {
			return status.Errorf(codes.ResourceExhausted, "more than %d reports a second", messagesPerSecond)
		}
		take(r)
	}
}

// order sends what the machine is to run, and again whenever that or the roots change.
func (s *Server) order(ctx context.Context, stream grpc.ServerStream, machine string) error {
	for {
		if err := s.leads(stream.Context()); err != nil {
			return err
		}
		roots := s.Authority.Changed()
		o, changed, known := s.Machines.Order(machine)
		var wait <-chan time.Time
		if known {
			o.Roots = s.Authority.Roots()
			if err := stream.SendMsg(&o); err != nil {
				return err
			}
		} else {
			wait = time.After(orderPoll)
		}
		select {
		case <-changed:
		case <-roots:
		case <-wait:
		case <-ctx.Done():
			return nil // the caller says why
		}
	}
}
