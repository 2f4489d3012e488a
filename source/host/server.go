package host

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/model"
)

func init() { encoding.RegisterCodec(model.AgentCodec{}) }

// Workloads is where the Workload objects live. Apply leaves nothing of an
// earlier registration; Delete and SetHealth of a missing one succeed.
type Workloads interface {
	List(ctx context.Context) ([]v1alpha1.Workload, error)
	Apply(ctx context.Context, w v1alpha1.Workload) error
	SetHealth(ctx context.Context, namespace, name string, h model.Health) error
	Delete(ctx context.Context, namespace, name string) error
}

// Authority decides who gets which certificate, as identity.Authority does.
type Authority interface {
	Join(model.JoinRequest) (model.JoinReply, error)
	Renew(caller *x509.Certificate, r model.RenewRequest) (model.CertificateReply, error)
	Caller(cert *x509.Certificate, as string) (identity.Name, error)
	Roots() [][]byte
	Changed() <-chan struct{}
}

// Cluster is the Kubernetes cluster whose pods are workloads.
type Cluster interface {
	// Attest gives a pod the identity of the ServiceAccount whose token it has.
	Attest(ctx context.Context, r model.AttestRequest) (model.JoinReply, error)
	// Pod is the ServiceAccount of a pod; false: it is not known (yet).
	Pod(namespace, name string) (serviceAccount string, ok bool)
	// Leading says whether this server is the one of its replicas that hosts register at.
	Leading() bool
	// HangUp ends the connection of a caller: the next one may reach another replica.
	HangUp(remote net.Addr)
}

// Machines is who has processes run on machines whose operators let weft start them.
type Machines interface {
	// Hear takes what a machine says; may says whether its certificate covers an application.
	Hear(machine string, may func(namespace, app string) bool, r model.HostReport)
	// Order is what a machine is told until changed is closed; false: nobody knows yet.
	Order(machine string) (o model.HostOrder, changed <-chan struct{}, known bool)
}

// Options are what a Server is made of.
type Options struct {
	Authority Authority
	Machines  Machines // nil: nobody runs anything on them
	Cluster   Cluster  // nil: there is none
	Workloads Workloads
	// Traffic takes what a workload's proxy counted. It must not block.
	Traffic func(w model.Registration, r model.TrafficReport)
	// Spans takes what it told of requests, and must not block either. Its error says that this cannot be read.
	Spans func(w model.Registration, r model.SpanReport) error
	// Tapped takes what passed the proxy of a workload, NAMESPACE/NAME, after Tap. It must not block. May be nil.
	Tapped func(workload string, t model.Tapped)
	// Limits answers a RateLimitRequest of the proxy of a workload, NAMESPACE/NAME. nil: nobody counts.
	Limits func(ctx context.Context, workload string, request []byte) ([]byte, error)
	// Problem takes what people must know of a group of workloads; text "" ends it. May be nil.
	Problem func(group, text string)
	Now     func() time.Time
	Log     *slog.Logger
}

// Server serves model.AgentService.
type Server struct {
	Options
	joins, renews *callers

	mu       sync.Mutex
	leases   *leases
	sessions map[id]*session // the newest stream of each workload

	writing [64]sync.Mutex // by workload
}

// New makes a server; Run must run for leases to end.
func New(o Options) *Server {
	return &Server{
		Options:  o,
		joins:    newCallers(joinsPerSecond, joinBurst),
		renews:   newCallers(renewsPerSecond, renewBurst),
		leases:   newLeases(o.Now()),
		sessions: map[id]*session{},
	}
}

// service is written by hand: the messages are JSON, and four calls need no generator.
var service = grpc.ServiceDesc{
	ServiceName: model.AgentService,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Join", Handler: unary((*Server).join)},
		{MethodName: "Attest", Handler: unary((*Server).attest)},
		{MethodName: "Renew", Handler: unary((*Server).renew)},
	},
	Streams: []grpc.StreamDesc{{
		StreamName: "Session", ServerStreams: true, ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Server).session(stream) },
	}, {
		StreamName: "Limits", ServerStreams: true, ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Server).limits(stream) },
	}, {
		StreamName: "Host", ServerStreams: true, ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Server).machine(stream) },
	}},
}

func unary[Req, Reply any](call func(*Server, context.Context, Req) (Reply, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		s := srv.(*Server)
		if err := s.admit(ctx); err != nil {
			return nil, err
		}
		var request Req
		if err := decode(&request); err != nil {
			return nil, status.Error(codes.InvalidArgument, "the message is not the JSON that this call takes")
		}
		return call(s, ctx, request)
	}
}

// Register adds the service to the mesh port's gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) { r.RegisterService(&service, s) }

// admit limits callers before anything that they sent is read.
func (s *Server) admit(ctx context.Context) error {
	_, caller, err := s.caller(ctx)
	by, who := s.renews, caller.String()
	if err != nil {
		by, who = s.joins, address(ctx)
	}
	if !by.allow(who, s.Now()) {
		return status.Errorf(codes.ResourceExhausted, "%s asks too often: wait a few seconds", who)
	}
	return nil
}

// caller is who the connection's certificate speaks for, in the name that the
// stream gives.
func (s *Server) caller(ctx context.Context) (*x509.Certificate, identity.Name, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, identity.Name{}, status.Error(codes.Unauthenticated, "no connection")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil, identity.Name{}, status.Error(codes.Unauthenticated, "a client certificate is needed: join first")
	}
	cert := info.State.VerifiedChains[0][0]
	as := metadata.ValueFromIncomingContext(ctx, model.AsWorkload)
	if len(as) > 1 {
		return nil, identity.Name{}, status.Errorf(codes.InvalidArgument, "%s: a stream is in the name of one workload", model.AsWorkload)
	}
	name, err := s.Authority.Caller(cert, strings.Join(as, ""))
	return cert, name, refusal(err)
}

// address is the caller's IP.
func address(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "unknown"
	}
	if host, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
		return host
	}
	return p.Addr.String()
}

func (s *Server) join(ctx context.Context, r model.JoinRequest) (*model.JoinReply, error) {
	reply, err := s.Authority.Join(r)
	if err != nil {
		s.Log.Warn("a host was not let in", "host", fmt.Sprintf("%.100s", r.Host), "from", address(ctx), "why", err)
		return nil, refusal(err)
	}
	s.Log.Info("a host joined", "host", r.Host, "from", address(ctx))
	return &reply, nil
}

func (s *Server) renew(ctx context.Context, r model.RenewRequest) (*model.CertificateReply, error) {
	cert, name, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	reply, err := s.Authority.Renew(cert, r)
	if err != nil {
		s.Log.Warn("a certificate was refused", "to", name, "from", address(ctx), "why", err)
		return nil, refusal(err)
	}
	return &reply, nil
}

// refusal tells the caller's faults to the caller, and ours to the log only.
func refusal(err error) error {
	var refused *identity.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return status.Error(codes.PermissionDenied, refused.Reason)
	}
	return status.Error(codes.Internal, "the server has trouble of its own: its log says which; try again")
}
