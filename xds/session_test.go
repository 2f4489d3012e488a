package xds

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft.dev/model"
)

const (
	cluster  = model.TypeCluster
	endpoint = model.TypeEndpoint
	listener = model.TypeListener
	route    = model.TypeRoute
	host     = model.TypeVirtualHost
)

// res makes a resource. The body of a listener names its routes.
func res(t model.Type, name, body string, needs ...string) *model.Resource {
	return model.NewResource(model.Resource{Type: t, Name: name, Body: []byte(body), Needs: needs})
}

func isEmpty(r *model.Resource) bool { return r.AnyHead == 0 }

func routesOf(l *model.Resource) []string { return strings.Fields(string(l.Body))[1:] }

// proxy is a model of Envoy: it subscribes to the endpoints of its clusters and
// to the routes of its listeners, applies the good part of what it refuses,
// and never may hold what needs a cluster that it lacks. Both directions of
// its stream are queues that the test moves.
type proxy struct {
	t      *rapid.T
	full   bool
	s      *Session
	past   *past
	view   *model.View
	rev    uint64
	held   [model.NumTypes]map[string]*model.Resource
	fresh  map[string]bool // virtual hosts that came on this stream, which the server knows all of
	waits  map[string]bool // requests, by what they are for
	denied map[string]bool // names that nothing has
	lost   map[string]bool // names of which the session was told once that nothing has them
	names  [model.NumTypes]map[string]bool
	asked  [model.NumTypes]bool
	last   [model.NumTypes]Request // nonce and version that full requests carry
	up     []Request
	down   []*Response

	bad     map[string]bool     // refused, by type, name and version, always or never
	refused map[string]int      // how often, as far as the session heard
	blamed  map[string][]string // by nonce: refusals that it has not heard of
	// culprits are the clusters of which it refused any version.
	culprits map[string]bool
}

func newProxy(t *rapid.T, full bool) *proxy {
	p := &proxy{t: t, full: full, waits: map[string]bool{}, denied: map[string]bool{}, lost: map[string]bool{}, bad: map[string]bool{}, refused: map[string]int{}, culprits: map[string]bool{}, past: &past{good: &goods{}}}
	for i := range p.held {
		p.held[i], p.names[i] = map[string]*model.Resource{}, map[string]bool{}
	}
	p.connect()
	return p
}

func (p *proxy) connect() {
	p.up, p.down, p.blamed, p.fresh = nil, nil, map[string][]string{}, map[string]bool{}
	p.asked = [model.NumTypes]bool{}
	limits := Limits{}.withDefaults()
	limits.Linger = rapid.SampledFrom([]time.Duration{0, 1}).Draw(p.t, "linger")
	p.s = newSession(limits, p.past)
	p.s.full = p.full
	types := []model.Type{cluster, endpoint, listener, route}
	if !p.full {
		types = append(types, host)
	}
	types = rapid.Permutation(types).Draw(p.t, "order")
	for _, t := range types {
		p.last[t].Nonce = ""
		if !traits[t].wildcard && len(p.names[t]) == 0 {
			continue
		}
		names := slices.Sorted(maps.Keys(p.names[t]))
		if t == host && len(names) > 0 {
			names = append(names, "*")
		}
		p.ask(t, Request{Subscribe: names})
	}
	p.s.Update(p.view, p.rev)
}

// ask puts a request on its way, completed by what the protocol wants in it.
func (p *proxy) ask(t model.Type, r Request) {
	r.Type = t
	if p.full {
		r.Subscribe, r.Unsubscribe = nil, nil
		r.Names = slices.Sorted(maps.Keys(p.names[t]))
		r.Nonce, r.Version = p.last[t].Nonce, p.last[t].Version
	} else if !p.asked[t] {
		r.Holds = map[string]uint64{}
		for name, res := range p.held[t] {
			r.Holds[name] = res.Version
		}
		for name := range p.denied {
			if t == host {
				r.Holds[name] = emptyVersion
			}
		}
	}
	p.asked[t] = true
	p.up = append(p.up, r)
}

func id(r *model.Resource) string { return fmt.Sprintf("%v/%s@%x", r.Type, r.Name, r.Version) }

// pump lets the session say one thing.
func (p *proxy) pump() bool {
	r := p.s.Next()
	if r == nil {
		return false
	}
	seen := map[string]bool{}
	for _, res := range r.Resources {
		if seen[res.Name] {
			p.t.Fatalf("%v: %q twice in one response", r.Type, res.Name)
		}
		seen[res.Name] = true
		if n := p.refused[id(res)]; n > maxResends {
			p.t.Fatalf("%s sent again after %d refusals", id(res), n)
		}
	}
	for _, name := range r.Removed {
		if seen[name] {
			p.t.Fatalf("%v: %q added and removed, or removed twice", r.Type, name)
		}
		seen[name] = true
	}
	for _, d := range p.down {
		if d.Type == r.Type {
			p.t.Fatalf("%v: a second response before the first one was answered", r.Type)
		}
	}
	p.down = append(p.down, r)
	return true
}

// tell gives the session the oldest request.
func (p *proxy) tell() bool {
	if len(p.up) == 0 {
		return false
	}
	r := p.up[0]
	p.up = p.up[1:]
	if r.Refused {
		for _, id := range p.blamed[r.Nonce] {
			p.refused[id]++
		}
		delete(p.blamed, r.Nonce)
	}
	if err := p.s.Request(r); err != nil {
		p.t.Fatalf("request %+v: %v", r, err)
	}
	return true
}

// hear applies the oldest response.
func (p *proxy) hear() bool {
	if len(p.down) == 0 {
		return false
	}
	r := p.down[0]
	p.down = p.down[1:]
	var bad []string
	for _, res := range r.Resources {
		if p.bad[id(res)] {
			bad = append(bad, res.Name)
			p.blamed[r.Nonce] = append(p.blamed[r.Nonce], id(res))
			if r.Type == cluster {
				p.culprits[res.Name] = true
			}
		}
	}
	if r.Type == host {
		p.applyHosts(r, len(bad) == 0)
	} else if p.apply(r, len(bad) == 0 || rapid.Bool().Draw(p.t, "apply the good part")); true {
	}
	if len(bad) == 0 {
		p.last[r.Type].Version = r.Version
	}
	answer := Request{Type: r.Type, Nonce: r.Nonce, Refused: len(bad) > 0}
	if answer.Refused && rapid.Bool().Draw(p.t, "names the culprit") {
		answer.Reason = "Error adding/updating " + strings.Join(bad, ": no, ") + ": no"
	}
	p.last[r.Type].Nonce, p.last[r.Type].Refused = r.Nonce, len(bad) > 0
	if rapid.Bool().Draw(p.t, "answer first") {
		p.answer(answer)
		p.resubscribe()
	} else {
		p.resubscribe()
		p.answer(answer)
	}
	p.check()
	return true
}

func (p *proxy) answer(r Request) {
	if p.full {
		refused, reason := r.Refused, r.Reason
		p.ask(r.Type, r)
		p.up[len(p.up)-1].Refused, p.up[len(p.up)-1].Reason = refused, reason
		return
	}
	p.up = append(p.up, r)
}

// giveUp is that nobody found in time what was asked for.
func (p *proxy) giveUp() {
	for _, d := range domains {
		if p.view != nil && !p.answers(d) {
			p.lost[d] = true
		}
	}
	p.s.GiveUp(p.s.demand.serial)
}

// answers says whether the newest view has something for a name.
func (p *proxy) answers(name string) bool {
	for r := range p.view.All(host) {
		if r.Name == name || slices.Contains(r.Aliases, name) {
			return true
		}
	}
	return false
}

func (p *proxy) apply(r *Response, good bool) {
	held := p.held[r.Type]
	if p.full && traits[r.Type].full {
		for name := range held {
			if !slices.ContainsFunc(r.Resources, func(res *model.Resource) bool { return res.Name == name }) {
				delete(held, name)
			}
		}
	}
	for _, res := range r.Resources {
		if good && !p.bad[id(res)] && (traits[r.Type].wildcard || p.names[r.Type][res.Name]) {
			held[res.Name] = res
		}
	}
	for _, name := range r.Removed {
		if !traits[r.Type].removable {
			p.t.Fatalf("%v %q removed: Envoy would ignore it", r.Type, name)
		}
		delete(held, name)
	}
}

// resubscribe asks for what the clusters and listeners refer to now.
func (p *proxy) resubscribe() {
	endpoints, routes := map[string]bool{}, map[string]bool{}
	for name := range p.held[cluster] {
		endpoints[name] = true
	}
	for _, l := range p.held[listener] {
		for _, name := range routesOf(l) {
			routes[name] = true
		}
	}
	p.want(endpoint, endpoints)
	p.want(route, routes)
}

func (p *proxy) want(t model.Type, names map[string]bool) {
	var r Request
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !p.names[t][name] {
			r.Subscribe = append(r.Subscribe, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.names[t])) {
		if !names[name] {
			r.Unsubscribe = append(r.Unsubscribe, name)
			delete(p.held[t], name)
		}
	}
	p.names[t] = names
	if len(r.Subscribe)+len(r.Unsubscribe) > 0 {
		p.ask(t, r)
	}
}

// check is the promise.
func (p *proxy) check() {
	for _, t := range []model.Type{listener, route, host} {
		for _, r := range p.held[t] {
			for _, c := range r.Needs {
				if p.held[cluster][c] == nil && !p.culprits[c] {
					p.t.Fatalf("the proxy holds %s, which needs cluster %s, and lacks that", id(r), c)
				}
			}
		}
	}
}

// letGo is that clusters were there for long enough; false: none is to be removed.
func (p *proxy) letGo() bool {
	serial := p.s.Leaving()
	leaves := serial > p.s.lingering.over
	p.s.LetGo(serial)
	return leaves
}

// drain runs until nothing is under way.
func (p *proxy) drain() {
	for i := 0; p.tell() || p.pump() || p.hear() || p.letGo(); i++ {
		if i > 20_000 {
			p.t.Fatal("the stream never comes to rest")
		}
	}
}

// drawView makes a view that is closed: what a resource refers to is in it.
func (p *proxy) drawView() *model.View {
	t := p.t
	body := rapid.IntRange(0, 3)
	some := func(names []string, label string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(string) bool { return rapid.IntRange(0, 2).Draw(t, label) == 0 })
	}
	clusters := some([]string{"c0", "c1", "c2", "c3", "c4"}, "cluster")
	routes := some([]string{"r0", "r1", "r2"}, "route")
	var all [2][]*model.Resource
	add := func(r *model.Resource) {
		i := rapid.IntRange(0, 1).Draw(t, "layer")
		all[i] = append(all[i], r)
		if _, decided := p.bad[id(r)]; !decided {
			p.bad[id(r)] = rapid.IntRange(0, 9).Draw(t, "bad") == 0
		}
	}
	for _, c := range clusters {
		add(res(cluster, c, fmt.Sprint(c, body.Draw(t, "body"))))
		add(res(endpoint, c, fmt.Sprint(c, body.Draw(t, "body"))))
	}
	for _, r := range routes {
		needs := some(clusters, "needs")
		add(res(route, r, fmt.Sprint(body.Draw(t, "body"), needs), needs...))
	}
	for _, l := range some([]string{"l0", "l1", "l2"}, "listener") {
		needs := some(clusters, "needs")
		refs := some(routes, "refers")
		add(res(listener, l, fmt.Sprint(body.Draw(t, "body"), strings.Join(needs, "+"), " ", strings.Join(refs, " ")), needs...))
	}
	for _, d := range some(domains, "domain") {
		if p.full {
			break // such clients get whole tables
		}
		needs := some(clusters, "needs")
		r := model.Resource{Type: host, Name: d, Aliases: []string{d}, Body: fmt.Append(nil, "none", body.Draw(t, "body"))}
		if rapid.Bool().Draw(t, "is a service") {
			r.Name, r.Needs, r.Body = d+".ns:80", needs, fmt.Append(nil, d, body.Draw(t, "body"), needs)
		}
		add(model.NewResource(r))
	}
	return &model.View{Scope: "s", Layers: []*model.Layer{model.NewLayer("a", all[0]...), model.NewLayer("b", all[1]...)}}
}

func (p *proxy) update(v *model.View) {
	p.view, p.rev = v, p.rev+1
	p.s.Update(v, p.rev)
}

// mend replaces all bad resources by good ones of another version, and has an
// answer for each name that the proxy asked for.
func (p *proxy) mend() {
	var layers []*model.Layer
	for _, l := range p.view.Layers {
		var all []*model.Resource
		for t := range model.NumTypes {
			for _, r := range l.Resources[t] {
				if p.bad[id(r)] {
					fields := strings.SplitN(string(r.Body), " ", 2)
					r = model.NewResource(model.Resource{
						Type: t, Name: r.Name, Aliases: r.Aliases, Needs: r.Needs,
						Body: []byte("mended" + fields[0] + " " + strings.Join(fields[1:], " ")),
					})
				}
				all = append(all, r)
			}
		}
		layers = append(layers, model.NewLayer(l.Name, all...))
	}
	var answers []*model.Resource
	for _, d := range domains {
		if p.names[host][d] && p.view.Find(host, d) == nil && p.view.Find(host, d+".ns:80") == nil {
			answers = append(answers, model.NewResource(model.Resource{Type: host, Name: d, Aliases: []string{d}, Body: []byte("none")}))
		}
	}
	layers = append(layers, model.NewLayer("answers", answers...))
	p.bad = map[string]bool{}
	p.update(&model.View{Scope: "s", Layers: layers})
}

// converged says what differs between the proxy and its view.
func (p *proxy) converged() {
	p.t.Helper()
	for t := range model.NumTypes {
		want := map[string]*model.Resource{}
		for r := range p.view.All(t) {
			if traits[t].wildcard || p.names[t][r.Name] {
				want[r.Name] = r
			}
		}
		for _, name := range slices.Sorted(maps.Keys(p.held[t])) {
			if h := p.held[t][name]; want[name] == nil || want[name].Version != h.Version {
				p.t.Errorf("the proxy holds %s, the view has %v", id(h), want[name])
			}
		}
		if len(p.held[t]) < len(want) {
			p.t.Errorf("%v: the proxy holds %d, the view has %d", t, len(p.held[t]), len(want))
		}
	}
	if st := p.s.Status(); !st.Synced || st.Revision != p.rev || len(st.Refusals) > 0 {
		p.t.Errorf("status %+v at revision %d", st, p.rev)
	}
}

func run(t *rapid.T, full bool) {
	p := newProxy(t, full)
	actions := map[string]func(*rapid.T){
		"":     func(*rapid.T) { p.check() },
		"view": func(*rapid.T) { p.update(p.drawView()) },
		"tell": func(*rapid.T) { p.tell() }, "tell more": func(*rapid.T) { p.tell() },
		"pump": func(*rapid.T) { p.pump() }, "pump more": func(*rapid.T) { p.pump() },
		"hear": func(*rapid.T) { p.hear() }, "hear more": func(*rapid.T) { p.hear() },
		"drain": func(*rapid.T) { p.drain() }, "let go": func(*rapid.T) { p.letGo() },
	}
	if !full {
		actions["call"] = func(*rapid.T) { p.call(rapid.SampledFrom(domains).Draw(t, "to")) }
		actions["hang up"] = func(*rapid.T) { p.hangUp(rapid.SampledFrom(domains).Draw(t, "to")) }
		actions["give up"] = func(*rapid.T) { p.giveUp() }
		actions["reconnect"] = func(*rapid.T) { p.connect() }
	}
	t.Repeat(actions)
	if p.view == nil {
		p.update(p.drawView())
	}
	p.drain()
	p.mend()
	p.drain()
	p.giveUp()
	p.drain()
	p.converged()
	if len(p.waits) > 0 {
		t.Fatalf("requests for %v wait forever", p.waits)
	}

	p.connect()
	for p.tell() {
	}
	for p.pump() || p.tell() || p.hear() || p.letGo() {
		for _, r := range p.down {
			// State of the world can only tell of whole responses, and of the last one if it was accepted.
			untold := full && (!traits[r.Type].full || p.last[r.Type].Refused)
			if len(r.Resources)+len(r.Removed) > 0 && !untold {
				t.Fatalf("a proxy that lacks nothing came back, and was sent %+v", r)
			}
		}
	}
}

// A proxy that answers, refuses and comes back at random never holds a route to
// a cluster that it lacks, ends with its view, and is sent nothing twice.
func TestDeltaModel(t *testing.T) { rapid.Check(t, func(t *rapid.T) { run(t, false) }) }

func TestFullModel(t *testing.T) { rapid.Check(t, func(t *rapid.T) { run(t, true) }) }

var domains = []string{"o/d0", "o/d1", "o/d2"}

// call is a request: it goes on if the proxy has a virtual host for it, else
// the proxy asks, once.
func (p *proxy) call(domain string) {
	if p.names[host][domain] || p.serves(domain) != nil {
		return
	}
	p.names[host][domain] = true
	p.waits[domain] = true
	p.ask(host, Request{Subscribe: []string{domain}})
}

func (p *proxy) hangUp(domain string) {
	if !p.names[host][domain] {
		return
	}
	delete(p.names[host], domain)
	delete(p.waits, domain)
	delete(p.denied, domain)
	p.ask(host, Request{Unsubscribe: []string{domain}})
}

// serves returns the virtual host of a domain.
func (p *proxy) serves(domain string) *model.Resource {
	var found *model.Resource
	for _, r := range p.held[host] {
		if slices.Contains(r.Aliases, domain) {
			if found != nil {
				p.t.Fatalf("%s and %s have the domain %s", id(found), id(r), domain)
			}
			found = r
		}
	}
	return found
}

// applyHosts applies all of a response, or nothing.
func (p *proxy) applyHosts(r *Response, good bool) {
	if !good {
		return
	}
	for _, name := range r.Removed {
		delete(p.held[host], name)
		delete(p.denied, name)
	}
	for _, res := range r.Resources {
		if isEmpty(res) {
			if p.names[host][res.Name] {
				p.denied[res.Name] = true
			}
		} else {
			p.held[host][res.Name] = res
			p.fresh[res.Name] = true
			delete(p.denied, res.Name)
		}
		for _, alias := range res.Aliases {
			delete(p.waits, alias)
		}
	}
	for _, d := range domains {
		p.serves(d)
	}
	for _, name := range r.Removed {
		for _, d := range domains {
			if p.names[host][d] && p.fresh[name] && strings.HasPrefix(name, d) && p.serves(d) == nil && len(p.up) == 0 && !p.lost[d] {
				p.t.Fatalf("%s was removed, and nothing serves %s, which was asked for", name, d)
			}
		}
	}
}
