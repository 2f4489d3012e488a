package relay

import (
	"maps"
	"slices"
)

// On demand, Envoy asks for a name when a request needs it, and the request
// waits until an answer is accepted: without end, if there is none, and without
// end, too, if the answer is that the resource is removed. So every ask has an
// answer: from memory at once, the server's, or, when that is late, a resource
// without a body, with which Envoy answers the request that there is no such
// thing. The subscription stands, and what the server says later heals it.

const (
	askTicks = 2    // after which an ask is answered anyway
	inHand   = -1   // ticks of an ask that a response from memory answers
	maxAsks  = 1000 // names that are asked for by one Envoy; those beyond are unknown
)

// ask notes that a request waits for a name.
func (k *kind) ask(name string, patience int) {
	if _, waits := k.asks[name]; waits {
		return
	}
	switch {
	case k.names[name]:
		if k.find(name) == nil { // the server has been asked, and its word will come by itself
			patience = 0
		}
	case len(k.names) >= maxAsks:
		patience = 0
	default:
		k.names[name] = true
	}
	k.asks[name] = patience
}

func (k *kind) tick() {
	for name, left := range k.asks {
		if left > 0 {
			k.asks[name] = left - 1
		}
	}
}

// answerAsks adds what is held or has been waited for long enough.
func (k *kind) answerAsks(b *batch, clustersFirst bool) {
	for _, name := range slices.Sorted(maps.Keys(k.asks)) {
		left := k.asks[name]
		if b.full() {
			return
		}
		one := k.find(name)
		if left == inHand || left > 0 && (one == nil || clustersFirst) {
			continue
		}
		if one == nil {
			one = k.nobodys(name)
		}
		k.asks[name] = inHand
		b.add(one)
	}
}

func unknown(name string) *resource { return &resource{Name: name, Aliases: []string{name}} }

// passOn is a response of the server as Envoy may see it: what a request waits
// for is not called removed.
func (k *kind) passOn(from *response) *response {
	p := &response{Resources: slices.Clone(from.Resources)}
	for _, name := range from.RemovedResources {
		if _, waits := k.asks[name]; waits && k.held[name] == nil {
			p.Resources = append(p.Resources, unknown(name))
		} else {
			p.RemovedResources = append(p.RemovedResources, name)
		}
	}
	k.goAstray(p)
	return p
}

// nobodys is the answer to an ask for what nobody knows.
func (k *kind) nobodys(name string) *resource {
	if one := k.stray(name); one != nil {
		return one
	}
	return unknown(name)
}

// settle takes note of the asks that a response has answered.
func (k *kind) settle(accepted *response) {
	k.eachAnswered(accepted, func(name string) { delete(k.asks, name) })
}

// unanswered takes note that a response from memory has answered nothing.
func (k *kind) unanswered(refused *response) {
	k.eachAnswered(refused, func(name string) { k.asks[name] = 0 })
}

func (k *kind) eachAnswered(p *response, do func(name string)) {
	for _, one := range p.Resources {
		for _, name := range append([]string{one.Name}, one.Aliases...) {
			if _, waits := k.asks[name]; waits {
				do(name)
			}
		}
	}
}
