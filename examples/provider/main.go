// Command provider is a provider of instances for weft that starts plain processes on
// its machine. It shows the protocol weft.Provider, docs/guides/providers.md, and
// shares no code with weft; what it started ends with it.
//
//	provider unix:/run/ours.sock
//
// An instance is the command of spec.runs.provider.config.command, run by sh, with
// APPLICATION, VERSION and IMAGE in its environment. It is ready once it has run for a
// moment; one that ends is started again.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The messages of the protocol.
type (
	target struct {
		Namespace   string `json:"namespace"`
		Application string `json:"application"`
		Runs        struct {
			Provider struct {
				Config map[string]string `json:"config"`
			} `json:"provider"`
		} `json:"runs"`
	}
	action struct {
		ID       string `json:"id"`
		Seq      int64  `json:"seq"`
		Verb     string `json:"verb"`
		Target   target `json:"target"`
		Version  string `json:"version"`
		Replicas int    `json:"replicas"`
		Image    string `json:"image"`
	}
	seen struct {
		Wanted  int    `json:"wanted"`
		Running int    `json:"running"`
		Ready   int    `json:"ready"`
		Image   string `json:"image,omitempty"`
		Why     string `json:"why,omitempty"`
		Failed  bool   `json:"failed,omitempty"`
	}
	description struct {
		Protocol int    `json:"protocol"`
		Name     string `json:"name"`
	}
	question struct {
		Target target `json:"target"`
	}
	answer struct {
		Versions map[string]seen `json:"versions"`
	}
	nothing struct{}
)

// codec has gRPC carry JSON.
type codec struct{}

func (codec) Name() string                       { return "json" }
func (codec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (codec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: provider unix:/PATH or 127.0.0.1:PORT")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then ends every process.
func run(ctx context.Context, address string) error {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	all := newProcesses()
	defer all.end()
	server := grpc.NewServer(grpc.ForceServerCodec(codec{}), grpc.MaxRecvMsgSize(32<<20))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "weft.Provider", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Describe", Handler: call(func(nothing) (description, error) { return description{1, "plain processes"}, nil })},
		{MethodName: "Observe", Handler: call(func(q question) (answer, error) { return answer{all.observe(q.Target)}, nil })},
		{MethodName: "Do", Handler: call(func(a action) (nothing, error) { return nothing{}, all.do(a) })},
	}}, nil)
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}

// call is a unary call of gRPC. An error of ours is a refusal.
func call[Request, Reply any](do func(Request) (Reply, error)) grpc.MethodHandler {
	return func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request Request
		if err := decode(&request); err != nil {
			return nil, status.Error(codes.InvalidArgument, fmt.Sprintf("the message is not as the protocol says: %v", err))
		}
		reply, err := do(request)
		if err != nil {
			return nil, status.Error(codes.FailedPrecondition, err.Error())
		}
		return reply, nil
	}
}
