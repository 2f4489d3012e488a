package uplink_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"weft.dev/agent/uplink"
	"weft.dev/model"
	"weft.dev/test/process"
)

// serve takes every stream, and keeps it.
func serve(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if err := stream.SendHeader(metadata.MD{}); err != nil {
			return err
		}
		<-stream.Context().Done()
		return nil
	}))
	t.Cleanup(server.Stop)
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String()
}

func connect(t *testing.T, server string, more ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	plain := grpc.WithTransportCredentials(uplink.Credentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("passthrough:///"+server, append(more, plain)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func open(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/a.Service/Method", grpc.WaitForReady(true))
	return err
}

// A workload for which the machine's connection has no room learns that, instead of
// waiting for ever, and then has a connection of its own.
func TestFull(t *testing.T) {
	server, dir := serve(t), t.TempDir()
	u := uplink.Uplink{Dir: dir, Sockets: dir, Log: slog.New(slog.DiscardHandler), Connect: func() (*grpc.ClientConn, error) { return connect(t, server), nil }}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan struct{})
	go func() { u.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })

	many := connect(t, server, u.Options("shop/many")...)
	for n := range model.MachineStreams {
		if err := open(ctx, many); err != nil {
			t.Fatalf("stream %d: %v", n, err)
		}
	}
	one := connect(t, server, u.Options("shop/one-more")...)
	err := open(ctx, one)
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), fmt.Sprintf("%d streams, which are all that it may", model.MachineStreams)) {
		t.Fatalf("one more: %v, want what there is no room for", err)
	}
	if err := process.Until(time.Minute, func() error { return open(ctx, one) }); err != nil {
		t.Errorf("it has no connection of its own: %v", err)
	}
	if err := open(ctx, many); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("there is room on the connection that was full: %v", err)
	}
}
