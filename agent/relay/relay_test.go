package relay

import (
	"fmt"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	"weft.dev/model"
)

var (
	clusters  = model.TypeCluster.TypeURL()
	endpoints = model.TypeEndpoint.TypeURL()
	secretURL = model.TypeSecret.TypeURL()
)

func named(name, version string, aliases ...string) *resource {
	return &resource{Name: name, Version: version, Aliases: aliases, Resource: &anypb.Any{Value: []byte(version)}}
}

// names are "name=version" of the resources, and "-name" of those removed.
func names(p *response) []string {
	if p == nil {
		return nil
	}
	var all []string
	for _, one := range p.Resources {
		all = append(all, one.Name+"="+one.Version)
	}
	for _, name := range p.RemovedResources {
		all = append(all, "-"+name)
	}
	return all
}

func want(t *testing.T, what string, got []string, expected ...string) {
	t.Helper()
	if !slices.Equal(got, expected) {
		t.Fatalf("%s: got %v, want %v", what, got, expected)
	}
}

// begun is a relay whose Envoy has asked for all clusters, with a server.
func begun(held map[string]map[string]*resource) *Relay {
	r := New(held)
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: clusters, Node: &corev3.Node{Id: "shop/a"}})
	r.ServerConnected()
	return r
}

func TestServerHearsYesAfterEnvoy(t *testing.T) {
	r := begun(nil)
	first := r.ToServer()
	if first.Node.GetId() != "shop/a" || !slices.Equal(first.ResourceNamesSubscribe, []string{"*"}) {
		t.Fatalf("first request %v", first)
	}
	r.FromServer(&response{TypeUrl: clusters, Nonce: "s1", Resources: []*resource{named("a", "1"), named("b", "1")}})
	p := r.ToEnvoy()
	want(t, "to Envoy", names(p), "a=1", "b=1")
	if q := r.ToServer(); q != nil {
		t.Fatalf("the server hears %v before Envoy said anything", q)
	}
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	q := r.ToServer()
	if q == nil || q.ResponseNonce != "s1" || q.ErrorDetail != nil || q.Node != nil {
		t.Fatalf("acknowledgement %v", q)
	}
	want(t, "held", r.Names(clusters), "a", "b")
}

func TestRefusalIsForwardedAndNotKept(t *testing.T) {
	r := begun(map[string]map[string]*resource{clusters: {"a": named("a", "1")}})
	if q := r.ToServer(); q.InitialResourceVersions["a"] != "1" {
		t.Fatalf("the server is not told what is held: %v", q)
	}
	p := r.ToEnvoy()
	want(t, "from memory", names(p), "a=1")
	r.FromServer(&response{TypeUrl: clusters, Nonce: "s1", Resources: []*resource{named("a", "2")}})
	if p := r.ToEnvoy(); p != nil {
		t.Fatalf("a second response is under way: %v", p)
	}
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	p = r.ToEnvoy()
	want(t, "news", names(p), "a=2")
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce, ErrorDetail: &status.Status{Message: "a: bad"}})
	q := r.ToServer()
	if q == nil || q.ResponseNonce != "s1" || q.ErrorDetail.GetMessage() != "a: bad" {
		t.Fatalf("refusal %v", q)
	}
	if all := r.Refusals(); len(all) != 1 || all[0].FromMemory {
		t.Errorf("refusals %v", all)
	}
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: clusters})
	want(t, "a fresh Envoy", names(r.ToEnvoy()), "a=1")
}

// An Envoy that starts anew is served from memory, the server hears nothing of
// it, and what Envoy had not answered comes after.
func TestFreshEnvoy(t *testing.T) {
	r := begun(map[string]map[string]*resource{clusters: {"a": named("a", "1")}, endpoints: {"a": named("a", "7")}})
	r.ToServer()
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: r.ToEnvoy().Nonce})
	r.FromServer(&response{TypeUrl: clusters, Nonce: "s1", Resources: []*resource{named("b", "1")}})
	r.ToEnvoy() // and Envoy dies with it
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: clusters, Node: &corev3.Node{Id: "shop/a"}})
	p := r.ToEnvoy()
	want(t, "first", names(p), "a=1")
	r.FromEnvoy(&request{TypeUrl: endpoints, ResourceNamesSubscribe: []string{"a"}})
	want(t, "endpoints", names(r.ToEnvoy()), "a=7")
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	want(t, "then", names(r.ToEnvoy()), "b=1")
	if q := r.ToServer(); q.TypeUrl != endpoints || q.InitialResourceVersions["a"] != "7" {
		t.Errorf("the server is asked %v", q)
	}
	if q := r.ToServer(); q != nil {
		t.Errorf("the server is asked again: %v", q)
	}
}

// What an earlier stream of the server sent is settled before the new stream
// hears what is held.
func TestServerComesBackWhileEnvoyThinks(t *testing.T) {
	underWay := func() (*Relay, *response) {
		r := begun(nil)
		r.ToServer()
		r.FromServer(&response{TypeUrl: clusters, Nonce: "s1", Resources: []*resource{named("a", "1")}})
		p := r.ToEnvoy()
		r.ServerConnected()
		if q := r.ToServer(); q != nil {
			t.Fatalf("the server hears %v too early", q)
		}
		return r, p
	}
	r, p := underWay()
	r.FromEnvoy(&request{TypeUrl: clusters, ResponseNonce: p.Nonce})
	if q := r.ToServer(); q == nil || q.ResponseNonce != "" || q.InitialResourceVersions["a"] != "1" {
		t.Errorf("first request of the new stream: %v", q)
	}
	r, _ = underWay()
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: clusters, Node: &corev3.Node{Id: "shop/a"}})
	if q := r.ToServer(); q == nil || len(q.InitialResourceVersions) > 0 {
		t.Errorf("first request of the new stream: %v", q)
	}
	if p := r.ToEnvoy(); p != nil {
		t.Errorf("a fresh Envoy is sent what a dead stream had under way: %v", names(p))
	}
}

func TestEnvoyThatStayedIsSentOnlyDifferences(t *testing.T) {
	r := New(map[string]map[string]*resource{clusters: {"a": named("a", "1"), "b": named("b", "2")}})
	r.EnvoyConnected()
	r.FromEnvoy(&request{TypeUrl: clusters, InitialResourceVersions: map[string]string{"a": "1", "b": "1", "c": "1"}})
	want(t, "differences", names(r.ToEnvoy()), "b=2", "-c")
}

func TestSecretsAreOurs(t *testing.T) {
	r := begun(nil)
	r.ToServer()
	r.SetLocal(secretURL, named("workload", "1"))
	r.FromEnvoy(&request{TypeUrl: secretURL, ResourceNamesSubscribe: []string{"workload", "shop/tls"}})
	if q := r.ToServer(); !slices.Equal(q.ResourceNamesSubscribe, []string{"shop/tls"}) {
		t.Errorf("the server is asked for %v", q.ResourceNamesSubscribe)
	}
	p := r.ToEnvoy()
	want(t, "secret", names(p), "workload=1")
	r.SetLocal(secretURL, named("workload", "2"))
	r.FromEnvoy(&request{TypeUrl: secretURL, ResponseNonce: p.Nonce})
	p = r.ToEnvoy()
	want(t, "rotated", names(p), "workload=2")
	r.FromEnvoy(&request{TypeUrl: secretURL, ResponseNonce: p.Nonce})
	if q := r.ToServer(); q != nil {
		t.Errorf("the server hears of our secrets: %v", q)
	}
	if data, err := r.encode(); err != nil || slices.Contains(r.Names(secretURL), "workload") {
		t.Errorf("our secret is in the cache (%d bytes, %v)", len(data), err)
	}
}

func TestServerThatDoesNotWaitIsCutOff(t *testing.T) {
	r := begun(nil)
	for i := range maxWaiting {
		if !r.FromServer(&response{TypeUrl: clusters, Nonce: fmt.Sprint(i)}) {
			t.Fatalf("cut off at %d", i)
		}
	}
	if r.FromServer(&response{TypeUrl: clusters}) {
		t.Error("no limit")
	}
}

// world is a server that answers as xDS asks, an Envoy that refuses versions
// that end in 3, and the wires between them.
type world struct {
	r       *Relay
	truth   map[string]string // the server's clusters
	sent    map[string]string // what the server knows the relay holds or was sent
	nonce   int
	under   map[string]map[string]string // nonce -> what the server sent with it
	envoy   map[string]string
	pending *response // that Envoy has not answered
	up      bool
}

// Whatever dies and comes back in whatever order: once all is quiet, Envoy holds
// what the server wants it to, but for what it refused, and the memory is what
// Envoy holds.
func TestRelayProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{r: New(nil), truth: map[string]string{}}
		w.startEnvoy()
		versions := 0
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				versions++
				w.truth[rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")] = fmt.Sprint("v", versions, "-", rapid.IntRange(0, 9).Draw(t, "n"))
				w.serve()
			},
			"remove": func(t *rapid.T) {
				delete(w.truth, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"))
				w.serve()
			},
			"server dies":   func(*rapid.T) { w.up = false; w.r.ServerGone() },
			"server starts": func(t *rapid.T) { w.connect(t) },
			"envoy dies":    func(*rapid.T) { w.startEnvoy() },
			"deliver":       func(t *rapid.T) { w.step(t) },
			"agent restarts": func(t *rapid.T) {
				held := map[string]map[string]*resource{}
				if k := w.r.kinds[clusters]; k != nil && k.known {
					held[clusters] = k.held
				}
				w.r, w.up = New(held), false
				w.startEnvoy()
			},
		})
		for name := range w.truth {
			w.truth[name] = "good"
		}
		w.connect(t)
		for i := 0; w.step(t); i++ {
			if i > 1000 {
				t.Fatal("it never comes to rest")
			}
		}
		if !equal(w.envoy, w.truth) {
			t.Fatalf("Envoy holds %v, the server wants %v", w.envoy, w.truth)
		}
		if held := w.held(); !equal(held, w.envoy) {
			t.Fatalf("remembered is %v, Envoy holds %v", held, w.envoy)
		}
	})
}

func equal(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (w *world) held() map[string]string {
	all := map[string]string{}
	for name, one := range w.r.kinds[clusters].held {
		all[name] = one.Version
	}
	return all
}

func (w *world) startEnvoy() {
	w.envoy, w.pending = map[string]string{}, nil
	w.r.EnvoyConnected()
	w.r.FromEnvoy(&request{TypeUrl: clusters, Node: &corev3.Node{Id: "x"}})
}

func (w *world) connect(t *rapid.T) {
	w.up, w.sent, w.under = true, nil, map[string]map[string]string{}
	w.r.ServerConnected()
	w.toServer(t)
}

// toServer takes the relay's requests.
func (w *world) toServer(t *rapid.T) bool {
	moved := false
	for q := w.r.ToServer(); q != nil; q = w.r.ToServer() {
		moved = true
		if !w.up {
			continue
		}
		if q.ResponseNonce != "" {
			if w.under[q.ResponseNonce] == nil {
				t.Fatalf("the server never sent %q on this stream", q.ResponseNonce)
			}
			delete(w.under, q.ResponseNonce)
		}
		if slices.Contains(q.ResourceNamesSubscribe, "*") {
			w.sent = map[string]string{}
			for name, version := range q.InitialResourceVersions {
				w.sent[name] = version
			}
		}
		w.serve()
	}
	return moved
}

// serve sends what differs, one response at a time.
func (w *world) serve() {
	if !w.up || w.sent == nil || len(w.under) > 0 {
		return
	}
	p := &response{TypeUrl: clusters}
	for _, name := range model.SortedKeys(w.truth) {
		if w.sent[name] != w.truth[name] {
			p.Resources = append(p.Resources, named(name, w.truth[name]))
			w.sent[name] = w.truth[name]
		}
	}
	for _, name := range model.SortedKeys(w.sent) {
		if _, ok := w.truth[name]; !ok {
			p.RemovedResources = append(p.RemovedResources, name)
			delete(w.sent, name)
		}
	}
	if len(p.Resources)+len(p.RemovedResources) == 0 {
		return
	}
	w.nonce++
	p.Nonce = fmt.Sprint("s", w.nonce)
	w.under[p.Nonce] = map[string]string{}
	w.r.FromServer(p)
}

// step moves one message at Envoy; it is false when nothing is left to move.
func (w *world) step(t *rapid.T) bool {
	moved := w.toServer(t)
	if w.pending == nil {
		w.pending = w.r.ToEnvoy()
		return moved || w.pending != nil
	}
	p := w.pending
	w.pending = nil
	answer := &request{TypeUrl: clusters, ResponseNonce: p.Nonce}
	for _, one := range p.Resources {
		if one.Version[len(one.Version)-1] == '3' {
			answer.ErrorDetail = &status.Status{Message: one.Name}
		}
	}
	if answer.ErrorDetail == nil {
		for _, one := range p.Resources {
			w.envoy[one.Name] = one.Version
		}
		for _, name := range p.RemovedResources {
			delete(w.envoy, name)
		}
	}
	w.r.FromEnvoy(answer)
	w.toServer(t)
	return true
}
