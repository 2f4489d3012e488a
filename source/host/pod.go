package host

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
)

// Pods are registered by Kubernetes: their sessions carry what their proxies
// count and the roots to trust, and hold no lease.

// attest gives a pod the identity of its ServiceAccount.
func (s *Server) attest(ctx context.Context, r model.AttestRequest) (*model.JoinReply, error) {
	if s.Cluster == nil {
		return nil, status.Error(codes.Unimplemented, "this server runs without Kubernetes: join with a token of `weft token create`")
	}
	reply, err := s.Cluster.Attest(ctx, r)
	if err != nil {
		s.Log.Warn("a pod was not let in", "from", address(ctx), "why", err)
		return nil, refusal(err)
	}
	return &reply, nil
}

// leads refuses a host where another replica leads.
func (s *Server) leads(ctx context.Context) error {
	if s.Cluster == nil || s.Cluster.Leading() {
		return nil
	}
	s.elsewhere(ctx)
	return status.Error(codes.Unavailable, "another replica of the server leads, and hosts register there: connect again")
}

// elsewhere has a host go to the replica that leads. A refusal alone would not: a
// machine keeps its connection.
func (s *Server) elsewhere(ctx context.Context) {
	if p, ok := peer.FromContext(ctx); ok {
		s.Cluster.HangUp(p.Addr)
	}
}

// leadNoMore sends all hosts to the replica that leads next.
func (s *Server) leadNoMore() {
	if s.Cluster == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.sessions {
		if !one.pod() {
			s.elsewhere(one.stream.Context())
		}
	}
}

// admits says whether a workload may have its session here.
func (s *Server) admits(ctx context.Context, caller identity.Name, r model.Registration) error {
	if err := allowed(caller, r); err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	if s.Cluster == nil {
		if r.ServiceAccount != "" {
			return status.Error(codes.InvalidArgument, "a pod cannot register at a server without Kubernetes")
		}
		return nil
	}
	if r.ServiceAccount == "" {
		return s.leads(ctx)
	}
	switch account, known := s.Cluster.Pod(r.Namespace, r.Name); {
	case !known:
		return status.Error(codes.Unavailable, fmt.Sprintf("pod %.100s/%.100s is not known here yet: try again", r.Namespace, r.Name))
	case account != r.ServiceAccount:
		return status.Error(codes.PermissionDenied, fmt.Sprintf("pod %.100s/%.100s: its ServiceAccount is not %s", r.Namespace, r.Name, caller.Account))
	}
	return nil
}

// pod says whether the session is that of a pod.
func (s *session) pod() bool { return s.what.ServiceAccount != "" }
