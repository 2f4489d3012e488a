package abuse

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/peer"
	"weft.dev/test/process"
)

const (
	silent = 200
	huge   = 100 << 20
	// The hosts of the flood, by ServiceEntry, and how often one of those changes.
	floodObjects, floodHosts, floodChanges = 4, 200, 30
	// dropTime is how long the server bears silence, a ping and the wait for its answer, and some more.
	dropTime = time.Minute
)

// silentConnections stops half of them before the handshake, half after its first flight.
func silentConnections(t *testing.T, f *fixture) {
	f.bounded(t, func() {
		for i := range silent {
			for _, address := range []string{f.server.Mesh, f.server.API} {
				conn, err := net.Dial("tcp", address)
				must(t, err)
				t.Cleanup(func() { conn.Close() })
				if i%2 == 0 {
					_, err = conn.Write([]byte{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}) // a record begins, and never ends
					must(t, err)
				}
			}
		}
		f.newcomer(t, "after-silence")
		f.stillServes(t)
	})
}

// newcomer is an honest workload that comes now.
func (f *fixture) newcomer(t *testing.T, app string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	held, err := f.machine.Workload(ctx, namespace, app)
	must(t, err)
	conn, err := peer.DialAs(f.server.Mesh, held)
	must(t, err)
	defer conn.Close()
	_, err = peer.Session(ctx, conn, workload(app, app+"-1"))
	must(t, err)
}

func hugeMessage(t *testing.T, f *fixture) {
	conn, err := peer.DialAs(f.server.Mesh, f.held)
	must(t, err)
	defer conn.Close()
	f.bounded(t, func() {
		stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(t.Context(), grpc.MaxCallSendMsgSize(2*huge))
		must(t, err)
		message := &discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: strings.Repeat("x", huge)}}
		if err := stream.Send(message); err != nil && err != io.EOF { // EOF: Recv says why
			t.Fatal(err)
		}
		_, err = stream.Recv()
		refused(t, err, "received message larger than max")
		err = conn.Invoke(t.Context(), model.AgentRenew, &model.RenewRequest{CSR: make([]byte, huge)}, &model.CertificateReply{},
			grpc.ForceCodec(model.AgentCodec{}), grpc.MaxCallSendMsgSize(2*huge))
		refused(t, err, "received message larger than max")
		if code := status.Code(err); code != codes.ResourceExhausted {
			t.Errorf("code %v, want %v", code, codes.ResourceExhausted)
		}
	})
}

// neverReads subscribes to everything, and then reads nothing from its socket
// while the mesh changes. Others get every change, and in the end the server lets it go.
func neverReads(t *testing.T, f *fixture) {
	const deaf = namespace + "/deaf-1"
	held, err := f.machine.Workload(t.Context(), namespace, "deaf")
	must(t, err)
	for n := range floodObjects {
		f.flood(t, n)
	}
	ears := make(chan struct{})
	conn, err := peer.Dial(f.server.Mesh, identity.ClientTLS(func() *identity.Credential { return held }),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Hour}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return deafConn{conn, ears, make(chan struct{})}, err
		}))
	must(t, err)
	defer conn.Close()
	must(t, f.apply(t.Context(), sidecars, object("Sidecar", "deaf", map[string]any{
		"workloadSelector": map[string]any{"labels": map[string]any{"app": "deaf"}},
		"egress":           []any{map[string]any{"hosts": []any{"*/*"}}}, // all of the flood is for it
	})))
	_, err = peer.Session(t.Context(), conn, workload("deaf", "deaf-1"))
	must(t, err)
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(t.Context())
	must(t, err)
	close(ears)
	must(t, stream.Send(subscription(deaf, model.TypeCluster, "*")))
	must(t, stream.Send(subscription(deaf, model.TypeListener, "*")))
	must(t, process.Until(patience, func() error { return f.connected(deaf, true) }))
	f.bounded(t, func() {
		for n := range floodChanges {
			f.flood(t, floodObjects+n)
		}
	})
	must(t, process.Until(dropTime, func() error { return f.connected(deaf, false) }))
}

// flood changes the port of a quarter of the flood's hosts, and waits for the honest proxy to have it.
func (f *fixture) flood(t *testing.T, n int) {
	t.Helper()
	hosts, port := make([]string, floodHosts), 1000+n
	for i := range hosts {
		hosts[i] = fmt.Sprintf("flood-%d-%d.test", n%floodObjects, i)
	}
	must(t, f.apply(t.Context(), serviceEntries, outside(fmt.Sprintf("flood-%d", n%floodObjects), port, hosts...)))
	f.receives(t, hosts[floodHosts-1], port)
}

// deafConn hears nothing any more once ears is closed.
type deafConn struct {
	net.Conn
	ears   <-chan struct{}
	closed chan struct{}
}

func (c deafConn) Read(b []byte) (int, error) {
	select {
	case <-c.ears:
		<-c.closed
		return 0, net.ErrClosed
	default:
		return c.Conn.Read(b)
	}
}

func (c deafConn) Close() error {
	close(c.closed)
	return c.Conn.Close()
}

// connected fails unless a proxy is, or is not, connected.
func (f *fixture) connected(id string, want bool) error {
	var rows []struct {
		ID        string
		Connected bool
	}
	if err := f.server.Ask(&rows, "get", "proxies", "-o", "json"); err != nil {
		return err
	}
	is := false
	for _, row := range rows {
		is = is || row.ID == id && row.Connected
	}
	if is != want {
		return fmt.Errorf("proxy %s: connected %v, want %v", id, is, want)
	}
	return nil
}
