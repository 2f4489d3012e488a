package redirect

import (
	"fmt"
	"net/netip"
	"strings"
)

// set is what belongs together: a table for each IP family.
type set struct {
	name   string // of the tables
	chains func(family) []chain
}

// chain is one of ours; it is called as its hook.
type chain struct {
	name  string
	rules []rule
}

// rule is conditions, and what becomes of the first packet of a connection.
type rule []term

const (
	prerouting = "prerouting"
	output     = "output"
)

// String is the set in the syntax of nft.
func (s set) String() string {
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintf(&b, "add table %s %s\ndelete table %s %s\ntable %s %s {\n", f.name, s.name, f.name, s.name, f.name, s.name)
		for _, c := range s.chains(f) {
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

func (r rule) String() string {
	texts := make([]string, len(r))
	for i, t := range r {
		texts[i] = t.text
	}
	return strings.Join(texts, " ")
}

// outward leads to a port of loopback what leaves the machine or namespace, but
// for what is left alone.
func (f family) outward(outbound uint16, ports []uint16, networks []netip.Prefix) []rule {
	all := []rule{{f.to(f.loopback), leave}}
	for _, port := range ports {
		all = append(all, rule{toPort(port), leave})
	}
	for _, network := range networks {
		if f.has(network) {
			all = append(all, rule{f.to(network.Masked()), leave})
		}
	}
	return append(all, rule{onlyTCP, toOurselves(outbound)})
}

// has says whether a network is of the family.
func (f family) has(p netip.Prefix) bool { return p.Addr().Is4() == f.loopback.Addr().Is4() }

func checkNetworks(all []netip.Prefix) error {
	for _, p := range all {
		if !p.IsValid() {
			return fmt.Errorf("a network to leave alone is not valid: use ADDRESS/BITS, as 10.0.0.0/8")
		}
	}
	return nil
}
