package xds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"weft.dev/flow"
	"weft.dev/model"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func serve(t *testing.T, o Options) (*Server, discoveryv3.AggregatedDiscoveryServiceClient) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(o)
	g := grpc.NewServer(ServerOptions()...)
	s.Register(g)
	go g.Serve(lis)
	t.Cleanup(g.Stop)
	return s, dial(t, lis.Addr().String())
}

func dial(t *testing.T, addr string) discoveryv3.AggregatedDiscoveryServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return discoveryv3.NewAggregatedDiscoveryServiceClient(conn)
}

// client is a delta stream.
type client struct {
	t      *testing.T
	node   string
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	cancel context.CancelFunc
}

func connect(t *testing.T, c discoveryv3.AggregatedDiscoveryServiceClient, node string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	stream, err := c.DeltaAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return &client{t, node, stream, cancel}
}

func (c *client) send(t model.Type, r *discoveryv3.DeltaDiscoveryRequest) {
	c.t.Helper()
	r.TypeUrl, r.Node = t.TypeURL(), &corev3.Node{Id: c.node}
	if err := c.stream.Send(r); err != nil && !errors.Is(err, io.EOF) {
		c.t.Fatal(err)
	}
}

// hear returns the next response in the words of script, and its nonce.
func (c *client) hear(want string) *discoveryv3.DeltaDiscoveryResponse {
	c.t.Helper()
	m, err := c.stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	got := typeOfURL[m.GetTypeUrl()].String()
	for _, r := range m.GetResources() {
		got += fmt.Sprintf(" +%s=%s", r.GetName(), r.GetResource().GetValue())
	}
	for _, name := range m.GetRemovedResources() {
		got += " -" + name
	}
	if got != want {
		c.t.Fatalf("heard %q, want %q", got, want)
	}
	return m
}

func (c *client) ack(m *discoveryv3.DeltaDiscoveryResponse) {
	c.t.Helper()
	c.send(typeOfURL[m.GetTypeUrl()], &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: m.GetNonce()})
}

// ends waits for the end of the stream.
func (c *client) ends(code codes.Code, text string) {
	c.t.Helper()
	for {
		_, err := c.stream.Recv()
		if err == nil {
			continue
		}
		if s := status.Convert(err); s.Code() != code || !strings.Contains(s.Message(), text) {
			c.t.Fatalf("stream ended with %v, want %v and %q", err, code, text)
		}
		return
	}
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func layer(name string, all ...*model.Resource) *model.Layer { return model.NewLayer(name, all...) }

func TestDeltaStream(t *testing.T) {
	h := newHeld()
	s, c := serve(t, Options{Views: h})
	p := connect(t, c, "web-1")
	p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	h.Set("web-1", layer("all", res(cluster, "a", "1"), res(endpoint, "a", "1"), res(cluster, "b", "1")))
	m := p.hear("Cluster +a=1 +b=1")
	p.send(endpoint, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"a"}})
	p.ack(p.hear("ClusterLoadAssignment +a=1"))
	p.ack(m)
	eventually(t, "in step", func() bool { applied, _, _ := s.Applied(1); return applied == 1 })
	rev := h.Set("web-1", layer("all", res(cluster, "a", "1"), res(endpoint, "a", "2")))
	p.ack(p.hear("Cluster -b"))
	p.ack(p.hear("ClusterLoadAssignment +a=2"))
	eventually(t, "in step", func() bool { applied, total, _ := s.Applied(rev); return applied == 1 && total == 1 })
	if got := fmt.Sprint(s.Sent("web-1")); got != "map[Cluster:2 ClusterLoadAssignment:2]" {
		t.Errorf("sent %s", got)
	}

	p.cancel()
	eventually(t, "gone", func() bool { _, total, _ := s.Applied(0); return total == 0 })
	p = connect(t, c, "web-1")
	p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{InitialResourceVersions: map[string]string{
		"a": model.VersionText(model.HashBody([]byte("1"))), "old": "whatever",
	}})
	p.send(endpoint, &discoveryv3.DeltaDiscoveryRequest{
		ResourceNamesSubscribe:  []string{"a"},
		InitialResourceVersions: map[string]string{"a": model.VersionText(model.HashBody([]byte("2")))},
	})
	p.ack(p.hear("Cluster"))
	p.ack(p.hear("Cluster -old"))
	h.Set("web-1", layer("all", res(cluster, "a", "1"), res(endpoint, "a", "3")))
	p.ack(p.hear("ClusterLoadAssignment +a=3"))
}

func TestStateOfTheWorldStream(t *testing.T) {
	h := newHeld()
	_, c := serve(t, Options{Views: h})
	h.Set("web-1", layer("all", res(cluster, "a", "1"), res(cluster, "b", "1"), res(endpoint, "a", "1")))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := c.StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	say := func(typ model.Type, nonce, version string, names ...string) {
		t.Helper()
		r := &discoveryv3.DiscoveryRequest{
			Node: &corev3.Node{Id: "web-1"}, TypeUrl: typ.TypeURL(), ResponseNonce: nonce, VersionInfo: version, ResourceNames: names,
		}
		if nonce != "" && version == "" {
			r.ErrorDetail = &statuspb.Status{Message: "no"}
		}
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) *discoveryv3.DiscoveryResponse {
		t.Helper()
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got := typeOfURL[m.GetTypeUrl()].String()
		for _, r := range m.GetResources() {
			got += " " + string(r.GetValue())
		}
		if got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
		return m
	}
	say(cluster, "", "")
	m := hear("Cluster 1 1")
	say(cluster, m.GetNonce(), m.GetVersionInfo())
	say(endpoint, "", "", "a")
	m = hear("ClusterLoadAssignment 1")
	say(endpoint, m.GetNonce(), m.GetVersionInfo(), "a")
	h.Set("web-1", layer("all", res(cluster, "a", "2"), res(cluster, "b", "1"), res(endpoint, "a", "1")))
	m = hear("Cluster 2 1")
	say(cluster, m.GetNonce(), "")
	hear("ClusterLoadAssignment 1")
	h.Set("web-1", layer("all", res(cluster, "a", "3"), res(endpoint, "a", "1")))
	m = hear("Cluster 3 1") // what was refused goes alone
	say(cluster, m.GetNonce(), m.GetVersionInfo())
	hear("Cluster 3")
}

// A client that never reads costs its own stream, and nobody else's.
func TestNeverReadingClient(t *testing.T) {
	h := newHeld()
	big := strings.Repeat("x", 900<<10)
	var all []*model.Resource
	for i := range 20 {
		all = append(all, res(model.TypeSecret, fmt.Sprint(i), big))
	}
	s, c := serve(t, Options{Views: h, Limits: Limits{WriteStall: 300 * time.Millisecond}})
	h.Set("deaf", layer("big", all...))
	h.Set("web-1", layer("small", res(cluster, "a", "1")))
	deaf := connect(t, c, "deaf")
	for typ := range model.NumTypes {
		deaf.send(typ, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"0", "1", "2"}})
	}
	eventually(t, "deaf is connected", func() bool { _, total, _ := s.Applied(0); return total == 1 })
	p := connect(t, c, "web-1")
	p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	p.ack(p.hear("Cluster +a=1"))
	eventually(t, "only web-1 is left", func() bool {
		applied, total, laggards := s.Applied(0)
		return applied == 1 && total == 1 && laggards == nil
	})
	if sent := s.Sent("deaf")[model.TypeSecret]; sent != 1 {
		t.Errorf("%d secrets are buffered for a client that does not read", sent)
	}
	deaf.ends(codes.Internal, "deaf took in nothing for 300ms")
}

func TestHugeMessageIsRefused(t *testing.T) {
	h := newHeld()
	h.Set("web-1", layer("small", res(cluster, "a", "1")))
	_, c := serve(t, Options{Views: h})
	huge := connect(t, c, "huge")
	huge.send(cluster, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{strings.Repeat("x", 100<<20)}})
	huge.ends(codes.ResourceExhausted, "larger than max")
	p := connect(t, c, "web-1")
	p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	p.hear("Cluster +a=1")
}

func TestStreamsThatAreNotLetIn(t *testing.T) {
	h := newHeld()
	_, c := serve(t, Options{Views: h, Limits: Limits{FirstRequest: 200 * time.Millisecond},
		Authenticate: func(_ context.Context, node Node) (string, error) {
			if node.ID == "thief" {
				return "", errors.New("certificate is of another workload")
			}
			return node.ID, nil
		}})
	silent := connect(t, c, "silent")
	silent.ends(codes.Internal, "no request within 200ms")
	thief := connect(t, c, "thief")
	thief.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	thief.ends(codes.Unauthenticated, "certificate is of another workload")
	long := connect(t, c, strings.Repeat("x", 2000))
	long.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	long.ends(codes.InvalidArgument, "node id of 2000 bytes")
	greedy := connect(t, c, "greedy")
	greedy.send(endpoint, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: slices.Repeat([]string{"x"}, 20_001)})
	greedy.ends(codes.InvalidArgument, "20001 names")

	_, c = serve(t, Options{Views: h})
	nobody := connect(t, c, "")
	nobody.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	nobody.ends(codes.InvalidArgument, "no node id")
}

func TestOneStreamTooManyEndsTheOldest(t *testing.T) {
	h := newHeld()
	h.Set("web-1", layer("small", res(cluster, "a", "1")))
	s, c := serve(t, Options{Views: h, Limits: Limits{StreamsPerID: 2}})
	var streams []*client
	for range 3 {
		p := connect(t, c, "web-1")
		p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
		p.ack(p.hear("Cluster +a=1"))
		streams = append(streams, p)
	}
	streams[0].ends(codes.Internal, "opened newer streams")
	h.Set("web-1", layer("small", res(cluster, "a", "2")))
	streams[1].hear("Cluster +a=2")
	streams[2].hear("Cluster +a=2")
	if _, total, _ := s.Applied(0); total != 1 {
		t.Errorf("%d proxies, want 1", total)
	}
}

// lab is a server over a graph, as weft serve wires it.
type lab struct {
	g        *flow.Graph
	outlines *flow.Source[*model.Outline]
	layers   *flow.Source[*model.Layer]
	assigned *flow.Source[model.Assignment]
	rows     *flow.Source[model.Proxy]
	looks    *countedViews
}

// countedViews counts how often a session looked.
type countedViews struct {
	Views
	looks atomic.Int64
}

func (c *countedViews) View(proxy string) (string, *model.View, uint64) {
	c.looks.Add(1)
	return c.Views.View(proxy)
}

func newLab() *lab {
	l := &lab{g: flow.New(flow.Options{})}
	l.outlines = flow.NewSource[*model.Outline](l.g, "outlines")
	l.layers = flow.NewSource[*model.Layer](l.g, "layers")
	l.assigned = flow.NewSource[model.Assignment](l.g, "assignments")
	l.rows = flow.NewSource[model.Proxy](l.g, "proxies")
	l.looks = &countedViews{Views: GraphViews(l.g, l.outlines.Collection, l.layers.Collection, l.assigned.Collection, flow.NewIndex(l.assigned.Collection, model.Assignment.Families))}
	return l
}

func (l *lab) set(scope string, all ...*model.Resource) uint64 {
	return uint64(l.g.Commit(func(tx *flow.Tx) {
		l.outlines.Set(tx, &model.Outline{Scope: scope, Layers: []string{scope}})
		l.layers.Set(tx, layer(scope, all...))
	}))
}

// assignment is that of one proxy.
func assignment(proxy, scope string) model.Assignment {
	return model.Assignment{Replicas: proxy, Scope: scope, Instances: []*model.Instance{{Workload: proxy}}}
}

func (l *lab) assign(proxy, scope string) {
	l.g.Commit(func(tx *flow.Tx) { l.assigned.Set(tx, assignment(proxy, scope)) })
}

func TestProxiesAreRows(t *testing.T) {
	l := newLab()
	s, c := serve(t, Options{Views: l.looks, Graph: l.g, Proxies: l.rows})
	row := func(id string, holds func(model.Proxy) bool) {
		t.Helper()
		eventually(t, "row of "+id, func() bool { r, ok := l.rows.Get(id); return ok && holds(r) })
	}
	applied := func(rev uint64, want string) {
		t.Helper()
		eventually(t, fmt.Sprintf("applied %d is %s", rev, want), func() bool { return fmt.Sprint(s.Applied(rev)) == want })
	}

	web := connect(t, c, "web-1")
	web.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	row("web-1", func(r model.Proxy) bool { return r.Connected && r.Scope == "" })
	l.assign("web-1", "web") // the workload is known after its proxy came
	l.assign("api-1", "api")
	first := l.set("web", res(cluster, "a", "1"))
	l.set("api", res(cluster, "a", "1"))
	m := web.hear("Cluster +a=1")
	row("web-1", func(r model.Proxy) bool { return r.Scope == "web" && s.Revision("web-1") == 0 })
	applied(first, "0 1 [web-1]")
	web.ack(m)
	eventually(t, "revision", func() bool { return s.Revision("web-1") >= first })
	api := connect(t, c, "api-1")
	api.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	api.ack(api.hear("Cluster +a=1"))
	applied(first, "2 2 []")
	applied(first+1000, "0 2 [api-1 web-1]") // not told yet

	// Only the scope that changed is woken, and who is not concerned counts at once.
	looks := l.looks.looks.Load()
	rev := l.set("web", res(cluster, "a", "2"))
	applied(rev, "1 2 [web-1]")
	m = web.hear("Cluster +a=2")
	if n := l.looks.looks.Load() - looks; n != 1 {
		t.Errorf("%d sessions looked at their view, want 1", n)
	}
	web.send(cluster, &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: m.GetNonce(), ErrorDetail: &statuspb.Status{Message: "no such thing"}})
	row("web-1", func(r model.Proxy) bool {
		return reflect.DeepEqual(r.Refusals, []model.Refusal{{Type: "Cluster", Name: "a", Version: model.HashBody([]byte("2")), Reason: "no such thing"}})
	})
	applied(rev, "1 2 [web-1]")
	applied(rev-1, "2 2 []")
	rev = l.set("web", res(cluster, "a", "1"))
	applied(rev, "2 2 []") // what it held is what it should hold again
	row("web-1", func(r model.Proxy) bool { return r.Refusals == nil && s.Revision("web-1") >= rev })

	// Another scope is another view.
	l.assign("web-1", "api")
	l.set("api", res(cluster, "a", "1"), res(cluster, "new", "1"))
	web.ack(web.hear("Cluster +new=1"))
	row("web-1", func(r model.Proxy) bool { return r.Scope == "api" })

	web.cancel()
	row("web-1", func(r model.Proxy) bool { return !r.Connected })
	applied(0, "1 1 []")
	l.g.Commit(func(tx *flow.Tx) { l.assigned.Delete(tx, "web-1") })
	eventually(t, "the row is gone", func() bool { _, ok := l.rows.Get("web-1"); return !ok })
}
