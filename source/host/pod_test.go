package host

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft.dev/identity"
	"weft.dev/model"
)

// kubernetes is a cluster with the pods shop/web-1 and shop/api-1, of the accounts
// web and api; "web" is the token of the first.
type kubernetes struct {
	authority identity.Authority
	leads     atomic.Bool
	hungUp    chan net.Addr
}

func (k *kubernetes) Attest(_ context.Context, r model.AttestRequest) (model.JoinReply, error) {
	if r.Token != "web" {
		return model.JoinReply{}, &identity.Refusal{Reason: "not a token"}
	}
	return k.authority.Attest(r.CSR, "shop", "web")
}

func (k *kubernetes) Pod(namespace, name string) (string, bool) {
	account := map[string]string{"web-1": "web", "api-1": "api"}[name]
	return account, namespace == "shop" && account != ""
}

func (k *kubernetes) Leading() bool          { return k.leads.Load() }
func (k *kubernetes) HangUp(remote net.Addr) { k.hungUp <- remote }
func podOf(name string) *model.Registration {
	return &model.Registration{Namespace: "shop", Name: name, ServiceAccount: "web", Address: "127.0.0.1"}
}

func openCluster(t *testing.T) (*port, *kubernetes) {
	p := openPort(t)
	k := &kubernetes{authority: p.authority, hungUp: make(chan net.Addr, 8)}
	p.server.Cluster = k
	return p, k
}

// attested is a connection with the certificate that a pod's token gets.
func attested(t *testing.T, p *port, token string) (*grpc.ClientConn, error) {
	t.Helper()
	config, err := identity.RootsTLS(p.authority.CA.RootsPEM())
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var reply model.JoinReply
	if err := p.dial(t, config).Invoke(t.Context(), model.AgentAttest, &model.AttestRequest{Token: token, CSR: key.CSR}, &reply); err != nil {
		return nil, err
	}
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	if err != nil {
		t.Fatal(err)
	}
	return p.dial(t, identity.ClientTLS(func() *identity.Credential { return held })), nil
}

// A pod has a session by its token, at any replica, and is written down nowhere.
func TestPodSession(t *testing.T) {
	p, _ := openCluster(t)
	if _, err := attested(t, p, "stolen"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a wrong token: %v", err)
	}
	conn, err := attested(t, p, "web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := say(t, conn, model.AgentMessage{Register: podOf("web-1"), Health: model.Healthy}); err != nil {
		t.Fatal(err)
	}
	if got := p.workloads.health("shop/web-1"); got != "none" {
		t.Errorf("the pod is written down as %s", got)
	}
	if _, err := say(t, conn, model.AgentMessage{Register: podOf("web-2")}); status.Code(err) != codes.Unavailable {
		t.Errorf("a pod that nobody knows: %v", err)
	}
	if _, err := say(t, conn, model.AgentMessage{Register: podOf("api-1")}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a pod of another account: %v", err)
	}
	if _, err := say(t, conn, model.AgentMessage{Register: registration("reviews", "reviews-1")}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another's identity: %v", err)
	}
}

// Hosts register where the leader is: who does not lead refuses and hangs up, as
// does who leads no more.
func TestHostsGoToTheLeader(t *testing.T) {
	p, k := openCluster(t)
	conn := p.workload(t, "reviews")
	register := model.AgentMessage{Register: registration("reviews", "reviews-1"), Health: model.Healthy}
	if _, err := say(t, conn, register); status.Code(err) != codes.Unavailable {
		t.Fatalf("at a replica that does not lead: %v", err)
	}
	first := <-k.hungUp
	k.leads.Store(true)
	ctx, lose := context.WithCancel(t.Context())
	led := make(chan error, 1)
	go func() { led <- p.server.Run(ctx) }()
	if _, err := say(t, conn, register); err != nil {
		t.Fatal(err)
	}
	lose()
	if err := <-led; err != nil {
		t.Fatal(err)
	}
	if second := <-k.hungUp; second.String() != first.String() {
		t.Errorf("hung up on %v, want %v: the test's fake ends no connection", second, first)
	}
}
