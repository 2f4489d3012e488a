package standin

import (
	"context"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"weft.dev/model"
	"weft.dev/xds"
)

const (
	pipe       = 64 << 10 // bytes under way, in each direction
	maxMessage = 64 << 20 // of configuration
	scope      = "published"
)

// Server is a server of one view, for one proxy.
type Server struct {
	sessions *xds.Server
	grpc     *grpc.Server
	conn     *grpc.ClientConn
	viewed   chan struct{} // closed: there is a view

	mu      sync.Mutex
	view    *model.View
	rev     uint64
	changed func(rev uint64, scopes, proxies []string)
}

// New starts a server. Close ends it.
func New() (*Server, error) {
	s := &Server{viewed: make(chan struct{})}
	s.sessions = xds.NewServer(xds.Options{Views: s, Limits: xds.Limits{Linger: xds.Linger}})
	s.grpc = grpc.NewServer(xds.ServerOptions()...)
	s.sessions.Register(s.grpc)
	listener := bufconn.Listen(pipe)
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
	conn, err := grpc.NewClient("passthrough:///"+scope, grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)), grpc.WithSharedWriteBuffer(true))
	if err != nil {
		return nil, err
	}
	s.conn = conn
	go func() { _ = s.grpc.Serve(listener) }() // it ends by Close alone
	return s, nil
}

// Close ends the server and all streams.
func (s *Server) Close() error {
	defer s.grpc.Stop()
	return s.conn.Close()
}

// Set gives the proxy a view in place of the one before.
func (s *Server) Set(resources []*model.Resource) {
	s.mu.Lock()
	first := s.view == nil
	s.view = &model.View{Scope: scope, Layers: []*model.Layer{model.NewLayer(scope, resources...)}}
	s.rev++
	rev, changed := s.rev, s.changed
	s.mu.Unlock()
	if first {
		close(s.viewed)
	}
	changed(rev, []string{scope}, nil)
}

// InUse says whether the proxy has accepted all of the newest view.
func (s *Server) InUse() bool {
	s.mu.Lock()
	rev := s.rev
	s.mu.Unlock()
	applied, total, _ := s.sessions.Applied(rev)
	return rev > 0 && total > 0 && applied == total
}

// View implements xds.Views.
func (s *Server) View(string) (string, *model.View, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return scope, s.view, s.rev
}

// OnChange implements xds.Views.
func (s *Server) OnChange(f func(rev uint64, scopes, proxies []string)) { s.changed = f }

// NewStream implements grpc.ClientConnInterface: it waits for the first view.
func (s *Server) NewStream(ctx context.Context, what *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	select {
	case <-s.viewed:
		return s.conn.NewStream(ctx, what, method, options...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Invoke implements grpc.ClientConnInterface.
func (s *Server) Invoke(ctx context.Context, method string, args, reply any, options ...grpc.CallOption) error {
	return s.conn.Invoke(ctx, method, args, reply, options...)
}
