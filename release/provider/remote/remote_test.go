package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/release/instances"
	"weft.dev/release/provider/conform"
	"weft.dev/release/provider/fake"
)

// answer is a call of a server in the test.
func answer[Req any](call func(context.Context, Req) (any, error)) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request Req
		if err := decode(&request); err != nil {
			return nil, err
		}
		reply, err := call(ctx, request)
		if errors.Is(err, instances.ErrRefused) {
			err = status.Error(codes.FailedPrecondition, err.Error())
		}
		return reply, err
	}
}

// serve has a provider in memory answer at a socket.
func serve(t *testing.T, in instances.Provider, protocol int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(codec{}), grpc.MaxRecvMsgSize(maxMessage))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: Service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		{MethodName: "Describe", Handler: answer(func(context.Context, nothing) (any, error) {
			return Description{Protocol: protocol, Name: "memory"}, nil
		})},
		{MethodName: "Observe", Handler: answer(func(ctx context.Context, q Question) (any, error) {
			seen, err := in.Observe(ctx, q.Target)
			return Answer{seen}, err
		})},
		{MethodName: "Do", Handler: answer(func(ctx context.Context, a instances.Action) (any, error) { return nothing{}, in.Do(ctx, a) })},
	}}, nil)
	go server.Serve(listener) //nolint:errcheck // until it is stopped
	t.Cleanup(server.Stop)
	return "unix:" + path
}

func dial(t *testing.T, address string) *Provider {
	t.Helper()
	p, err := Dial("memory", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestConformance(t *testing.T) {
	conform.Run(t, func(t *testing.T) conform.Subject {
		var now atomic.Int64
		in := fake.New(fake.Options{
			Now: func() time.Time { return time.Unix(now.Load(), 0) }, Start: 3e9, Stop: 2e9,
			Bad: func(image string) string { return map[string]string{"bad": "its process ends at once"}[image] },
		})
		return conform.Subject{
			Provider: dial(t, serve(t, in, Protocol)), Target: instances.Target{Namespace: "shop", Application: "reviews"},
			Good: "good", Bad: "bad", Pass: func() { now.Add(1) }, Looks: 20,
		}
	})
}

// broken is a provider that gives errors.
type broken struct{ err error }

func (b broken) Observe(context.Context, instances.Target) (map[string]instances.Seen, error) {
	return nil, b.err
}
func (b broken) Do(context.Context, instances.Action) error { return b.err }

func TestErrors(t *testing.T) {
	deploy := instances.Action{ID: "a/1", Verb: instances.Deploy, Version: "v2"}
	for code, refused := range map[codes.Code]bool{
		codes.FailedPrecondition: true, codes.InvalidArgument: true, codes.Unimplemented: true,
		codes.Unavailable: false, codes.Internal: false, codes.Unknown: false,
	} {
		p := dial(t, serve(t, broken{status.Error(code, "no room at the inn")}, Protocol))
		err := p.Do(t.Context(), deploy)
		if errors.Is(err, instances.ErrRefused) != refused || err == nil || !strings.Contains(err.Error(), "provider memory: ") || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: %v", code, err)
		}
	}
	p := dial(t, serve(t, broken{}, Protocol))
	big := deploy
	big.Manifests = bytes.Repeat([]byte("#"), 16<<20)
	if err := p.Do(t.Context(), big); err != nil {
		t.Errorf("16 MiB: %v", err)
	}
	if seen, err := p.Observe(t.Context(), instances.Target{}); seen == nil || err != nil {
		t.Errorf("none at all: %v %v", seen, err)
	}
	if err := dial(t, serve(t, broken{}, 2)).Do(t.Context(), deploy); err == nil || !strings.Contains(err.Error(), "speaks version 2") {
		t.Errorf("another version: %v", err)
	}
	gone := dial(t, "unix:"+filepath.Join(t.TempDir(), "nobody"))
	if err := gone.Do(t.Context(), deploy); err == nil || errors.Is(err, instances.ErrRefused) {
		t.Errorf("who does not answer does not refuse: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for address, fits := range map[string]bool{
		"unix:/run/provider.sock": true, "127.0.0.1:7500": true, "[::1]:7500": true,
		"unix:relative": false, "10.0.0.1:7500": false, "localhost:7500": false, "example.com:443": false, "127.0.0.1": false, "127.0.0.1:0": false, "": false, "dns:///x": false,
	} {
		p, err := Dial("ours", address)
		if (err == nil) != fits {
			t.Errorf("%s: %v", address, err)
		}
		if p != nil {
			p.Close()
		}
	}
}

var messages = regexp.MustCompile("(?ms)^```json ([a-z ]+)\n(.*?)^```$")

// TestGuide: what the guide shows is what goes over the wire, each field of it.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../docs/guides/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{
		"describe answer": &Description{}, "observe request": &Question{}, "observe answer": &Answer{}, "do request": &instances.Action{},
	}
	for _, found := range messages.FindAllSubmatch(text, -1) {
		name := string(found[1])
		into, ok := wanted[name]
		if !ok {
			t.Errorf("%s: nobody knows this message", name)
			continue
		}
		delete(wanted, name)
		decoder := json.NewDecoder(bytes.NewReader(found[2]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, _ := json.Marshal(into)
		var is, was any
		if json.Unmarshal(again, &is) != nil || json.Unmarshal(found[2], &was) != nil || !reflect.DeepEqual(is, was) {
			t.Errorf("%s: the guide has %s, the wire %s", name, found[2], again)
		}
	}
	if len(wanted) > 0 {
		t.Errorf("the guide lacks %v", wanted)
	}
	for _, v := range instances.Verbs {
		if !bytes.Contains(text, []byte("| `"+string(v)+"` |")) {
			t.Errorf("the guide does not say what %s is", v)
		}
	}
}
