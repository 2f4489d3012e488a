package redirect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rules are what is led where.
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
	for _, p := range r.ExcludeNetworks {
		if !p.IsValid() {
			return fmt.Errorf("a network to leave alone is not valid: use ADDRESS/BITS, as 10.0.0.0/8")
		}
	}
	return nil
}

// String is the rules in the syntax of nft.
func (r Rules) String() string {
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintf(&b, "add table %s %s\ndelete table %s %s\ntable %s %s {\n", f.name, tableName, f.name, tableName, f.name, tableName)
		for _, c := range r.chains(f) {
			fmt.Fprintf(&b, "\tchain %s {\n\t\ttype nat hook %s priority -100; policy accept;\n", c.name, c.name)
			for _, rule := range c.rules {
				fmt.Fprintf(&b, "\t\t%s\n", rule)
			}
			b.WriteString("\t}\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// chain is one of ours; it is called as its hook.
type chain struct {
	name  string
	rules []rule
}

// rule is conditions, and what becomes of the first packet of a connection.
type rule []term

func (r rule) String() string {
	texts := make([]string, len(r))
	for i, t := range r {
		texts[i] = t.text
	}
	return strings.Join(texts, " ")
}

const (
	prerouting = "prerouting"
	output     = "output"
)

func (r Rules) chains(f family) []chain {
	return []chain{{prerouting, r.toApplication(f)}, {output, r.fromApplication(f)}}
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
	all := []rule{
		// Its own listener is where nobody wanted to go: it would call itself for ever.
		{inside, envoy, toPort(r.Outbound), drop},
		{inside, envoy, toPort(r.Inbound), drop},
		// From Envoy on to the application.
		{inside, f.from(f.passed), leave},
		// The application called its own service, and Envoy chose this instance.
		{inside, envoy, f.beyond(f.loopback), onlyTCP, f.keepAddress(r.Inbound)},
		{inside, leave},
		{envoy, leave},
		{f.to(f.loopback), leave},
	}
	for _, port := range r.ExcludeOutbound {
		all = append(all, rule{toPort(port), leave})
	}
	for _, network := range r.ExcludeNetworks {
		if f.has(network) {
			all = append(all, rule{f.to(network.Masked()), leave})
		}
	}
	return append(all, rule{onlyTCP, toOurselves(r.Outbound)})
}

// has says whether a network is of the family.
func (f family) has(p netip.Prefix) bool { return p.Addr().Is4() == f.loopback.Addr().Is4() }

// DefaultExcludeInbound are the ports at which a pod's agent is asked itself.
func DefaultExcludeInbound() []uint16 { return slices.Clone([]uint16{15020, 15021}) }
