// Package dial connects to addresses that a user named, and to none that is not
// public: not to this machine, its network, a cloud's metadata, or weft itself.
//
// What is checked is the address that is connected to, at that moment: a name that
// resolves to another one the second time, a redirect and a mapped form of an
// address end here, too. Input: a host and port. Output: a connection. It must not
// know who calls, or why.
package dial

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// connectTime is how long a connection may take to be made, over all addresses of a name.
const connectTime = 10 * time.Second

// Guard says which addresses may be connected to.
type Guard struct {
	// Allow lets these through, although they are not public.
	Allow []netip.Prefix
	// Own are the ports of weft itself: nobody connects to them at an allowed address.
	Own []uint16
	// Flag by which people say what Allow is; "": --webhook-allow.
	Flag string
	// Resolver, for tests; nil: the system's.
	Resolver *net.Resolver
}

// Refused is the error for an address that may not be connected to.
type Refused struct {
	Address netip.AddrPort
	Flag    string
}

func (r Refused) Error() string {
	return fmt.Sprintf("%s is not a public address: weft calls those alone, and what %s names", r.Address, cmp.Or(r.Flag, "--webhook-allow"))
}

// DialContext is that of a http.Transport.
func (g Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTime, Resolver: g.Resolver, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return g.Check(to)
	}}
	return d.DialContext(ctx, network, address)
}

// Check refuses an address that may not be connected to.
func (g Guard) Check(to netip.AddrPort) error {
	ip := to.Addr().Unmap()
	if public(ip) {
		return nil
	}
	if !g.allows(ip) || slices.Contains(g.Own, to.Port()) {
		return Refused{to, g.Flag}
	}
	return nil
}

func (g Guard) allows(ip netip.Addr) bool {
	return slices.ContainsFunc(g.Allow, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Named says whether an address is one that Allow names: public ones need not be.
func (g Guard) Named(address net.Addr) bool {
	to, err := netip.ParseAddrPort(address.String())
	return err == nil && g.allows(to.Addr().Unmap())
}

// public reports whether an address is one of the internet, for everybody the same.
func public(ip netip.Addr) bool {
	if nat64.Contains(ip) { // an address of IPv4 inside
		raw := ip.As16()
		ip = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if ip.Is6() && (ip.Zone() != "" || !global6.Contains(ip)) {
		return false
	}
	return ip.IsValid() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	global6 = netip.MustParsePrefix("2000::/3")
)

// special are the registries of IANA: addresses that are not the internet's.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", // tunnels have an address of IPv4 inside
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
