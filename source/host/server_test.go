package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/model"
)

// memory keeps Workload objects, and tells the test of each change.
type memory struct {
	mu      sync.Mutex
	objects map[string]v1alpha1.Workload
	changed chan struct{}
}

func newMemory() *memory {
	return &memory{objects: map[string]v1alpha1.Workload{}, changed: make(chan struct{}, 1000)}
}

func (m *memory) do(change func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
	m.changed <- struct{}{}
	return nil
}

func (m *memory) List(context.Context) (all []v1alpha1.Workload, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.objects {
		all = append(all, w)
	}
	return all, nil
}

func (m *memory) Apply(_ context.Context, w v1alpha1.Workload) error {
	return m.do(func() { m.objects[w.Namespace+"/"+w.Name] = w })
}

func (m *memory) SetHealth(_ context.Context, namespace, name string, h model.Health) error {
	return m.do(func() {
		w := m.objects[namespace+"/"+name]
		w.Status.Health = string(h)
		m.objects[namespace+"/"+name] = w
	})
}

func (m *memory) Delete(_ context.Context, namespace, name string) error {
	return m.do(func() { delete(m.objects, namespace+"/"+name) })
}

func (m *memory) health(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	w, ok := m.objects[key]
	if !ok {
		return "none"
	}
	return w.Status.Health
}

// await waits until a workload has a health, "none" for none.
func (m *memory) await(t *testing.T, key, want string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for m.health(key) != want {
		select {
		case <-m.changed:
		case <-deadline:
			t.Fatalf("workload %s is %s, want %s", key, m.health(key), want)
		}
	}
}

// port is a mesh port with everything real but the store.
type port struct {
	authority identity.Authority
	server    *Server
	workloads *memory
	address   string
	traffic   chan model.TrafficReport
	log       *bytes.Buffer
	skew      atomic.Int64 // added to the server's clock
}

func openPort(t *testing.T) *port {
	t.Helper()
	p := &port{workloads: newMemory(), traffic: make(chan model.TrafficReport, 10), log: &bytes.Buffer{}}
	ca, err := identity.OpenCA(identity.Dir(t.TempDir()), "shop.test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := identity.OpenTokens(identity.Dir(t.TempDir()), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p.authority = identity.Authority{CA: ca, Tokens: tokens}
	p.server = New(Options{
		Authority: p.authority, Workloads: p.workloads, Log: slog.New(slog.NewTextHandler(p.log, nil)),
		Now:     func() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) },
		Traffic: func(_ model.Registration, r model.TrafficReport) { p.traffic <- r },
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(ca.ServerTLS())))
	p.server.Register(server)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return p
}

func (p *port) dial(t *testing.T, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(model.AgentCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// host joins a machine.
func (p *port) host(t *testing.T, grant identity.Grant) *grpc.ClientConn {
	t.Helper()
	token, err := p.authority.NewToken(grant)
	if err != nil {
		t.Fatal(err)
	}
	config, err := identity.JoinTLS(token)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var reply model.JoinReply
	request := model.JoinRequest{Token: token, Host: "web-1", CSR: key.CSR}
	if err := p.dial(t, config).Invoke(t.Context(), model.AgentJoin, &request, &reply); err != nil {
		t.Fatal(err)
	}
	held, err := key.Certified(reply.CertificateReply, reply.TrustDomain)
	if err != nil {
		t.Fatal(err)
	}
	return p.dial(t, identity.ClientTLS(func() *identity.Credential { return held }))
}

func renew(t *testing.T, conn *grpc.ClientConn, namespace, account string) (*identity.Credential, error) {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var reply model.CertificateReply
	request := model.RenewRequest{Namespace: namespace, Account: account, CSR: key.CSR}
	if err := conn.Invoke(t.Context(), model.AgentRenew, &request, &reply); err != nil {
		return nil, err
	}
	return key.Certified(reply, "shop.test")
}

// workload is a connection with the identity of an application in namespace shop.
func (p *port) workload(t *testing.T, app string) *grpc.ClientConn {
	t.Helper()
	held, err := renew(t, p.host(t, identity.Grant{Namespaces: []string{"shop"}}), "shop", app)
	if err != nil {
		t.Fatal(err)
	}
	return p.dial(t, identity.ClientTLS(func() *identity.Credential { return held }))
}

func registration(app, name string) *model.Registration {
	return &model.Registration{
		Namespace: "shop", Name: name, App: app, Version: "v1", Address: "127.0.0.1", Host: "web-1",
		Labels: map[string]string{"app": "another", "team": "one"}, OutboundPort: 15001,
		Ports:     []model.WorkloadPort{{Number: 9080, Protocol: model.HTTP, ProxyPort: 20001, AppPort: 20002}},
		Datagrams: []model.WorkloadPort{{Number: 53, Protocol: model.UDP, ProxyPort: 5353}},
	}
}

// say opens a session and says messages; the last answer, or the end, is returned.
func say(t *testing.T, conn *grpc.ClientConn, messages ...model.AgentMessage) (grpc.ClientStream, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, model.AgentSession)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if stream.SendMsg(&m) != nil {
			break // RecvMsg has the reason
		}
	}
	var answer model.ServerMessage
	return stream, stream.RecvMsg(&answer)
}

func TestSession(t *testing.T) {
	p := openPort(t)
	conn := p.workload(t, "reviews")
	stream, err := say(t, conn, model.AgentMessage{Register: registration("reviews", "reviews-1"), Health: model.Unhealthy})
	if err != nil {
		t.Fatal(err)
	}
	p.workloads.await(t, "shop/reviews-1", "Unhealthy")
	p.workloads.mu.Lock()
	object := p.workloads.objects["shop/reviews-1"]
	p.workloads.mu.Unlock()
	if object.Labels["app"] != "reviews" || object.Labels["team"] != "one" || object.Spec.OutboundPort != 15001 || object.Spec.Ports[0].ProxyPort != 20001 ||
		object.Spec.Ports[1] != (v1alpha1.WorkloadPort{Number: 53, Protocol: "udp", ProxyPort: 5353, AppPort: 5353}) {
		t.Errorf("object %+v", object)
	}
	for _, m := range []model.AgentMessage{
		{Health: model.Healthy},
		{Traffic: &model.TrafficReport{Period: time.Second, Edges: []model.EdgeCounters{{Cluster: "ratings:80", Requests: 3}}}},
		{Health: model.Draining},
	} {
		if err := stream.SendMsg(&m); err != nil {
			t.Fatal(err)
		}
	}
	p.workloads.await(t, "shop/reviews-1", "Draining")
	if r := <-p.traffic; r.Edges[0].Requests != 3 {
		t.Errorf("traffic %+v", r)
	}
	for _, want := range []model.Health{model.Healthy, model.Draining} {
		var answer model.ServerMessage
		if err := stream.RecvMsg(&answer); err != nil || answer.Health != want {
			t.Errorf("answer %+v, %v; want %s", answer, err, want)
		}
	}
	if err := stream.SendMsg(&model.AgentMessage{Deregister: true}); err != nil {
		t.Fatal(err)
	}
	p.workloads.await(t, "shop/reviews-1", "none")
}

func TestRefusedSessions(t *testing.T) {
	p := openPort(t)
	conn := p.workload(t, "reviews")
	if _, err := say(t, p.workload(t, "ratings"), model.AgentMessage{Register: registration("ratings", "taken")}); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*model.Registration)) *model.Registration {
		r := registration("reviews", "reviews-1")
		f(r)
		return r
	}
	for name, test := range map[string]struct {
		message model.AgentMessage
		want    codes.Code
	}{
		"no registration":     {model.AgentMessage{Health: model.Healthy}, codes.InvalidArgument},
		"another's app":       {model.AgentMessage{Register: registration("ratings", "x")}, codes.PermissionDenied},
		"another namespace":   {model.AgentMessage{Register: change(func(r *model.Registration) { r.Namespace = "pay" })}, codes.PermissionDenied},
		"another's gateway":   {model.AgentMessage{Register: change(func(r *model.Registration) { r.Gateway = "ingress" })}, codes.PermissionDenied},
		"another's name":      {model.AgentMessage{Register: registration("reviews", "taken")}, codes.AlreadyExists},
		"a name with a slash": {model.AgentMessage{Register: registration("reviews", "../x")}, codes.InvalidArgument},
		"no address":          {model.AgentMessage{Register: change(func(r *model.Registration) { r.Address = "web" })}, codes.InvalidArgument},
		"redirected nowhere":  {model.AgentMessage{Register: change(func(r *model.Registration) { r.Redirected, r.OutboundPort = true, 0 })}, codes.InvalidArgument},
		"port 0 of UDP":       {model.AgentMessage{Register: change(func(r *model.Registration) { r.Datagrams[0].ProxyPort = 0 })}, codes.InvalidArgument},
		"port 0":              {model.AgentMessage{Register: change(func(r *model.Registration) { r.Ports[0].ProxyPort = 0 })}, codes.InvalidArgument},
		"Lost is not its own": {model.AgentMessage{Register: registration("reviews", "x"), Health: model.Lost}, codes.InvalidArgument},
		"too many labels": {model.AgentMessage{Register: change(func(r *model.Registration) {
			for i := range 1000 {
				r.Labels[fmt.Sprint("l", i)] = "x"
			}
		})}, codes.InvalidArgument},
		"a message of 3 MB": {model.AgentMessage{Register: change(func(r *model.Registration) { r.Version = strings.Repeat("v", 3<<20) })}, codes.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := say(t, conn, test.message)
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if h := p.workloads.health("shop/taken"); h != "Unhealthy" {
		t.Errorf("the other's workload is %s", h)
	}
}

func TestNoCertificateNoSession(t *testing.T) {
	p := openPort(t)
	token, err := p.authority.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := identity.JoinTLS(token)
	if err != nil {
		t.Fatal(err)
	}
	nobody := p.dial(t, config)
	if _, err := say(t, nobody, model.AgentMessage{Register: registration("reviews", "x")}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("session: %v", err)
	}
	if _, err := renew(t, nobody, "shop", "reviews"); status.Code(err) != codes.Unauthenticated {
		t.Errorf("renew: %v", err)
	}
	host := p.host(t, identity.Grant{Namespaces: []string{"shop"}, Apps: []string{"reviews"}})
	if _, err := renew(t, host, "shop", "ratings"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a workload that the token does not grant: %v", err)
	}
	if _, err := say(t, host, model.AgentMessage{Register: registration("reviews", "x")}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a host registers a workload: %v", err)
	}
	other := openPort(t)
	held, err := renew(t, other.host(t, identity.Grant{Namespaces: []string{"shop"}}), "shop", "reviews")
	if err != nil {
		t.Fatal(err)
	}
	posing := held.WithRoots(p.authority.Roots()) // it trusts our server; ours must not trust it
	stranger := p.dial(t, identity.ClientTLS(func() *identity.Credential { return posing }))
	if _, err := say(t, stranger, model.AgentMessage{Register: registration("reviews", "x")}); status.Code(err) != codes.Unavailable {
		t.Errorf("a certificate of another authority: %v", err)
	}
}

// Of 100 that join with one token one is let in, and the secret is in no log.
func TestJoinOverTheWire(t *testing.T) {
	p := openPort(t)
	p.server.joins = newCallers(1, 1000) // not what is tested here
	token, err := p.authority.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := identity.JoinTLS(token)
	if err != nil {
		t.Fatal(err)
	}
	conn := p.dial(t, config)
	var wg sync.WaitGroup
	var in atomic.Int32
	for range 100 {
		key, err := identity.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			var reply model.JoinReply
			err := conn.Invoke(context.Background(), model.AgentJoin, &model.JoinRequest{Token: token, Host: "web-1", CSR: key.CSR}, &reply)
			if err == nil {
				in.Add(1)
			} else if status.Code(err) != codes.PermissionDenied {
				t.Errorf("join: %v", err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d of 100 were let in", in.Load())
	}
	if secret := strings.Split(token, ".")[1]; strings.Contains(p.log.String(), secret) {
		t.Error("the log holds the secret of a token")
	}
}

func TestJoinsAreLimited(t *testing.T) {
	p := openPort(t)
	token, err := p.authority.NewToken(identity.Grant{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	config, err := identity.JoinTLS(token)
	if err != nil {
		t.Fatal(err)
	}
	conn := p.dial(t, config)
	limited := 0
	for range 30 {
		var reply model.JoinReply
		err := conn.Invoke(t.Context(), model.AgentJoin, &model.JoinRequest{Token: "weft_guess.guess.guess", Host: "x"}, &reply)
		if status.Code(err) == codes.ResourceExhausted {
			limited++
		}
	}
	if limited < 15 {
		t.Errorf("%d of 30 guesses were held back", limited)
	}
}

func TestNewestSessionWins(t *testing.T) {
	p := openPort(t)
	conn := p.workload(t, "reviews")
	older, err := say(t, conn, model.AgentMessage{Register: registration("reviews", "reviews-1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := say(t, conn, model.AgentMessage{Register: registration("reviews", "reviews-1"), Health: model.Healthy}); err != nil {
		t.Fatal(err)
	}
	var answer model.ServerMessage
	if err := older.RecvMsg(&answer); status.Code(err) != codes.Aborted {
		t.Errorf("the older session: %v", err)
	}
	p.workloads.await(t, "shop/reviews-1", "Healthy")
}

func TestRootsArePushed(t *testing.T) {
	p := openPort(t)
	stream, err := say(t, p.workload(t, "reviews"), model.AgentMessage{Register: registration("reviews", "reviews-1")})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.authority.CA.Rotate(time.Hour); err != nil {
		t.Fatal(err)
	}
	var answer model.ServerMessage
	if err := stream.RecvMsg(&answer); err != nil || len(answer.Roots) != 2 {
		t.Errorf("after a rotation: %d roots, %v", len(answer.Roots), err)
	}
}

// Roots that change while a session has messages waiting are told as well.
func TestRootsArePushedAmongMessages(t *testing.T) {
	p := openPort(t)
	p.traffic = make(chan model.TrafficReport) // a session waits for this test with each report
	conn := p.workload(t, "reviews")
	const sessions, reports = 8, 3
	var streams []grpc.ClientStream
	for i := range sessions {
		stream, err := say(t, conn, model.AgentMessage{Register: registration("reviews", fmt.Sprint("reviews-", i))})
		if err != nil {
			t.Fatal(err)
		}
		for range reports {
			if err := stream.SendMsg(&model.AgentMessage{Traffic: &model.TrafficReport{Period: time.Second}}); err != nil {
				t.Fatal(err)
			}
		}
		streams = append(streams, stream)
	}
	<-p.traffic // they are being taken
	if err := p.authority.CA.Rotate(time.Hour); err != nil {
		t.Fatal(err)
	}
	for range sessions*reports - 1 {
		<-p.traffic
	}
	for i, stream := range streams {
		var answer model.ServerMessage
		if err := stream.RecvMsg(&answer); err != nil || len(answer.Roots) != 2 {
			t.Errorf("session %d: %d roots, %v", i, len(answer.Roots), err)
		}
	}
}

// A workload that is known from before a restart has a full lease, and no more.
func TestRestartedServer(t *testing.T) {
	p := openPort(t)
	w := workload(*registration("reviews", "reviews-1"), model.Healthy, metav1.Now())
	p.workloads.objects["shop/reviews-1"] = w
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.server.Run(ctx) }()
	for held := false; !held; {
		p.server.mu.Lock()
		_, held = p.server.leases.owner(id{"shop", "reviews-1"})
		p.server.mu.Unlock()
	}
	if h := p.workloads.health("shop/reviews-1"); h != "Healthy" {
		t.Errorf("right after the start it is %s", h)
	}
	for range 3 { // the clock runs faster, not so fast that it counts as a pause
		p.skew.Add(int64(model.LeaseInterval))
		p.server.mu.Lock()
		p.server.leases.ticked = p.server.Now()
		p.server.mu.Unlock()
	}
	p.workloads.await(t, "shop/reviews-1", "none")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
