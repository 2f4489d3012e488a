package uplink

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"weft.dev/model"
)

// trial is for how long a connection by the socket that has carried no stream makes
// the next one go to the server itself: who holds the socket may be frozen.
const trial = 30 * time.Second

// Options make a connection go by the machine's one, in the name of a workload,
// "namespace/account". It needs Credentials.
func (u Uplink) Options(workload string) []grpc.DialOption {
	d := &dialer{socket: u.socket()}
	return []grpc.DialOption{
		grpc.WithContextDialer(d.dial),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			stream, err := open(metadata.AppendToOutgoingContext(ctx, model.AsWorkload, workload), desc, conn, method, o...)
			if err == nil {
				err = answered(stream)
			}
			if status.Code(err) == codes.ResourceExhausted {
				d.leave()
			}
			if err != nil {
				return nil, err
			}
			d.served()
			return stream, nil
		}),
	}
}

type dialer struct {
	socket string
	mu     sync.Mutex
	conn   net.Conn  // by the socket; nil: the newest is not
	last   time.Time // that the socket took a connection which has carried nothing yet
}

// leave gives the connection by the socket up, which has no room: the next one goes
// to the server itself.
func (d *dialer) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.Close()
		d.last = time.Now()
	}
}

func (d *dialer) served() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = time.Time{}
}

// dial takes the socket, or the server itself if the socket's last connection
// was of no use. A socket that refuses will have a new holder soon.
func (d *dialer) dial(ctx context.Context, server string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.last) < trial {
		d.conn, d.last = nil, time.Time{}
		return new(net.Dialer).DialContext(ctx, "tcp", server)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", d.socket)
	if err == nil {
		d.conn, d.last = conn, time.Now()
	}
	return conn, err
}

// Credentials are those of a connection by the machine's one, and its own for when
// it goes to the server itself.
func Credentials(own credentials.TransportCredentials) credentials.TransportCredentials {
	return either{own}
}

// either are credentials that a unix socket does without: its folder is for its
// owner alone.
type either struct {
	credentials.TransportCredentials
}

func (e either) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, local := conn.(*net.UnixConn); local {
		return insecure.NewCredentials().ClientHandshake(ctx, authority, conn)
	}
	return e.TransportCredentials.ClientHandshake(ctx, authority, conn)
}

func (e either) Clone() credentials.TransportCredentials {
	return either{e.TransportCredentials.Clone()}
}
