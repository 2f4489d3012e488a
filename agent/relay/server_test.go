package relay_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/xds"
)

// learning is weft's own xDS server over rows, in which a service that exists
// becomes part of the view when somebody asks for it.
type learning struct {
	g        *flow.Graph
	sessions *xds.Server
	stop     func()
}

// learn serves a mesh of these resources at an address, and of those that are
// learned, by the name that is asked for.
func learn(t *testing.T, address string, known []*discoveryv3.Resource, learned map[string]*discoveryv3.Resource) (*learning, string) {
	t.Helper()
	g := flow.New(flow.Options{})
	assigned, asks := flow.NewSource[model.Assignment](g, "assigned"), flow.NewSource[model.Ask](g, "asks")
	layers := flow.NewSource[*model.Layer](g, "layers")
	outlines := flow.Derive(assigned.Collection, "outlines", func(x *flow.Ctx, a model.Assignment) []*model.Outline {
		o := &model.Outline{Scope: a.Scope, Layers: []string{"base"}}
		for _, ask := range flow.All(x, asks.Collection) {
			if one := learned[ask.Name]; one != nil && !slices.Contains(o.Layers, "host/"+one.Name) {
				o.Layers = append(o.Layers, "host/"+one.Name)
			}
		}
		return []*model.Outline{o}
	})
	l := &learning{g: g}
	l.sessions = xds.NewServer(xds.Options{
		Views: xds.GraphViews(g, outlines, layers.Collection, assigned.Collection, flow.NewIndex(assigned.Collection, model.Assignment.Families)),
		Graph: g, Proxies: flow.NewSource[model.Proxy](g, "proxies"), Asks: asks,
	})
	var base []*model.Resource
	for _, one := range known {
		base = append(base, rowOf(t, one))
	}
	g.Commit(func(tx *flow.Tx) {
		layers.Set(tx, model.NewLayer("base", base...))
		for _, one := range learned {
			layers.Set(tx, model.NewLayer("host/"+one.Name, rowOf(t, one)))
		}
		assigned.Set(tx, model.Assignment{Replicas: "a", Scope: "scope", Instances: []*model.Instance{{Workload: "shop/a"}}})
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(xds.ServerOptions()...)
	l.sessions.Register(server)
	go server.Serve(listener)
	l.stop = server.Stop
	t.Cleanup(server.Stop)
	return l, listener.Addr().String()
}

func rowOf(t *testing.T, one *discoveryv3.Resource) *model.Resource {
	t.Helper()
	kind, ok := model.TypeOf(one.Resource.TypeUrl[strings.LastIndexByte(one.Resource.TypeUrl, '.')+1:])
	if !ok {
		t.Fatalf("no type %s", one.Resource.TypeUrl)
	}
	r := model.Resource{Type: kind, Name: one.Name, Aliases: one.Aliases, Body: one.Resource.Value}
	if kind == model.TypeVirtualHost && one.Name != sentinel {
		r.Needs = []string{"app"}
	}
	return model.NewResource(r)
}

// Relay and server together: a first call is answered, learned, on disk, and not
// sent again by a server that starts anew.
func TestLearning(t *testing.T) {
	s := newSite(t)
	s.stop() // the small server: its resources serve here
	var known []*discoveryv3.Resource
	for _, all := range s.control.pushed {
		for _, one := range all {
			known = append(known, one)
		}
	}
	reviews := host(t, "outbound/reviews.shop:80", "reviews", "reviews.shop")
	learned := map[string]*discoveryv3.Resource{"outbound/reviews": reviews, "outbound/reviews.shop": reviews}
	first, address := learn(t, "127.0.0.1:0", known, learned)
	s.address = address
	stop := s.start()
	s.wants("first call", "reviews", 200, soon)
	s.wants("by another name of it", "reviews.shop", 200, soon)
	s.wants("nobody", "nobody", 404, bound)
	s.onDisk(reviews.Name)

	first.stop()
	stop()
	stop = s.start()
	s.wants("from disk, without a server", "reviews.shop", 200, soon)
	again, _ := learn(t, address, append(known, reviews), nil) // it has stored what was learned
	s.until("the new server knows the proxy", func() bool {
		applied, total, _ := again.sessions.Applied(uint64(again.g.Revision()))
		return applied == 1 && total == 1
	})
	for kind, n := range again.sessions.Sent("shop/a") {
		t.Errorf("the new server sent %d %v that the relay holds", n, kind)
	}
	s.wants("known", "reviews", 200, soon)
	s.wants("nobody", "nobody", 404, bound)
	stop()
}
