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
	chunk      = 200 // resources in one response from memory: Envoy keeps the memory of the largest
	maxWaiting = 16  // responses of one type that a server may have under way
	wildcard   = "*"
)

// Relay is the state between one Envoy and the server. It is for one goroutine.
type Relay struct {
	node     *corev3.Node // that Envoy last sent
	kinds    map[string]*kind
	nonces   int
	upstream int  // number of the stream to the server; 0: there is none
	greeted  bool // the stream has had its node
	toServer []*request
	changes  int // grows when what is held changes
	refusals []Refusal
}

// Refusal is a response that Envoy did not accept.
type Refusal struct {
	TypeURL, Detail string
	FromMemory      bool // Envoy accepted these resources before
}

// kind is what is known of one type of resources.
type kind struct {
	held  map[string]*resource // accepted by Envoy
	known bool                 // held is an answer, even when it is empty
	local map[string]*resource // ours: the server is not asked for them

	// Of Envoy's stream.
	asked bool
	all   bool
	names map[string]bool
	owed  map[string]bool // to be answered from memory
	gone  []string        // Envoy has it from before, and we do not
	blank bool            // an empty answer is owed
	under *flight

	// Of the server's stream. It is late while Envoy has not answered what an
	// earlier stream sent: only then is known what is held.
	late    bool
	told    bool
	toldAll bool
	upNames map[string]bool
	waiting []*response
}

// flight is a response that Envoy has not answered yet.
type flight struct {
	nonce  string
	from   *response // the server's; nil: from memory
	stream int       // of the server
}

// New makes a relay that remembers these resources, by type URL.
func New(held map[string]map[string]*resource) *Relay {
	r := &Relay{kinds: map[string]*kind{}}
	for url, resources := range held {
		k := r.kind(url)
		k.held, k.known = resources, true
	}
	return r
}

func (r *Relay) kind(url string) *kind {
	k := r.kinds[url]
	if k == nil {
		k = &kind{held: map[string]*resource{}, local: map[string]*resource{}, upNames: map[string]bool{}}
		k.reset(0)
		r.kinds[url] = k
	}
	return k
}

// reset forgets Envoy's stream. What the server's present stream has under way
// waits for the next one.
func (k *kind) reset(upstream int) {
	if k.under != nil && k.under.from != nil && k.under.stream == upstream {
		k.waiting = append([]*response{k.under.from}, k.waiting...)
	}
	k.late = false
	k.asked, k.all, k.blank, k.under, k.gone = false, false, false, nil, nil
	k.names, k.owed = map[string]bool{}, map[string]bool{}
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
		k.reset(r.upstream)
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
	k.subscribe(q, first)
	for _, name := range q.ResourceNamesUnsubscribe {
		delete(k.names, name)
		delete(k.owed, name)
	}
	r.tellServer(q.TypeUrl, k, q.ResourceNamesSubscribe, q.ResourceNamesUnsubscribe)
	r.forget(k, q.ResourceNamesUnsubscribe)
}

func (k *kind) subscribe(q *request, first bool) {
	for _, name := range q.ResourceNamesSubscribe {
		if name == wildcard {
			k.all = true
			continue
		}
		k.names[name], k.owed[name] = true, true
	}
	if !first {
		return
	}
	k.all = k.all || len(q.ResourceNamesSubscribe) == 0
	if k.all {
		k.blank = k.known
		for name := range k.held {
			k.owed[name] = true
		}
	}
	for name, version := range q.InitialResourceVersions {
		switch one := k.find(name); {
		case one != nil && one.Version == version:
			delete(k.owed, name)
		case one == nil && k.known:
			k.gone = append(k.gone, name)
		}
	}
	slices.Sort(k.gone)
}

func (k *kind) find(name string) *resource {
	if one := k.local[name]; one != nil {
		return one
	}
	return k.held[name]
}

// forget drops what Envoy no longer wants.
func (r *Relay) forget(k *kind, names []string) {
	if k.all {
		return
	}
	for _, name := range names {
		if _, ok := k.held[name]; ok {
			delete(k.held, name)
			r.changes++
		}
	}
}

// answered settles the response under way.
func (r *Relay) answered(url string, k *kind, refused *status.Status) {
	done := k.under
	k.under = nil
	if refused != nil {
		r.refusals = append(r.refusals, Refusal{url, refused.Message, done.from == nil})
	}
	if done.from == nil {
		return
	}
	if refused == nil {
		r.keep(k, done.from)
	}
	if done.stream == r.upstream {
		r.send(&request{TypeUrl: url, ResponseNonce: done.from.Nonce, ErrorDetail: refused})
	}
	if k.late {
		k.late = false
		r.tellAll(url, k)
	}
}

func (r *Relay) keep(k *kind, accepted *response) {
	for _, one := range accepted.Resources {
		k.held[one.Name] = one
	}
	for _, name := range accepted.RemovedResources {
		delete(k.held, name)
	}
	k.known = true
	r.changes++
}

// ServerConnected begins a stream to the server.
func (r *Relay) ServerConnected() {
	r.upstream++
	r.greeted = false
	r.toServer = nil
	for _, url := range r.urls() {
		k := r.kinds[url]
		k.told, k.toldAll, k.waiting = false, false, nil
		k.late = k.under != nil && k.under.from != nil
		k.upNames = map[string]bool{}
		r.tellAll(url, k)
	}
}

func (r *Relay) tellAll(url string, k *kind) {
	r.tellServer(url, k, slices.Collect(maps.Keys(k.names)), nil)
}

// tellServer brings the server's idea of the subscription up to Envoy's. The
// first request of a stream says what is held, so that nothing is sent twice.
func (r *Relay) tellServer(url string, k *kind, subscribed, unsubscribed []string) {
	if r.upstream == 0 || !k.asked || k.late {
		return
	}
	q := &request{TypeUrl: url}
	for _, name := range subscribed {
		if name != wildcard && k.local[name] == nil && (!k.upNames[name] || k.held[name] == nil) {
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
	if k.all && !k.toldAll {
		k.toldAll = true
		q.ResourceNamesSubscribe = append([]string{wildcard}, q.ResourceNamesSubscribe...)
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

func (k *kind) versions() map[string]string {
	versions := map[string]string{}
	for name, one := range k.held {
		if k.all || k.names[name] {
			versions[name] = one.Version
		}
	}
	return versions
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
func (r *Relay) ToEnvoy() *response {
	for _, url := range r.urls() {
		k := r.kinds[url]
		if !k.asked || k.under != nil {
			continue
		}
		if p := k.fromMemory(); p != nil {
			return r.launch(url, k, p, nil)
		}
		if len(k.waiting) > 0 {
			from := k.waiting[0]
			k.waiting = k.waiting[1:]
			return r.launch(url, k, &response{Resources: from.Resources, RemovedResources: from.RemovedResources}, from)
		}
	}
	return nil
}

func (r *Relay) launch(url string, k *kind, p *response, from *response) *response {
	r.nonces++
	p.TypeUrl, p.Nonce = url, strconv.Itoa(r.nonces)
	k.under = &flight{nonce: p.Nonce, from: from, stream: r.upstream}
	return p
}

// fromMemory is what is owed of what is held, nil for nothing.
func (k *kind) fromMemory() *response {
	p := &response{RemovedResources: k.gone}
	for _, name := range slices.Sorted(maps.Keys(k.owed)) {
		if len(p.Resources) == chunk {
			break
		}
		delete(k.owed, name)
		if one := k.find(name); one != nil {
			p.Resources = append(p.Resources, one)
		}
	}
	if len(p.Resources)+len(p.RemovedResources) == 0 && !k.blank {
		return nil
	}
	k.gone, k.blank = nil, false
	return p
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
