package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
	"weft.dev/test/peer"
)

// from makes connections come from a loopback address of the caller's own: joins
// are limited by address, and a race has to get past that.
func from(ip string) grpc.DialOption {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", address)
	})
}

// guests are connections without a certificate, to the server of a token.
func (f *fixture) guests(t *testing.T, token string, count int, ip func(i int) string) []*grpc.ClientConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all := make([]*grpc.ClientConn, count)
	for i := range all {
		config, err := identity.JoinTLS(token)
		must(t, err)
		all[i], err = peer.Dial(f.server.Mesh, config, from(ip(i)))
		must(t, err)
		t.Cleanup(func() { all[i].Close() })
		all[i].Connect()
	}
	for i, conn := range all {
		for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
			if !conn.WaitForStateChange(ctx, state) {
				t.Fatalf("guest %d is not connected: %v", i, state)
			}
		}
	}
	return all
}

// joinAll uses one token on all connections at once; the answers are counted by their text.
func (f *fixture) joinAll(t *testing.T, token string, guests []*grpc.ClientConn) map[string]int {
	var mu sync.Mutex
	var running sync.WaitGroup
	answers, start := map[string]int{}, make(chan struct{})
	for i, conn := range guests {
		running.Go(func() {
			<-start
			_, err := peer.JoinOver(t.Context(), conn, f.server.Mesh, token, fmt.Sprintf("guest-%d", i))
			mu.Lock()
			defer mu.Unlock()
			answers[status.Convert(err).Message()]++
		})
	}
	close(start)
	running.Wait()
	return answers
}

const (
	guests    = 100
	usedToken = "token: used already; if that was not you, someone else has joined with it: look at the hosts, and ask for a new one"
)

func tokenRace(t *testing.T, f *fixture) {
	token, err := f.server.Token("", namespace)
	must(t, err)
	all := f.guests(t, token, guests, func(i int) string { return fmt.Sprintf("127.0.1.%d", 1+i) })
	answers := f.joinAll(t, token, all)
	if answers[""] != 1 || answers[usedToken] != guests-1 {
		t.Errorf("%d guests were answered %v; want one let in, and all others told that it is used", guests, answers)
	}
}

func joinFlood(t *testing.T, f *fixture) {
	token, err := f.server.Token("", namespace)
	must(t, err)
	all := f.guests(t, token, guests, func(int) string { return "127.0.2.1" })
	answers := f.joinAll(t, token, all)
	if often := answers["127.0.2.1 asks too often: wait a few seconds"]; answers[""] != 1 || often < guests/2 {
		t.Errorf("%d joins from one address were answered %v; want one let in, and most told to wait", guests, answers)
	}
}

func badTokens(t *testing.T, f *fixture) {
	good, err := f.server.Token("", namespace)
	must(t, err)
	ended, err := f.server.Token("1ms", namespace)
	must(t, err)
	conn := f.guests(t, good, 1, func(int) string { return "127.0.3.1" })[0]
	for _, c := range []struct{ token, says string }{
		{ended, "token: ended "},
		{"", "token: not of the form weft_ID.SECRET.FINGERPRINT"},
		{"weft_garbage", "token: not of the form weft_ID.SECRET.FINGERPRINT"},
		{"weft_0011223344556677.c2VjcmV0.00", "token: not one of this server's"},
		{good[:len("weft_0011223344556677.")] + "guess.00", "token: not one of this server's"},
	} {
		_, err := peer.JoinOver(t.Context(), conn, f.server.Mesh, c.token, "guest")
		refused(t, err, c.says)
	}
	if _, err := peer.JoinOver(t.Context(), conn, f.server.Mesh, good, "guest"); err != nil {
		t.Errorf("wrong guesses used the good token up: %v", err)
	}
}

// stranger is a certificate for the honest workload's identity, by another CA of the same trust domain.
func stranger(t *testing.T) *identity.Credential {
	t.Helper()
	files := identity.Dir(t.TempDir())
	ca, err := identity.OpenCA(files, "cluster.local", time.Now)
	must(t, err)
	tokens, err := identity.OpenTokens(files, time.Now)
	must(t, err)
	authority := identity.Authority{CA: ca, Tokens: tokens}
	token, err := authority.NewToken(identity.Grant{Namespaces: []string{namespace}})
	must(t, err)
	key, err := identity.NewKey()
	must(t, err)
	reply, err := authority.Join(model.JoinRequest{Token: token, Host: "stranger", CSR: key.CSR})
	must(t, err)
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	must(t, err)
	return held
}

func otherCA(t *testing.T, f *fixture) {
	_, err := peer.Renew(t.Context(), f.server.Mesh, stranger(t), namespace, "honest")
	refused(t, err, "the server's certificate", "unknown authority")

	careless := identity.ClientTLS(func() *identity.Credential { return stranger(t) })
	careless.VerifyConnection = func(tls.ConnectionState) error { return nil }
	conn, err := tls.Dial("tcp", f.server.Mesh, careless)
	must(t, err) // with TLS 1.3 the server judges the client after that
	defer conn.Close()
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	refused(t, err, "tls: unknown certificate authority")
}

func otherIdentity(t *testing.T, f *fixture) {
	mallory, err := f.machine.Workload(t.Context(), namespace, "mallory")
	must(t, err)
	_, err = peer.Renew(t.Context(), f.server.Mesh, mallory, namespace, "honest")
	refused(t, err, "spiffe://cluster.local/ns/abuse/sa/mallory may renew its own identity only")
	_, err = f.machine.Workload(t.Context(), "kube-system", "honest")
	refused(t, err, "its token did not grant kube-system/honest: join again with one that does")

	conn, err := peer.DialAs(f.server.Mesh, mallory)
	must(t, err)
	defer conn.Close()
	_, err = peer.Session(t.Context(), conn, workload("honest", "honest-2"))
	refused(t, err, "/sa/mallory may not register workload abuse/honest-2", "with its own identity")
	_, err = peer.Session(t.Context(), conn, workload("mallory", "honest-1"))
	refused(t, err, "workload abuse/honest-1 belongs to application honest: choose another name")

	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(t.Context())
	must(t, err)
	must(t, stream.Send(subscription("abuse/honest-1", model.TypeCluster, "*")))
	_, err = stream.Recv()
	refused(t, err, "proxy abuse/honest-1: the certificate is of spiffe://cluster.local/ns/abuse/sa/mallory")
	if code := status.Code(err); code != codes.Unauthenticated {
		t.Errorf("ADS as another proxy ends with %v, want %v", code, codes.Unauthenticated)
	}
}

func subscription(node string, kind model.Type, names ...string) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: node}, TypeUrl: kind.TypeURL(), ResourceNamesSubscribe: names}
}
