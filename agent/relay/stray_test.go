package relay

import (
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

// pattern is the virtual host for strays, as a server gives it.
func pattern(t *testing.T) *resource {
	t.Helper()
	body, err := proto.Marshal(&routev3.VirtualHost{Name: model.StrayHost, Domains: []string{"stray.invalid"}, Routes: []*routev3.Route{{
		Name: "strays", Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return &resource{Name: model.StrayHost, Version: "1", Resource: &anypb.Any{TypeUrl: hosts, Value: body}}
}

// askInVain asks while there is no server, and waits for as long as it takes.
func askInVain(r *Relay, names ...string) {
	ask(r, names...)
	for range askTicks {
		r.Tick()
	}
}

// What nobody knows goes where it was going, whether a server says so or there is none.
func TestStrayOfANameThatNobodyKnows(t *testing.T) {
	r := asking(t, pattern(t))
	askInVain(r, "outbound/example.com:8080")
	p := accept(t, r, hosts)
	if len(p.Resources) != 1 || p.Resources[0].Name != "outbound/example.com:8080" {
		t.Fatalf("sent %v", names(p))
	}
	var host routev3.VirtualHost
	if err := p.Resources[0].Resource.UnmarshalTo(&host); err != nil {
		t.Fatal(err)
	}
	if host.Name != "outbound/example.com:8080" || !slices.Equal(host.Domains, []string{"example.com:8080"}) || len(host.Routes) != 1 || host.Routes[0].Name != "strays" {
		t.Errorf("made %v", &host)
	}
}

// A server that denies a name is passed on as a stray; a service that comes later
// takes its place in one response, and leaves it to a stray again.
func TestStrayGivesWayToAService(t *testing.T) {
	r := asking(t, pattern(t))
	r.ServerConnected()
	ask(r, "outbound/reviews")
	from := func(p *response) *response {
		p.TypeUrl, p.Nonce = hosts, "n"
		r.FromServer(p)
		return accept(t, r, hosts)
	}
	if p := from(&response{Resources: []*resource{unknown("outbound/reviews")}}); p.Resources[0].Version != strayVersion {
		t.Fatalf("a denial becomes %v", p)
	}
	p := from(&response{Resources: []*resource{reviews("2")}})
	if !slices.Equal(p.RemovedResources, []string{"outbound/reviews"}) || len(p.Resources) != 1 {
		t.Errorf("the service comes as %v", p)
	}
	p = from(&response{RemovedResources: []string{"outbound/reviews.shop:80"}})
	if len(p.Resources) != 1 || p.Resources[0].Name != "outbound/reviews" || p.Resources[0].Version != strayVersion {
		t.Errorf("the service goes as %v", p)
	}
	for _, q := range heard(r) {
		for name, version := range q.InitialResourceVersions {
			if version == strayVersion {
				t.Errorf("the server is told of the stray %s", name)
			}
		}
	}
}

// The server never hears of strays, also not when it comes back: what it denied is
// not held in its name.
func TestStrayIsNobodysButTheAgents(t *testing.T) {
	r := asking(t, pattern(t))
	r.ServerConnected()
	ask(r, "outbound/example.com")
	denial := &response{TypeUrl: hosts, Nonce: "n", Resources: []*resource{unknown("outbound/example.com")}}
	r.FromServer(denial)
	accept(t, r, hosts)
	if denial.Resources[0].Resource != nil {
		t.Error("what the server sent was written over")
	}
	if held := r.Names(hosts); !slices.Equal(held, []string{model.StrayHost}) {
		t.Errorf("held %v", held)
	}
	r.ServerGone()
	heard(r)
	r.ServerConnected()
	for _, q := range heard(r) {
		if _, told := q.InitialResourceVersions["outbound/example.com"]; told {
			t.Errorf("the server is told of the stray: %v", q.InitialResourceVersions)
		}
	}
}

// An Envoy that connects again keeps its strays, and they give way as before.
func TestStrayOfAnEnvoyThatComesBack(t *testing.T) {
	r := asking(t, pattern(t))
	askInVain(r, "outbound/reviews")
	accept(t, r, hosts)
	r.EnvoyConnected()
	r.FromEnvoy(&request{
		TypeUrl: hosts, Node: &corev3.Node{Id: "shop/a"}, ResourceNamesSubscribe: []string{wildcard},
		InitialResourceVersions: map[string]string{model.StrayHost: "1", "outbound/reviews": strayVersion},
	})
	if p := r.ToEnvoy(); p != nil {
		if len(p.RemovedResources) > 0 {
			t.Errorf("at first it is sent %v", p)
		}
		r.FromEnvoy(&request{TypeUrl: hosts, ResponseNonce: p.Nonce})
	}
	r.ServerConnected()
	r.FromServer(&response{TypeUrl: hosts, Nonce: "n", Resources: []*resource{reviews("2")}})
	if p := accept(t, r, hosts); !slices.Equal(p.RemovedResources, []string{"outbound/reviews"}) {
		t.Errorf("the service comes as %v", p)
	}
}

// A service that was asked for by the name of its virtual host leaves a stray of
// that name: no name stands on both sides of a response.
func TestStrayOfTheSameNameAsWhatGoes(t *testing.T) {
	const name = "outbound/reviews.shop:80"
	r := asking(t, pattern(t), reviews("1"))
	r.ServerConnected()
	ask(r, name)
	accept(t, r, hosts)
	r.FromServer(&response{TypeUrl: hosts, Nonce: "n", RemovedResources: []string{name}})
	p := accept(t, r, hosts)
	if len(p.RemovedResources) != 0 || len(p.Resources) != 1 || p.Resources[0].Name != name || p.Resources[0].Version != strayVersion {
		t.Errorf("it goes as %v", p)
	}
	if slices.Contains(r.Names(hosts), name) {
		t.Error("what the server removed is held")
	}
}

// A pattern of names takes the place of the strays that it covers.
func TestStrayGivesWayToAPattern(t *testing.T) {
	r := asking(t, pattern(t))
	askInVain(r, "outbound/a.example.com", "outbound/b.example.org")
	accept(t, r, hosts)
	r.ServerConnected()
	r.FromServer(&response{TypeUrl: hosts, Nonce: "n", Resources: []*resource{named("outbound/all:80", "1", "outbound/*.example.com")}})
	if p := accept(t, r, hosts); !slices.Equal(p.RemovedResources, []string{"outbound/a.example.com"}) {
		t.Errorf("removed %v", p.RemovedResources)
	}
}

// Who has no pattern is answered as before: nobody knows it.
func TestNoStrayWithoutPattern(t *testing.T) {
	r := asking(t)
	askInVain(r, "outbound/example.com")
	if p := accept(t, r, hosts); p.Resources[0].Resource != nil {
		t.Errorf("made %v", p)
	}
}
