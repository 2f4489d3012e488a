package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"weft.dev/agent/uplink"
	"weft.dev/identity"
	"weft.dev/model"
)

// connect is the one connection of the workload; it comes back by itself. On a
// machine it goes by that of all of them.
func (m *member) connect() (*grpc.ClientConn, error) {
	own := newRenewing(m.keeper.held.Load)
	if m.Pod != nil {
		return dial(m.Server, own, lasting()...)
	}
	w := m.keeper.wanted
	return dial("passthrough:///"+m.Server, uplink.Credentials(own), append(lasting(), m.uplink.Options(w.Namespace+"/"+w.Account)...)...)
}

// newUplink is an agent's part in the machine's connection.
func newUplink(server, hostDir string, log *slog.Logger) (uplink.Uplink, error) {
	sockets, err := socketDir(hostDir)
	connect := func() (*grpc.ClientConn, error) {
		credentials, err := hostCredentials(hostDir)
		if err != nil {
			return nil, err
		}
		return dial(server, credentials, lasting()...)
	}
	return uplink.Uplink{Dir: hostDir, Sockets: sockets, Log: log, Connect: connect}, err
}

// hostCredentials are the machine's. Its credential is read at each handshake:
// whichever agent comes first renews it.
func hostCredentials(hostDir string) (credentials.TransportCredentials, error) {
	first, err := identity.LoadCredential(identity.Dir(hostDir), hostFile)
	if err != nil {
		return nil, fmt.Errorf("this machine has not joined a mesh: %w; use weft join", err)
	}
	var held atomic.Pointer[identity.Credential]
	held.Store(first)
	return newRenewing(func() *identity.Credential {
		if c, err := identity.LoadCredential(identity.Dir(hostDir), hostFile); err == nil {
			held.Store(c)
		}
		return held.Load()
	}), nil
}

// renewing are credentials of connections that end before the certificate does
// which they began with. What it was renewed to serves the next connection: the
// server ends the sessions of an old one, and would refuse new ones.
type renewing struct {
	credentials.TransportCredentials
	held func() *identity.Credential
}

func newRenewing(held func() *identity.Credential) renewing {
	return renewing{credentials.NewTLS(identity.ClientTLS(held)), held}
}

func (r renewing) Clone() credentials.TransportCredentials {
	return renewing{r.TransportCredentials.Clone(), r.held}
}

func (r renewing) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	with := r.held()
	secure, info, err := r.TransportCredentials.ClientHandshake(ctx, authority, conn)
	if err != nil {
		return nil, nil, err
	}
	end := time.AfterFunc(time.Until(retirement(with, time.Now())), func() { secure.Close() })
	return retiring{secure, end}, info, nil
}

// retirement is when a connection that began with a certificate ends: when that
// should have been renewed for a while, or, if it is late already, with it.
func retirement(c *identity.Credential, now time.Time) time.Time {
	if at := c.RenewAt().Add(c.Ends().Sub(c.RenewAt()) / 2); now.Before(at) {
		return at
	}
	return c.Ends()
}

type retiring struct {
	net.Conn
	end *time.Timer
}

func (r retiring) Close() error {
	r.end.Stop()
	return r.Conn.Close()
}

// lasting are the options of connections that stay.
func lasting() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: minReconnect, Multiplier: 2, Jitter: 0.5, MaxDelay: maxReconnect},
			MinConnectTimeout: callTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: model.LeaseInterval}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithSharedWriteBuffer(true),
	}
}
