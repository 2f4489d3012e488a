package releases

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/release/instances"
	"weft.dev/release/provider/remote"
)

// codec has gRPC carry JSON, as the protocol says.
type codec struct{}

func (codec) Name() string                       { return "json" }
func (codec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// serve has a provider in the test answer at a socket, whose address it returns.
func serve(t *testing.T, p instances.Provider) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	check(t, err)
	server := grpc.NewServer(grpc.ForceServerCodec(codec{}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: remote.Service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Describe", Handler: answer(func(context.Context, struct{}) (any, error) {
			return remote.Description{Protocol: remote.Protocol, Name: "hands"}, nil
		})},
		{MethodName: "Observe", Handler: answer(func(ctx context.Context, q remote.Question) (any, error) {
			seen, err := p.Observe(ctx, q.Target)
			return remote.Answer{Versions: seen}, err
		})},
		{MethodName: "Do", Handler: answer(func(ctx context.Context, a instances.Action) (any, error) { return struct{}{}, p.Do(ctx, a) })},
	}}, nil)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("the provider: %v", err)
		}
	})
	return "unix:" + path
}

func answer[Request any](do func(context.Context, Request) (any, error)) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request Request
		if err := decode(&request); err != nil {
			return nil, err
		}
		reply, err := do(ctx, request)
		if errors.Is(err, instances.ErrRefused) {
			err = status.Error(codes.FailedPrecondition, err.Error())
		}
		return reply, err
	}
}
