package relay

import (
	"fmt"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/genproto/googleapis/rpc/status"

	"weft.dev/model"
)

var (
	hosts     = model.TypeVirtualHost.TypeURL()
	listeners = model.TypeListener.TypeURL()
)

// reviews is a virtual host as a server sends it.
func reviews(version string) *resource {
	return named("outbound/reviews.shop:80", version, "outbound/reviews", "outbound/reviews.shop", "outbound/reviews.shop:80")
}

// asking is a relay whose Envoy has subscribed to all virtual hosts, and has
// taken those that are held.
func asking(t *testing.T, held ...*resource) *Relay {
	t.Helper()
	all := map[string]*resource{}
	for _, one := range held {
		all[one.Name] = one
	}
	r := New(map[string]map[string]*resource{hosts: all})
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: hosts, Node: &corev3.Node{Id: "shop/a"}})
	accept(t, r, hosts)
	return r
}

// accept takes the next response and answers yes.
func accept(t *testing.T, r *Relay, url string) *response {
	t.Helper()
	p := r.ToEnvoy()
	if p == nil || p.TypeUrl != url {
		t.Fatalf("to Envoy %v, want a response of %s", p, url)
	}
	r.FromEnvoy(&request{TypeUrl: url, ResponseNonce: p.Nonce})
	return p
}

func refuse(t *testing.T, r *Relay, url string) *response {
	t.Helper()
	p := r.ToEnvoy()
	if p == nil || p.TypeUrl != url {
		t.Fatalf("to Envoy %v, want a response of %s", p, url)
	}
	r.FromEnvoy(&request{TypeUrl: url, ResponseNonce: p.Nonce, ErrorDetail: &status.Status{Message: "bad"}})
	return p
}

func ask(r *Relay, names ...string) {
	r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesSubscribe: names})
}

func quietNow(t *testing.T, r *Relay, when string) {
	t.Helper()
	if p := r.ToEnvoy(); p != nil {
		t.Fatalf("%s: Envoy is sent %v", when, names(p))
	}
}

// heard are all requests that the server has not read.
func heard(r *Relay) []*request {
	var all []*request
	for q := r.ToServer(); q != nil; q = r.ToServer() {
		all = append(all, q)
	}
	return all
}

func TestAskForWhatIsHeld(t *testing.T) {
	r := asking(t, reviews("1"))
	ask(r, "outbound/reviews", "outbound/reviews.shop:80", "outbound/reviews.shop")
	want(t, "one answer for three names", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")
	quietNow(t, r, "answered")
	r.ServerConnected()
	q := heard(r)
	if len(q) != 1 || !slices.Equal(q[0].ResourceNamesSubscribe, []string{"*", "outbound/reviews", "outbound/reviews.shop", "outbound/reviews.shop:80"}) ||
		q[0].InitialResourceVersions["outbound/reviews.shop:80"] != "1" {
		t.Errorf("the server hears %v", q)
	}
}

// Silent, away for a moment, or away for long: the request never waits longer
// than the bound, and the server's word heals what was answered in its place.
func TestAskForTheUnknown(t *testing.T) {
	bound := func(t *testing.T, r *Relay) {
		t.Helper()
		for range askTicks {
			quietNow(t, r, "within the bound")
			r.Tick()
		}
		p := accept(t, r, hosts)
		if len(p.RemovedResources) > 0 || len(p.Resources) != 1 || p.Resources[0].Resource != nil ||
			!slices.Equal(p.Resources[0].Aliases, []string{"outbound/reviews"}) {
			t.Fatalf("after the bound: %v", p)
		}
		quietNow(t, r, "answered")
		want(t, "held", r.Names(hosts))
	}
	t.Run("server silent", func(t *testing.T) {
		r := asking(t)
		r.ServerConnected()
		ask(r, "outbound/reviews")
		bound(t, r)
		ask(r, "outbound/reviews")
		want(t, "asked again", names(accept(t, r, hosts)), "outbound/reviews=")
		r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", Resources: []*resource{reviews("1")}})
		want(t, "healed", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")
	})
	t.Run("server away", func(t *testing.T) {
		r := asking(t)
		ask(r, "outbound/reviews")
		bound(t, r)
		ask(r, "outbound/other")
		want(t, "away for long", names(accept(t, r, hosts)), "outbound/other=")
		r.ServerConnected()
		if q := heard(r); len(q) != 1 || !slices.Equal(q[0].ResourceNamesSubscribe, []string{"*", "outbound/other", "outbound/reviews"}) {
			t.Errorf("the server, when it is back, hears %v", q)
		}
		r.ServerGone()
		ask(r, "outbound/third")
		quietNow(t, r, "it was there a moment ago")
	})
	t.Run("server back in time", func(t *testing.T) {
		r := asking(t)
		ask(r, "outbound/reviews")
		r.Tick()
		r.ServerConnected()
		r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", Resources: []*resource{reviews("1")}})
		want(t, "the server's word", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")
		r.Tick()
		quietNow(t, r, "answered")
	})
	t.Run("server says removed", func(t *testing.T) {
		r := asking(t)
		r.ServerConnected()
		ask(r, "outbound/reviews")
		r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", RemovedResources: []string{"outbound/reviews", "outbound/old"}})
		want(t, "unknown, not removed", names(accept(t, r, hosts)), "outbound/reviews=", "-outbound/old")
	})
}

// Of a resource without a body Envoy makes nothing, and so does the memory.
func TestServerSaysUnknown(t *testing.T) {
	r := asking(t, named("outbound/held", "1", "outbound/held"))
	r.ServerConnected()
	ask(r, "outbound/reviews")
	r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", Resources: []*resource{unknown("outbound/reviews"), unknown("outbound/held")}})
	want(t, "passed on", names(accept(t, r, hosts)), "outbound/reviews=", "outbound/held=")
	want(t, "held", r.Names(hosts), "outbound/held")
	r.Tick()
	r.Tick()
	quietNow(t, r, "answered")
}

// A refused answer is none: the request waits on, for the server's better one or
// the bound.
func TestRefusedAnswer(t *testing.T) {
	r := asking(t)
	r.ServerConnected()
	ask(r, "outbound/reviews")
	heard(r)
	r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", Resources: []*resource{named("x", "1"), reviews("bad"), named("y", "1")}})
	refuse(t, r, hosts)
	if q := heard(r); len(q) != 1 || q[0].ErrorDetail == nil || q[0].ResponseNonce != "s1" {
		t.Fatalf("the server hears %v", q)
	}
	r.FromServer(&response{TypeUrl: hosts, Nonce: "s2", Resources: []*resource{named("x", "1"), named("y", "1")}})
	accept(t, r, hosts)
	want(t, "held", r.Names(hosts), "x", "y")
	r.Tick()
	r.Tick()
	want(t, "after the bound", names(accept(t, r, hosts)), "outbound/reviews=")
}

func TestUnsubscribe(t *testing.T) {
	r := asking(t, reviews("1"))
	r.ServerConnected()
	ask(r, "outbound/reviews", "outbound/gone")
	heard(r)
	r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesUnsubscribe: []string{"outbound/reviews", "outbound/gone"}})
	if q := heard(r); len(q) != 1 || !slices.Equal(q[0].ResourceNamesUnsubscribe, []string{"outbound/reviews", "outbound/gone"}) {
		t.Errorf("the server hears %v", q)
	}
	r.Tick()
	r.Tick()
	quietNow(t, r, "nobody waits")
	want(t, "held, as all are wanted", r.Names(hosts), "outbound/reviews.shop:80")
	r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesSubscribe: []string{"outbound/reviews"}, ResourceNamesUnsubscribe: []string{"*"}})
	accept(t, r, hosts)
	want(t, "held, for its alias", r.Names(hosts), "outbound/reviews.shop:80")
	r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesUnsubscribe: []string{"outbound/reviews"}})
	want(t, "held by nobody", r.Names(hosts))
}

// A pushed virtual host that is removed is forgotten, and so are its aliases;
// one that takes over its alias in the same response keeps it.
func TestRemovalOfAPushed(t *testing.T) {
	r := asking(t, named("outbound/reviews", "negative", "outbound/reviews"))
	r.ServerConnected()
	r.FromServer(&response{TypeUrl: hosts, Nonce: "s1", Resources: []*resource{reviews("1")}, RemovedResources: []string{"outbound/reviews"}})
	want(t, "passed on", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1", "-outbound/reviews")
	ask(r, "outbound/reviews")
	want(t, "by alias", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")
	r.FromServer(&response{TypeUrl: hosts, Nonce: "s2", RemovedResources: []string{"outbound/reviews.shop:80"}})
	want(t, "removed", names(accept(t, r, hosts)), "-outbound/reviews.shop:80")
	ask(r, "outbound/reviews")
	want(t, "asked again", names(accept(t, r, hosts)), "outbound/reviews=")
}

// Envoy came back with names of what it has from before: what it asked for and
// does not have is never called removed, and no name stands twice.
func TestReconnectWithAsks(t *testing.T) {
	r := New(map[string]map[string]*resource{hosts: {"outbound/reviews.shop:80": reviews("2"), "a": named("a", "1")}})
	r.EnvoyConnected()
	r.FromEnvoy(&request{
		TypeUrl: hosts, ResourceNamesSubscribe: []string{"*", "outbound/reviews", "outbound/reviews.shop:80", "outbound/unknown", "outbound/left:80"},
		InitialResourceVersions: map[string]string{"a": "1", "b": "1", "outbound/reviews.shop:80": "1", "outbound/unknown": "", "outbound/left:80": "4"},
	})
	want(t, "differences", names(accept(t, r, hosts)), "outbound/reviews.shop:80=2", "-b", "-outbound/left:80")
	r.Tick()
	r.Tick()
	want(t, "after the bound", names(accept(t, r, hosts)), "outbound/left:80=", "outbound/unknown=")
}

// From memory, clusters come before what sends requests to them: all of them,
// and accepted. A request waits for that no longer than for anything else.
func TestClustersFirst(t *testing.T) {
	start := func() (*Relay, *response) {
		held := map[string]*resource{}
		for i := range chunk + 1 {
			name := fmt.Sprintf("c%03d", i)
			held[name] = named(name, "1")
		}
		r := New(map[string]map[string]*resource{clusters: held, hosts: {"outbound/reviews.shop:80": reviews("1")}, listeners: {"l": named("l", "1")}})
		r.EnvoyConnected()
		r.FromEnvoy(&request{TypeUrl: listeners})
		r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesSubscribe: []string{"*", "outbound/reviews"}})
		r.FromEnvoy(&request{TypeUrl: clusters})
		p := r.ToEnvoy()
		if p.TypeUrl != clusters || len(p.Resources) != chunk {
			t.Fatalf("first %d of %s", len(p.Resources), p.TypeUrl)
		}
		quietNow(t, r, "clusters are under way")
		return r, p
	}
	r, p := start()
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	p = r.ToEnvoy()
	want(t, "the last cluster", names(p), "c200=1")
	quietNow(t, r, "a cluster is under way")
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	want(t, "listeners", names(accept(t, r, listeners)), "l=1")
	want(t, "virtual hosts", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")

	r, _ = start() // and Envoy never answers
	r.Tick()
	r.Tick()
	want(t, "after the bound", names(accept(t, r, hosts)), "outbound/reviews.shop:80=1")
	quietNow(t, r, "nothing else is urgent")
}

// Clusters come in pieces, a table of virtual hosts whole.
func TestPieces(t *testing.T) {
	for url, want := range map[string]int{clusters: chunk, endpoints: chunk, hosts: chunk + 1} {
		held := map[string]*resource{}
		for i := range chunk + 1 {
			held[fmt.Sprint(i)] = named(fmt.Sprint(i), "1")
		}
		r := New(map[string]map[string]*resource{url: held})
		r.EnvoyConnected()
		r.FromEnvoy(&request{TypeUrl: url})
		if got := len(r.ToEnvoy().Resources); got != want {
			t.Errorf("%s: %d at first, want %d", url, got, want)
		}
	}
}

// Of what Envoy accepted once, one is refused today: the others are served, it
// is forgotten, and the server is told anew, which can name the one to blame.
func TestRefusedFromMemory(t *testing.T) {
	held := map[string]*resource{}
	for i := range 10 {
		name := fmt.Sprintf("h%d", i)
		held[name] = named(name, "1")
	}
	r := New(map[string]map[string]*resource{hosts: held})
	r.EnvoyConnected()
	r.ServerConnected()
	r.FromEnvoy(&request{TypeUrl: hosts, Node: &corev3.Node{Id: "x"}, ResourceNamesSubscribe: []string{"*", "h5"}})
	heard(r)
	envoy := map[string]bool{}
	sent := 0
	for p := r.ToEnvoy(); p != nil; p = r.ToEnvoy() {
		if sent++; sent > 20 {
			t.Fatal("it never ends")
		}
		answer := &request{TypeUrl: hosts, ResponseNonce: p.Nonce}
		for _, one := range p.Resources {
			if one.Name == "h5" && one.Resource != nil {
				answer.ErrorDetail = &status.Status{Message: "h5: bad"}
			}
		}
		for _, one := range p.Resources {
			if answer.ErrorDetail == nil && one.Resource != nil {
				envoy[one.Name] = true
			}
		}
		r.FromEnvoy(answer)
	}
	if len(envoy) != 9 || envoy["h5"] {
		t.Errorf("Envoy holds %v", envoy)
	}
	if len(r.kinds[hosts].asks) > 0 {
		t.Errorf("still waiting: %v", r.kinds[hosts].asks)
	}
	if !r.Stale() {
		t.Fatal("the server still thinks that h5 is held")
	}
	r.ServerGone()
	r.ServerConnected()
	if q := heard(r); len(q) != 1 || len(q[0].InitialResourceVersions) != 9 || r.Stale() {
		t.Errorf("the server hears %v", q)
	}
}

func TestAsksAreBounded(t *testing.T) {
	r := asking(t, reviews("1"))
	r.ServerConnected()
	for i := range maxAsks - 1 { // the wildcard is a name, too
		ask(r, fmt.Sprint("outbound/x", i))
	}
	heard(r)
	ask(r, "outbound/one-more", "outbound/reviews")
	want(t, "at once", names(accept(t, r, hosts)), "outbound/one-more=", "outbound/reviews.shop:80=1")
	if q := heard(r); len(q) > 0 {
		t.Errorf("the server hears of one more: %v", q)
	}
}
