package redirect

import (
	"fmt"
	"net/netip"
	"slices"
)

// Rules are what is led where of a whole network namespace: a pod's.
type Rules struct {
	Outbound, Inbound uint16 // where Envoy listens
	ProxyUser         uint32 // whose calls are Envoy's own, and stay as they are
	// Left alone, whatever goes there:
	ExcludeInbound  []uint16
	ExcludeOutbound []uint16
	ExcludeNetworks []netip.Prefix
}

// Check says what is wrong with the rules.
func (r Rules) Check() error {
	if r.Outbound == 0 || r.Inbound == 0 || r.Outbound == r.Inbound {
		return fmt.Errorf("ports %d for calls of the application and %d for calls to it: name two different ones, from 1 to 65535", r.Outbound, r.Inbound)
	}
	return checkNetworks(r.ExcludeNetworks)
}

// Apply makes the rules those of the network namespace that the caller's thread
// is in, instead of earlier ones. Connections that are open stay as they are.
func (r Rules) Apply() error {
	if err := r.Check(); err != nil {
		return err
	}
	present, err := r.set().apply()
	if err == nil && len(present) == len(families) {
		err = addPassed()
	}
	return err
}

// Remove takes all rules of a network namespace away.
func Remove() error { return Rules{}.set().remove() }

// String is the rules in the syntax of nft.
func (r Rules) String() string { return r.set().String() }

func (r Rules) set() set {
	return set{"weft", func(f family) []chain {
		return []chain{{prerouting, r.toApplication(f)}, {output, r.fromApplication(f)}}
	}}
}

// toApplication is what comes from elsewhere.
func (r Rules) toApplication(f family) []rule {
	var all []rule
	for _, port := range r.ExcludeInbound {
		all = append(all, rule{toPort(port), leave})
	}
	return append(all, rule{onlyTCP, f.keepAddress(r.Inbound)})
}

// fromApplication is what is called from here, by the application or by Envoy.
func (r Rules) fromApplication(f family) []rule {
	envoy := fromUser(r.ProxyUser)
	return append([]rule{
		// Its own listener is where nobody wanted to go: it would call itself for ever.
		{inside, envoy, toPort(r.Outbound), drop},
		{inside, envoy, toPort(r.Inbound), drop},
		// From Envoy on to the application.
		{inside, f.from(f.passed), leave},
		// The application called its own service, and Envoy chose this instance.
		{inside, envoy, f.beyond(f.loopback), onlyTCP, f.keepAddress(r.Inbound)},
		{inside, leave},
		{envoy, leave},
	}, f.outward(r.Outbound, r.ExcludeOutbound, r.ExcludeNetworks)...)
}

// DefaultExcludeInbound are the ports at which a pod's agent is asked itself.
func DefaultExcludeInbound() []uint16 { return slices.Clone([]uint16{15020, 15021}) }
