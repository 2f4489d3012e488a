package relay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"pgregory.net/rapid"

	"weft.dev/model"
)

// town is a server that knows services, an Envoy whose requests ask for them,
// and the relay between them. Time is ticks.
type town struct {
	*rapid.T
	r *Relay

	// The server. Its services have two aliases each; it pushes those in view.
	versions map[string]string   // of the services that exist
	view     map[string]bool     // services that the proxy knows
	up       bool                // there is a stream
	silent   bool                // it reads and says nothing
	frank    bool                // it says what it does not know
	strange  map[string]bool     // names that it does not know, and has not said so
	sent     map[string]string   // what it thinks the proxy has; nil: nothing asked yet
	under    map[string]struct{} // nonces
	late     []*response         // written, and still on its way
	answers  int                 // responses on this stream
	counter  int

	// Envoy, which refuses versions that end in 3, and all beside them.
	table   map[string]*resource
	names   map[string]bool
	waits   map[string]int // requests, and for how many ticks
	pending *response
}

var townNames = []string{"a", "b", "c", "never"}

func aliasesOf(service string) []string {
	return []string{"outbound/" + service, "outbound/" + service + ".shop", "outbound/" + service + ".shop:80"}
}

func (w *town) resource(service string) *resource {
	return named("outbound/"+service+".shop:80", w.versions[service], aliasesOf(service)...)
}

// truth is what Envoy is to hold in the end.
func (w *town) truth() map[string]string {
	all := map[string]string{}
	for service := range w.view {
		if v, ok := w.versions[service]; ok {
			all["outbound/"+service+".shop:80"] = v
		}
	}
	return all
}

// However server, relay and Envoy die, are silent, late or refuse: a request
// waits within the bound and is never told "removed"; once all is quiet Envoy
// holds what the server wants it to, and a new stream brings nothing.
func TestAskProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &town{T: t, r: New(nil), versions: map[string]string{}, view: map[string]bool{"a": true}}
		w.restartEnvoy()
		one := rapid.SampledFrom(townNames[:3])
		t.Repeat(map[string]func(*rapid.T){
			"service changes":       func(t *rapid.T) { w.change(one.Draw(t, "service"), rapid.IntRange(0, 9).Draw(t, "n")) },
			"service ends":          func(t *rapid.T) { delete(w.versions, one.Draw(t, "service")); w.serve() },
			"server dies":           func(*rapid.T) { w.up = false; w.r.ServerGone() },
			"server starts":         func(*rapid.T) { w.connect() },
			"server is mute":        func(t *rapid.T) { w.silent = rapid.Bool().Draw(t, "silent"); w.serve() },
			"server is frank":       func(t *rapid.T) { w.frank = rapid.Bool().Draw(t, "frank"); w.serve() },
			"server's word arrives": func(*rapid.T) { w.arrive() },
			"call": func(t *rapid.T) {
				w.call(rapid.SampledFrom(aliasesOf(rapid.SampledFrom(townNames).Draw(t, "service"))).Draw(t, "name"), rapid.Bool().Draw(t, "racing"))
			},
			"envoy reads":      func(*rapid.T) { w.envoyReads() },
			"envoy restarts":   func(*rapid.T) { w.restartEnvoy() },
			"envoy reconnects": func(t *rapid.T) { w.reconnectEnvoy(rapid.Bool().Draw(t, "applied")) },
			"agent restarts":   func(*rapid.T) { w.restartAgent() },
			"tick":             func(*rapid.T) { w.tick() },
		})
		w.calm()
	})
}

func (w *town) change(service string, n int) {
	w.counter++
	w.versions[service] = fmt.Sprint("v", w.counter, "-", n)
	w.serve()
}

// calm ends all trouble, and compares.
func (w *town) calm() {
	for _, service := range townNames[:3] {
		w.versions[service] = "good"
	}
	w.silent, w.frank = false, false
	w.connect()
	w.settle()
	w.tick()
	w.tick()
	if len(w.waits) > 0 {
		w.Fatalf("requests wait: %v", w.waits)
	}
	holds := map[string]string{}
	for name, one := range w.table {
		holds[name] = one.Version
	}
	if truth := w.truth(); !equal(holds, truth) {
		w.Fatalf("Envoy holds %v, the server wants %v", holds, truth)
	}
	if held := w.r.Names(hosts); !slices.Equal(held, slices.Sorted(maps.Keys(holds))) {
		w.Fatalf("remembered is %v, Envoy holds %v", held, holds)
	}
	w.connect()
	w.settle()
	if w.answers > 0 || w.pending != nil {
		w.Fatalf("a new stream brought %d answers of what was held", w.answers)
	}
	w.restartAgent()
	w.settle()
	for name, one := range w.table {
		delete(holds, name)
		if !slices.Equal(one.Aliases, aliasesOf(strings.TrimSuffix(strings.TrimPrefix(name, "outbound/"), ".shop:80"))) {
			w.Fatalf("from memory: %v", one)
		}
	}
	if len(holds) > 0 {
		w.Fatalf("not from memory: %v", holds)
	}
}

// settle moves every message until none is left.
func (w *town) settle() {
	for i := 0; w.read() || w.arrive() || w.envoyReads(); i++ {
		if i > 10_000 {
			w.Fatal("it never comes to rest")
		}
	}
}

// tick lets half of the bound pass, with an Envoy that reads.
func (w *town) tick() {
	w.drain()
	w.r.Tick()
	for name := range w.waits {
		w.waits[name]++
	}
	w.drain()
	for name, ticks := range w.waits {
		if ticks >= askTicks {
			w.Fatalf("a request has waited for %s for %d ticks", name, ticks)
		}
	}
}

func (w *town) drain() {
	for w.envoyReads() {
	}
}

func (w *town) connect() {
	w.up, w.sent, w.answers, w.late = true, nil, 0, nil
	w.under, w.strange = map[string]struct{}{}, map[string]bool{}
	w.r.ServerGone()
	w.r.ServerConnected()
	w.read()
}

// read takes the relay's requests.
func (w *town) read() bool {
	moved := false
	for q := w.r.ToServer(); q != nil; q = w.r.ToServer() {
		moved = true
		if q.ResponseNonce != "" {
			if _, ok := w.under[q.ResponseNonce]; !ok {
				w.Fatalf("the server never sent %q on this stream", q.ResponseNonce)
			}
			delete(w.under, q.ResponseNonce)
		}
		for _, name := range q.ResourceNamesSubscribe {
			w.subscribed(q, name)
		}
	}
	w.serve()
	return moved
}

func (w *town) subscribed(q *request, name string) {
	if name == wildcard {
		if w.sent != nil {
			w.Fatal("the wildcard is told twice on one stream")
		}
		w.sent = maps.Clone(q.InitialResourceVersions)
		if w.sent == nil {
			w.sent = map[string]string{}
		}
		return
	}
	w.strange[name] = true
	for _, service := range townNames[:3] {
		if slices.Contains(aliasesOf(service), name) {
			w.view[service] = true
			delete(w.strange, name)
		}
	}
}

// serve writes what differs, one response at a time.
func (w *town) serve() {
	if !w.up || w.silent || w.sent == nil || len(w.under) > 0 {
		return
	}
	p := &response{TypeUrl: hosts}
	truth := w.truth()
	for _, service := range townNames[:3] {
		name := "outbound/" + service + ".shop:80"
		if v, ok := truth[name]; ok && w.sent[name] != v {
			p.Resources = append(p.Resources, w.resource(service))
			w.sent[name] = v
		}
	}
	for _, name := range model.SortedKeys(w.sent) {
		if _, ok := truth[name]; !ok {
			p.RemovedResources = append(p.RemovedResources, name)
			delete(w.sent, name)
		}
	}
	if w.frank {
		for _, name := range model.SortedKeys(w.strange) {
			p.Resources = append(p.Resources, unknown(name))
		}
		w.strange = map[string]bool{}
	}
	if len(p.Resources)+len(p.RemovedResources) == 0 {
		return
	}
	w.counter++
	w.answers++
	p.Nonce = fmt.Sprint("s", w.counter)
	w.under[p.Nonce] = struct{}{}
	w.late = append(w.late, p)
}

func (w *town) arrive() bool {
	if !w.up || len(w.late) == 0 {
		return false
	}
	w.r.FromServer(w.late[0])
	w.late = w.late[1:]
	return true
}

func (w *town) find(alias string) bool {
	for _, one := range w.table {
		if slices.Contains(one.Aliases, alias) {
			return true
		}
	}
	return false
}

// call is a request; a racing one asks although the answer is there by now.
func (w *town) call(alias string, racing bool) {
	if w.find(alias) && !racing {
		return
	}
	if _, waits := w.waits[alias]; waits {
		return
	}
	w.names[alias], w.waits[alias] = true, 0
	w.r.FromEnvoy(&request{TypeUrl: hosts, ResourceNamesSubscribe: []string{alias}})
	w.read()
}

// envoyReads takes a response, or answers the one that was taken.
func (w *town) envoyReads() bool {
	if w.pending == nil {
		w.pending = w.r.ToEnvoy()
		w.check()
		return w.pending != nil
	}
	answer := &request{TypeUrl: hosts, ResponseNonce: w.pending.Nonce}
	if !w.apply(w.pending) {
		answer.ErrorDetail = &status.Status{Message: "bad"}
	}
	w.pending = nil
	w.r.FromEnvoy(answer)
	w.read()
	return true
}

// check looks for what Envoy would stumble over.
func (w *town) check() {
	if w.pending == nil {
		return
	}
	seen := map[string]bool{}
	for _, one := range w.pending.Resources {
		if seen[one.Name] {
			w.Fatalf("%s stands twice in %v", one.Name, names(w.pending))
		}
		seen[one.Name] = true
	}
	for _, name := range w.pending.RemovedResources {
		if _, waits := w.waits[name]; waits || seen[name] {
			w.Fatalf("%s is removed in %v", name, names(w.pending))
		}
	}
}

func (w *town) apply(p *response) bool {
	for _, one := range p.Resources {
		if strings.HasSuffix(one.Version, "3") {
			return false
		}
	}
	for _, name := range p.RemovedResources {
		delete(w.table, name)
	}
	for _, one := range p.Resources {
		if one.Resource != nil {
			w.table[one.Name] = one
		}
		for _, alias := range one.Aliases {
			delete(w.waits, alias)
		}
	}
	return true
}

func (w *town) restartEnvoy() {
	w.table, w.names, w.waits, w.pending = map[string]*resource{}, map[string]bool{}, map[string]int{}, nil
	w.r.EnvoyConnected()
	w.r.FromEnvoy(&request{TypeUrl: hosts, Node: &corev3.Node{Id: "x"}})
	w.read()
}

// reconnectEnvoy is a stream that broke; Envoy may have applied what it could
// not acknowledge.
func (w *town) reconnectEnvoy(applied bool) {
	if w.pending != nil && applied {
		w.apply(w.pending)
	}
	w.pending = nil
	q := &request{TypeUrl: hosts, Node: &corev3.Node{Id: "x"}, InitialResourceVersions: map[string]string{}}
	if len(w.names) > 0 {
		q.ResourceNamesSubscribe = append([]string{wildcard}, model.SortedKeys(w.names)...)
	}
	for name, one := range w.table {
		q.InitialResourceVersions[name] = one.Version
	}
	for name := range w.waits {
		w.waits[name] = 0
	}
	w.r.EnvoyConnected()
	w.r.FromEnvoy(q)
	w.read()
}

// restartAgent keeps what is on disk; Envoy dies with the agent.
func (w *town) restartAgent() {
	held := map[string]map[string]*resource{}
	if k := w.r.kinds[hosts]; k != nil && k.known {
		held[hosts] = k.held
	}
	w.r, w.up = New(held), false
	w.restartEnvoy()
}
