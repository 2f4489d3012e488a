package host

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Proxy lets a caller of the mesh port be the proxy "namespace/name": its
// certificate must be of the account that registered that workload, on a
// session that lasts. Who wants to be another's is written down.
func (s *Server) Proxy(ctx context.Context, namespace, name string) error {
	err := s.mayBe(ctx, namespace, name)
	if status.Code(err) == codes.PermissionDenied {
		s.Log.Warn("a stream was refused", "proxy", fmt.Sprintf("%.100s/%.100s", namespace, name), "from", address(ctx), "why", err)
	}
	return err
}

func (s *Server) mayBe(ctx context.Context, namespace, name string) error {
	_, caller, err := s.caller(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	registered := s.sessions[id{namespace, name}]
	s.mu.Unlock()
	if registered == nil {
		return status.Errorf(codes.Unavailable, "workload %s/%s is not registered: open its session first", namespace, name)
	}
	if caller.Namespace != namespace || caller.Account != account(registered.what) {
		return status.Errorf(codes.PermissionDenied, "proxy %s/%s: the certificate is of %s", namespace, name, caller)
	}
	return nil
}
