package protocols

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const echoMethod = "/test.Echo/Both"

// echoService sends back each message of a stream, until the client has no more; other calls are never answered.
func echoService(t *testing.T) (port int) {
	t.Helper()
	listener, port := listen(t)
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if method, _ := grpc.MethodFromServerStream(stream); method != echoMethod {
			<-stream.Context().Done()
			return stream.Context().Err()
		}
		for {
			var text wrapperspb.StringValue
			if err := stream.RecvMsg(&text); err != nil {
				if err == io.EOF {
					return nil
				}
				return err
			}
			if err := stream.SendMsg(&text); err != nil {
				return err
			}
		}
	}))
	t.Cleanup(server.Stop)
	go func() { _ = server.Serve(listener) }()
	return port
}

// openStream begins a stream of messages both ways.
func openStream(t *testing.T, conn *grpc.ClientConn) (session, error) {
	t.Helper()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, echoMethod)
	if err != nil {
		return session{}, err
	}
	s := session{func() error {
		if err := stream.SendMsg(wrapperspb.String("there")); err != nil && err != io.EOF { // the reason is for who reads
			return err
		}
		var got wrapperspb.StringValue
		if err := stream.RecvMsg(&got); err != nil || got.Value != "there" {
			return fmt.Errorf("echo of there: %q: %w", got.Value, err)
		}
		return nil
	}}
	return s, s.still()
}

// A stream lasts longer than the timeout of its route, which is for calls that wait for their answer, and outlives changes of
// its service and of its policies.
func TestStreams(t *testing.T) {
	t.Parallel()
	serve(t, "echo", "grpc", echoService(t), 50051)
	apply(t, object("networking.istio.io/v1", "VirtualService", servers, "echo", `{hosts: [echo], http: [{timeout: 1s, route: [{destination: {host: echo}}]}]}`))
	conn, err := grpc.NewClient("passthrough:///echo.data:50051", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialFrom(callers)(ctx, "tcp", address)
		}))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	var stream session
	until(t, func() (err error) { stream, err = openStream(t, conn); return err })
	until(t, func() error {
		err := conn.Invoke(t.Context(), "/test.Echo/Hang", wrapperspb.String(""), new(wrapperspb.StringValue))
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Unavailable || !strings.Contains(err.Error(), "timeout") {
			return fmt.Errorf("a call that nobody answers: %w", err)
		}
		return nil
	})
	if err := stream.still(); err != nil {
		t.Errorf("the stream does not outlive the timeout: %v", err)
	}
	until(t, func() error { return opaque{name: "echo", port: 50051}.counted(callers) })
	apply(t,
		denied("echo", "secret", `[{to: [{operation: {paths: ["/test.Secret/*"]}}]}]`),
		object("networking.istio.io/v1", "DestinationRule", servers, "echo", `{host: echo, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}}`))
	drained(t)
	if err := stream.still(); err != nil {
		t.Errorf("the stream does not outlive changes of its service and its policies: %v", err)
	}
	apply(t, denied("echo", "callers", `[{from: [{source: {namespaces: [`+callers+`]}}]}]`))
	if _, err := openStream(t, conn); status.Code(err) != codes.PermissionDenied {
		t.Errorf("who is shut out gets %v, want PermissionDenied", err)
	}
	check(t, stream.still()) // what was let in is
}
