package relay

import (
	"maps"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"

	"weft.dev/model"
)

type (
	request  = discoveryv3.DeltaDiscoveryRequest
	response = discoveryv3.DeltaDiscoveryResponse
	resource = discoveryv3.Resource
)

const (
	chunk      = 200 // clusters, or endpoints of so many, in one response from memory: Envoy keeps the memory of the largest
	maxWaiting = 16  // responses of one type that a server may have under way
	wildcard   = "*"
)

// Relay is the state between one Envoy and the server. It is for one goroutine.
type Relay struct {
	node     *corev3.Node // that Envoy last sent
	kinds    map[string]*kind
	nonces   int
	stream   int  // number of the stream to the server, the newest
	up       bool // it has not ended
	away     int  // ticks since it did
	greeted  bool // it has had its node
	stale    bool // it was told of what turned out not to be held
	toServer []*request
	changes  int // grows when what is held changes
	refusals []Refusal
}

// Refusal is a response that Envoy did not accept.
type Refusal struct {
	TypeURL, Detail string
	FromMemory      bool // Envoy accepted these resources before
}

// New makes a relay that remembers these resources, by type URL.
func New(held map[string]map[string]*resource) *Relay {
	r := &Relay{kinds: map[string]*kind{}}
	for url, resources := range held {
		k := r.kind(url)
		k.known = true
		for _, one := range resources {
			k.set(one)
		}
	}
	return r
}

func (r *Relay) kind(url string) *kind {
	k := r.kinds[url]
	if k == nil {
		k = newKind(url)
		r.kinds[url] = k
	}
	return k
}

// urls are the types in the order in which they are sent.
func (r *Relay) urls() []string {
	order := map[string]int{}
	for t := range model.NumTypes {
		order[t.TypeURL()] = int(t) + 1
	}
	return slices.SortedFunc(maps.Keys(r.kinds), func(a, b string) int { return order[a] - order[b] })
}

// EnvoyConnected begins a stream of Envoy.
func (r *Relay) EnvoyConnected() {
	for _, k := range r.kinds {
		k.reset(r.stream)
	}
}

// FromEnvoy takes a request of Envoy.
func (r *Relay) FromEnvoy(q *request) {
	if q.Node != nil {
		r.node = q.Node
	}
	k := r.kind(q.TypeUrl)
	if k.under != nil && q.ResponseNonce != "" && q.ResponseNonce == k.under.nonce {
		r.answered(q.TypeUrl, k, q.ErrorDetail)
	}
	first := !k.asked
	k.asked = true
	subscribed := q.ResourceNamesSubscribe
	if first && len(subscribed) == 0 {
		subscribed = []string{wildcard}
	}
	k.subscribe(subscribed, r.patience())
	if first {
		k.compare(q.InitialResourceVersions)
	}
	k.unsubscribe(q.ResourceNamesUnsubscribe)
	r.tellServer(q.TypeUrl, k, subscribed, q.ResourceNamesUnsubscribe)
	if k.forget(q.ResourceNamesUnsubscribe) {
		r.changes++
	}
}

// patience is how many ticks a request may wait for the server's word.
func (r *Relay) patience() int {
	if !r.up && r.away >= askTicks {
		return 0
	}
	return askTicks
}

// Tick says that half of the time has passed for which a request may wait.
func (r *Relay) Tick() {
	if !r.up {
		r.away = min(r.away+1, askTicks)
	}
	for _, k := range r.kinds {
		k.tick()
	}
}

// answered settles the response under way.
func (r *Relay) answered(url string, k *kind, refused *status.Status) {
	done := k.under
	k.under = nil
	if refused != nil {
		r.refusals = append(r.refusals, Refusal{url, refused.Message, done.from == nil})
	} else {
		k.settle(done.sent)
		k.tookStrays(done.sent)
	}
	if done.from == nil {
		if refused != nil && k.apart(done.sent) {
			r.changes++
			r.stale = r.stale || k.told
		}
		return
	}
	if refused == nil {
		k.keep(done.from)
		r.changes++
	}
	if done.stream == r.stream && r.up {
		r.send(&request{TypeUrl: url, ResponseNonce: done.from.Nonce, ErrorDetail: refused})
	}
	if k.late {
		k.late = false
		r.tellAll(url, k)
	}
}

// ServerConnected begins a stream to the server.
func (r *Relay) ServerConnected() {
	r.stream++
	r.up, r.away, r.greeted, r.stale = true, 0, false, false
	r.toServer = nil
	for _, url := range r.urls() {
		k := r.kinds[url]
		k.told, k.waiting = false, nil
		k.late = k.under != nil && k.under.from != nil
		k.upNames = map[string]bool{}
		r.tellAll(url, k)
	}
}

// ServerGone ends the stream to the server. What it still has under way is
// brought to Envoy.
func (r *Relay) ServerGone() {
	r.up, r.stale, r.toServer = false, false, nil
}

// Stale says that the server thinks of something as held that Envoy refused to
// take from memory: only a new stream can say so.
func (r *Relay) Stale() bool { return r.stale }

func (r *Relay) tellAll(url string, k *kind) {
	r.tellServer(url, k, slices.Collect(maps.Keys(k.names)), nil)
}

// tellServer brings the server's idea of the subscription up to Envoy's. The
// first request of a stream says what is held, so that nothing is sent twice.
func (r *Relay) tellServer(url string, k *kind, subscribed, unsubscribed []string) {
	if !r.up || !k.asked || k.late {
		return
	}
	q := &request{TypeUrl: url}
	for _, name := range subscribed {
		if k.names[name] && k.local[name] == nil && !model.IsFileSecret(name) && (!k.upNames[name] || name != wildcard && k.find(name) == nil) {
			q.ResourceNamesSubscribe = append(q.ResourceNamesSubscribe, name)
			k.upNames[name] = true
		}
	}
	slices.Sort(q.ResourceNamesSubscribe)
	for _, name := range unsubscribed {
		if k.upNames[name] {
			q.ResourceNamesUnsubscribe = append(q.ResourceNamesUnsubscribe, name)
			delete(k.upNames, name)
		}
	}
	if len(q.ResourceNamesSubscribe)+len(q.ResourceNamesUnsubscribe) == 0 {
		return
	}
	if !k.told {
		k.told = true
		q.InitialResourceVersions = k.versions()
	}
	r.send(q)
}

func (r *Relay) send(q *request) {
	if !r.greeted {
		q.Node, r.greeted = r.node, true
	}
	r.toServer = append(r.toServer, q)
}

// FromServer takes a response of the server. It is false when the server sends
// more than it may have under way: the stream is to be ended.
func (r *Relay) FromServer(p *response) bool {
	k := r.kind(p.TypeUrl)
	k.waiting = append(k.waiting, p)
	return len(k.waiting) <= maxWaiting
}

// SetLocal gives a resource that the server is not asked for.
func (r *Relay) SetLocal(url string, one *resource) {
	k := r.kind(url)
	k.local[one.Name] = one
	if k.names[one.Name] {
		k.owed[one.Name] = true
	}
}

// Asked says whether Envoy has asked for anything yet: before, the server would
// wait in vain.
func (r *Relay) Asked() bool { return r.node != nil }

// ToServer is the next request to the server, or nil.
func (r *Relay) ToServer() *request {
	if len(r.toServer) == 0 {
		return nil
	}
	q := r.toServer[0]
	r.toServer = r.toServer[1:]
	return q
}

// ToEnvoy is the next response to Envoy, or nil. One of each type is under way.
// Nothing that sends requests to clusters leaves memory before the clusters
// there have been accepted; the server has an order of its own.
func (r *Relay) ToEnvoy() *response {
	for _, url := range r.urls() {
		k := r.kinds[url]
		if !k.asked || k.under != nil {
			continue
		}
		if p := k.fromMemory(k.needsClusters && r.kind(clusterURL).recalling()); p != nil {
			return r.launch(url, k, p, nil)
		}
		if len(k.waiting) > 0 {
			from := k.waiting[0]
			k.waiting = k.waiting[1:]
			return r.launch(url, k, k.passOn(from), from)
		}
	}
	return nil
}

func (r *Relay) launch(url string, k *kind, p, from *response) *response {
	k.makeRoom(p)
	r.nonces++
	p.TypeUrl, p.Nonce = url, strconv.Itoa(r.nonces)
	k.under = &flight{nonce: p.Nonce, sent: p, from: from, stream: r.stream}
	return p
}

// AskedFor are the names of a type that Envoy asks for.
func (r *Relay) AskedFor(url string) []string {
	if k := r.kinds[url]; k != nil {
		return slices.Sorted(maps.Keys(k.names))
	}
	return nil
}

// Names are the resources of a type that Envoy holds.
func (r *Relay) Names(url string) []string {
	if k := r.kinds[url]; k != nil {
		return slices.Sorted(maps.Keys(k.held))
	}
	return nil
}

// Refusals returns what Envoy refused since the last call.
func (r *Relay) Refusals() []Refusal {
	all := r.refusals
	r.refusals = nil
	return all
}
