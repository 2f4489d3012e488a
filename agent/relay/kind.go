package relay

import (
	"maps"
	"math"
	"slices"

	"weft.dev/model"
)

var clusterURL = model.TypeCluster.TypeURL()

// kind is what is known of one type of resources.
type kind struct {
	url           string
	onDemand      bool // a request may wait at Envoy for a name
	needsClusters bool // its resources send requests to clusters

	held    map[string]*resource // accepted by Envoy
	aliases map[string]string    // of what is held, to its name
	known   bool                 // held is an answer, even when it is empty
	local   map[string]*resource // ours: the server is not asked for them

	// Of Envoy's stream.
	asked  bool
	names  map[string]bool // the wildcard is one
	owed   map[string]bool // to be answered from memory
	asks   map[string]int  // what requests wait for, and for how many ticks more; see ask.go
	again  [][]string      // were refused together from memory, and are sent apart
	strays map[string]bool // that Envoy has; see stray.go
	gone   []string        // Envoy has it from before, and we do not
	blank  bool            // an empty answer is owed
	under  *flight

	// Of the server's stream. It is late while Envoy has not answered what an
	// earlier stream sent: only then is known what is held.
	late    bool
	told    bool
	upNames map[string]bool
	waiting []*response
}

// flight is a response that Envoy has not answered yet.
type flight struct {
	nonce  string
	sent   *response
	from   *response // the server's; nil: from memory
	stream int       // of the server
}

func newKind(url string) *kind {
	k := &kind{
		url: url, onDemand: url == model.TypeVirtualHost.TypeURL(),
		held: map[string]*resource{}, aliases: map[string]string{}, local: map[string]*resource{},
		upNames: map[string]bool{},
	}
	for t := model.TypeListener; t < model.NumTypes; t++ {
		k.needsClusters = k.needsClusters || url == t.TypeURL()
	}
	k.reset(0)
	return k
}

// reset forgets Envoy's stream. What the server's newest stream has under way
// waits for the next one.
func (k *kind) reset(stream int) {
	if k.under != nil && k.under.from != nil && k.under.stream == stream {
		k.waiting = append([]*response{k.under.from}, k.waiting...)
	}
	k.late = false
	k.asked, k.blank, k.under, k.gone, k.again = false, false, nil, nil, nil
	k.names, k.owed, k.asks, k.strays = map[string]bool{}, map[string]bool{}, map[string]int{}, map[string]bool{}
}

// subscribe notes what Envoy wants. A request may wait as many ticks.
func (k *kind) subscribe(names []string, patience int) {
	for _, name := range names {
		switch {
		case name == wildcard:
			k.names[name] = true
		case k.onDemand:
			k.ask(name, patience)
		default:
			k.names[name], k.owed[name] = true, true
		}
	}
}

// compare finds what Envoy, with the first request of a stream, lacks or has too
// much of.
func (k *kind) compare(has map[string]string) {
	if k.names[wildcard] {
		k.blank = k.known
		for name := range k.held {
			k.owed[name] = true
		}
	}
	for name, version := range has {
		_, asked := k.asks[name]
		switch one := k.find(name); {
		case version == strayVersion:
			k.strays[name] = true
		case one != nil && one.Version == version:
			delete(k.owed, name)
		case one == nil && k.known && (!asked || version != ""): // without a version it is what unknown says
			k.gone = append(k.gone, name)
		}
	}
	slices.Sort(k.gone)
}

func (k *kind) unsubscribe(names []string) {
	for _, name := range names {
		delete(k.names, name)
		delete(k.owed, name)
		delete(k.asks, name)
	}
}

// forget drops what Envoy no longer wants.
func (k *kind) forget(unsubscribed []string) (changed bool) {
	if slices.Contains(unsubscribed, wildcard) {
		unsubscribed = slices.Collect(maps.Keys(k.held))
	}
	for _, name := range unsubscribed {
		if one := k.remembered(name); one != nil && !k.wants(one) {
			k.drop(one.Name)
			changed = true
		}
	}
	return changed
}

func (k *kind) wants(one *resource) bool {
	return k.names[wildcard] || k.names[one.Name] || slices.ContainsFunc(one.Aliases, func(alias string) bool { return k.names[alias] })
}

// find is the resource of a name or an alias, or nil.
func (k *kind) find(name string) *resource {
	if one := k.local[name]; one != nil {
		return one
	}
	return k.remembered(name)
}

func (k *kind) remembered(name string) *resource {
	if one := k.held[name]; one != nil {
		return one
	}
	return k.held[k.aliases[name]]
}

func (k *kind) set(one *resource) {
	k.drop(one.Name)
	k.held[one.Name] = one
	for _, alias := range one.Aliases {
		k.aliases[alias] = one.Name
	}
}

func (k *kind) drop(name string) {
	for _, alias := range k.held[name].GetAliases() {
		if k.aliases[alias] == name { // it may be another's by now
			delete(k.aliases, alias)
		}
	}
	delete(k.held, name)
}

// keep remembers what Envoy accepted. Of a resource without a body it makes
// nothing: it keeps what it had.
func (k *kind) keep(accepted *response) {
	for _, one := range accepted.Resources {
		if one.Resource != nil {
			k.set(one)
		}
	}
	for _, name := range accepted.RemovedResources {
		k.drop(name)
	}
	k.known = true
}

func (k *kind) versions() map[string]string {
	versions := map[string]string{}
	for name, one := range k.held {
		if k.wants(one) {
			versions[name] = one.Version
		}
	}
	return versions
}

// recalling says that Envoy has not yet accepted all that it is to have from memory.
func (k *kind) recalling() bool {
	return k.asked && (len(k.owed)+len(k.again) > 0 || k.under != nil && k.under.from == nil)
}

// fromMemory is what is owed of what is held, nil for nothing. While clusters
// come first, only what a request has waited for long enough is not held back.
func (k *kind) fromMemory(clustersFirst bool) *response {
	if p := k.oneGroup(); p != nil {
		return p
	}
	b := batch{response: &response{RemovedResources: k.gone}, in: map[string]bool{}, most: chunk}
	if k.needsClusters { // a listener opens with the first of its virtual hosts: then all must be there
		b.most = math.MaxInt
	}
	if k.gone = nil; len(b.RemovedResources) == 0 { // or a name might stand on both sides
		k.answerAsks(&b, clustersFirst)
	}
	if !clustersFirst {
		k.answerOwed(&b)
	}
	if len(b.Resources)+len(b.RemovedResources) == 0 && (clustersFirst || !k.blank) {
		return nil
	}
	k.blank = false
	return b.response
}

// batch is a response in which no name stands twice: Envoy would refuse it.
type batch struct {
	*response
	in   map[string]bool
	most int
}

func (b *batch) add(one *resource) {
	if !b.in[one.Name] {
		b.in[one.Name] = true
		b.Resources = append(b.Resources, one)
	}
}

func (b *batch) full() bool { return len(b.Resources) >= b.most }

func (k *kind) answerOwed(b *batch) {
	for _, name := range slices.Sorted(maps.Keys(k.owed)) {
		if b.full() {
			return
		}
		delete(k.owed, name)
		if one := k.find(name); one != nil {
			b.add(one)
		}
	}
}

// apart is for what Envoy took once and now refuses to take from memory, as
// another version of it may. Of several, halves are tried, so that one harms no
// other; a single one is forgotten, and the server may send it again.
func (k *kind) apart(refused *response) (changed bool) {
	var names []string
	for _, one := range refused.Resources {
		if k.held[one.Name] != nil {
			names = append(names, one.Name)
		}
	}
	switch n := len(names); {
	case n == 0: // even to answer that nobody knows it is refused
		k.settle(refused)
		return false
	case len(refused.Resources) == 1:
		k.drop(names[0])
		changed = true
	case n == 1:
		k.again = append(k.again, names)
	default:
		k.again = append(k.again, names[:n/2], names[n/2:])
	}
	k.unanswered(refused)
	return changed
}

// oneGroup is the next of what was refused together, nil for nothing.
func (k *kind) oneGroup() *response {
	for len(k.again) > 0 {
		p := &response{}
		for _, name := range k.again[0] {
			if one := k.held[name]; one != nil {
				p.Resources = append(p.Resources, one)
			}
		}
		k.again = k.again[1:]
		if len(p.Resources) > 0 {
			return p
		}
	}
	return nil
}
