package remote

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"weft.dev/release/instances"
)

// callTime is how long a call may take: what takes longer, a provider begins, and Observe shows.
const callTime = 30 * time.Second

// Provider is a program that runs versions.
type Provider struct {
	name  string
	conn  *grpc.ClientConn
	known atomic.Bool // it speaks this version of the protocol
}

var _ instances.Provider = (*Provider)(nil)

// Dial makes a provider of the program at an address: unix:/PATH, or HOST:PORT on this machine, for
// nothing is encrypted and nobody proves who he is. It connects when it is needed.
func Dial(name, address string) (*Provider, error) {
	if !local(address) {
		return nil, fmt.Errorf("provider %s at %q: give unix:/PATH, or a loopback address with a port, such as 127.0.0.1:7500: what is said to it is not encrypted", name, address)
	}
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("provider %s at %q: %w", name, address, err)
	}
	return &Provider{name: name, conn: conn}, nil
}

func local(address string) bool {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return strings.HasPrefix(path, "/")
	}
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback() && at.Port() != 0
}

// Close ends the connection.
func (p *Provider) Close() error { return p.conn.Close() }

// Describe asks the program what it is; an error if it speaks another version of the protocol.
func (p *Provider) Describe(ctx context.Context) (d Description, err error) {
	if err := p.call(ctx, describe, nothing{}, &d); err != nil {
		return d, err
	}
	if d.Protocol != Protocol {
		return d, fmt.Errorf("provider %s speaks version %d of %s, and this weft speaks %d: take versions of both that fit", p.name, d.Protocol, Service, Protocol)
	}
	p.known.Store(true)
	return d, nil
}

// meet makes sure that the program is one that can be spoken to.
func (p *Provider) meet(ctx context.Context) error {
	if p.known.Load() {
		return nil
	}
	_, err := p.Describe(ctx)
	return err
}

// Observe asks for the versions of an application.
func (p *Provider) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	if err := p.meet(ctx); err != nil {
		return nil, err
	}
	var a Answer
	if err := p.call(ctx, observe, Question{t}, &a); err != nil {
		return nil, err
	}
	if a.Versions == nil {
		a.Versions = map[string]instances.Seen{}
	}
	return a.Versions, nil
}

// Do has the program do an action.
func (p *Provider) Do(ctx context.Context, a instances.Action) error {
	if err := a.Check(); err != nil {
		return err
	}
	if err := p.meet(ctx); err != nil {
		return err
	}
	return p.call(ctx, do, a, &nothing{})
}

// call makes one call. A program refuses with FailedPrecondition or InvalidArgument, or by not knowing the call.
func (p *Provider) call(ctx context.Context, method string, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := p.conn.Invoke(ctx, method, request, answer)
	switch code := status.Code(err); code {
	case codes.OK:
		return nil
	case codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented:
		return fmt.Errorf("%w by provider %s: %s", instances.ErrRefused, p.name, status.Convert(err).Message())
	}
	return fmt.Errorf("provider %s: %w", p.name, err)
}
