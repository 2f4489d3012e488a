package health

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
)

// asks are the kinds. Each is given its time by ctx.
var asks = map[Kind]func(Check, context.Context) error{
	"":      func(Check, context.Context) error { return nil },
	TCP:     func(Check, context.Context) error { return nil }, // the ports have been asked already
	HTTP:    Check.http,
	GRPC:    Check.grpc,
	Command: Check.command,
}

// takes says whether a port of loopback takes connections.
func takes(ctx context.Context, port uint32) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// asker opens a connection for each try, as a new caller would, and takes a
// redirection for the answer.
var asker = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c Check) http(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(c.Port)+c.Path, nil)
	if err != nil {
		return err
	}
	for name, value := range c.Headers {
		request.Header.Set(name, value)
		if strings.EqualFold(name, "host") {
			request.Host = value
		}
	}
	reply, err := asker.Do(request)
	if err != nil {
		return err
	}
	reply.Body.Close()
	if !c.Status.contain(reply.StatusCode) {
		return fmt.Errorf("GET %s answered %s", c.Path, reply.Status)
	}
	return nil
}

// The messages of grpc.health.v1, which are not linked in: the request has the
// service as its field 1, the response a status, of which 1 is SERVING.
const (
	healthMethod  = "/grpc.health.v1.Health/Check"
	healthField   = 1
	healthServing = 1
)

func (c Check) grpc(ctx context.Context) error {
	return Serving(ctx, loopback(c.Port), c.Service, grpc.WithNoProxy())
}

// Serving asks a gRPC server whether a service of it is well; "" is all of it.
func Serving(ctx context.Context, address, service string, how grpc.DialOption) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), how)
	if err != nil {
		return err
	}
	defer conn.Close()
	var request, reply []byte
	if service != "" {
		request = protowire.AppendString(protowire.AppendTag(nil, healthField, protowire.BytesType), service)
	}
	if err := conn.Invoke(ctx, healthMethod, &request, &reply, grpc.ForceCodec(plain{})); err != nil {
		return err
	}
	if got := statusOf(reply); got != healthServing {
		return fmt.Errorf("grpc.health.v1 says of %q status %d, not SERVING", service, got)
	}
	return nil
}

// statusOf is 0, which is UNKNOWN, for what is not a response.
func statusOf(reply []byte) (got uint64) {
	for len(reply) > 0 {
		number, kind, n := protowire.ConsumeTag(reply)
		if n < 0 {
			return 0
		}
		reply = reply[n:]
		if number == healthField && kind == protowire.VarintType {
			got, _ = protowire.ConsumeVarint(reply)
		}
		if n = protowire.ConsumeFieldValue(number, kind, reply); n < 0 {
			return 0
		}
		reply = reply[n:]
	}
	return got
}

// plain is the codec of bytes that are a message already.
type plain struct{}

func (plain) Name() string                  { return "proto" }
func (plain) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (plain) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

const (
	endWait = 100 * time.Millisecond // for the output of a command that was ended
	maxSaid = 200                    // bytes of it in the reason
)

func (c Check) command(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Command)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // and what it has started
	cmd.WaitDelay = endWait
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("the command did not end in %v", c.Timeout)
	}
	if err != nil {
		return fmt.Errorf("the command: %w: %.*s", err, maxSaid, bytes.TrimSpace(said))
	}
	return nil
}

func loopback(port uint32) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }
