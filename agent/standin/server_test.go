package standin_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"google.golang.org/genproto/googleapis/rpc/status"

	"weft.dev/agent/standin"
	"weft.dev/model"
)

const patience = 10 * time.Second

// client is the relay's side of one stream.
type client struct {
	*testing.T
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	end    func()
}

func newServer(t *testing.T) *standin.Server {
	t.Helper()
	s, err := standin.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func connect(t *testing.T, s *standin.Server) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(s).DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return client{t, stream, cancel}
}

func (c client) send(q *discoveryv3.DeltaDiscoveryRequest) {
	c.Helper()
	q.Node = &corev3.Node{Id: "shop/a"}
	if err := c.stream.Send(q); err != nil {
		c.Fatal(err)
	}
}

// ask subscribes to all of a type, of which it holds some.
func (c client) ask(t model.Type, holds map[string]string) {
	c.Helper()
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: t.TypeURL(), ResourceNamesSubscribe: []string{"*"}, InitialResourceVersions: holds})
}

// gets reads a response, and says what is in it as "Cluster +a -b".
func (c client) gets(want string) *discoveryv3.DeltaDiscoveryResponse {
	c.Helper()
	p, err := c.stream.Recv()
	if err != nil {
		c.Fatalf("instead of %s: %v", want, err)
	}
	words := []string{p.TypeUrl[strings.LastIndexByte(p.TypeUrl, '.')+1:]}
	for _, one := range p.Resources {
		words = append(words, "+"+one.Name)
	}
	for _, name := range p.RemovedResources {
		words = append(words, "-"+name)
	}
	slices.Sort(words[1:])
	if got := strings.Join(words, " "); got != want {
		c.Fatalf("it sends %s, want %s", got, want)
	}
	return p
}

func (c client) accept(p *discoveryv3.DeltaDiscoveryResponse) {
	c.Helper()
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: p.TypeUrl, ResponseNonce: p.Nonce})
}

func one(t model.Type, name, body string, needs ...string) *model.Resource {
	return model.NewResource(model.Resource{Type: t, Name: name, Body: []byte(body), Needs: needs})
}

func refusal(why string) *status.Status { return &status.Status{Message: why} }

func inUse(t *testing.T, s *standin.Server) {
	t.Helper()
	for deadline := time.Now().Add(patience); !s.InUse(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what was accepted is not in use")
		}
	}
}

// A cluster is replaced: the new one comes before the host that needs it, the old one
// goes after that, and a new stream brings nothing that is held.
func TestMakeBeforeBreak(t *testing.T) {
	s := newServer(t)
	s.Set([]*model.Resource{one(model.TypeCluster, "a", "1"), one(model.TypeVirtualHost, "o/x", "to a", "a")})
	c := connect(t, s)
	c.ask(model.TypeVirtualHost, nil)
	c.ask(model.TypeCluster, nil)
	clusters := c.gets("Cluster +a")
	if s.InUse() {
		t.Error("in use before it was accepted")
	}
	c.accept(clusters)
	c.accept(c.gets("VirtualHost +o/x"))
	inUse(t, s)

	s.Set([]*model.Resource{one(model.TypeCluster, "b", "1"), one(model.TypeVirtualHost, "o/x", "to b", "b")})
	c.accept(c.gets("Cluster +b"))
	hosts := c.gets("VirtualHost +o/x")
	if s.InUse() {
		t.Error("in use before all of it was accepted")
	}
	c.accept(hosts)
	c.accept(c.gets("Cluster -a"))
	inUse(t, s)

	c.end()
	c = connect(t, s)
	c.ask(model.TypeCluster, map[string]string{"b": model.VersionText(model.HashBody([]byte("1")))})
	c.ask(model.TypeVirtualHost, map[string]string{"o/x": model.VersionText(model.HashBody([]byte("to a")))})
	c.accept(c.gets("VirtualHost +o/x"))
	inUse(t, s)
}

// A request waits at Envoy for the answer to what nobody knows.
func TestUnknownIsAnswered(t *testing.T) {
	s := newServer(t)
	s.Set([]*model.Resource{one(model.TypeVirtualHost, "o/x", "1")})
	c := connect(t, s)
	c.ask(model.TypeVirtualHost, nil)
	c.accept(c.gets("VirtualHost +o/x"))
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: model.TypeVirtualHost.TypeURL(), ResourceNamesSubscribe: []string{"o/nobody"}})
	if p := c.gets("VirtualHost +o/nobody"); p.Resources[0].Resource != nil {
		t.Errorf("of nobody it says %v", p.Resources[0])
	}
}

// What was refused is not in use, and harms no other.
func TestRefused(t *testing.T) {
	s := newServer(t)
	s.Set([]*model.Resource{one(model.TypeCluster, "a", "1")})
	c := connect(t, s)
	c.ask(model.TypeCluster, nil)
	c.accept(c.gets("Cluster +a"))
	inUse(t, s)
	s.Set([]*model.Resource{one(model.TypeCluster, "a", "bad"), one(model.TypeCluster, "b", "1")})
	p := c.gets("Cluster +a +b")
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: p.TypeUrl, ResponseNonce: p.Nonce, ErrorDetail: refusal("a: bad")})
	for range 2 { // each by itself
		p, err := c.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		q := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: p.TypeUrl, ResponseNonce: p.Nonce}
		if p.Resources[0].Name == "a" {
			q.ErrorDetail = refusal("a: bad")
		}
		c.send(q)
	}
	if s.InUse() {
		t.Error("what was refused is in use")
	}
	s.Set([]*model.Resource{one(model.TypeCluster, "a", "1"), one(model.TypeCluster, "b", "1")})
	inUse(t, s)
}

// Until there is a view nobody is told that there is nothing.
func TestNothingBeforeTheFirstView(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	opened := make(chan error, 1)
	go func() {
		_, err := discoveryv3.NewAggregatedDiscoveryServiceClient(s).DeltaAggregatedResources(ctx)
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("a stream before the first view: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	if err := <-opened; err == nil {
		t.Error("a stream after its end")
	}
	s.Set(nil)
	c := connect(t, s)
	c.ask(model.TypeCluster, nil)
}
