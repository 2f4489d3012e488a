package redirect

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// term is a part of a rule in all its forms: nft's syntax, that of iptables, and what
// the kernel reads.
type term struct {
	text     string
	iptables string
	exprs    []expr.Any
}

// family is what differs between the versions of IP.
type family struct {
	name     string
	table    nftables.TableFamily
	loopback netip.Prefix
	passed   netip.Prefix // from where Envoy leads on to the application
	source   uint32       // offsets in the header
	target   uint32
}

var families = []family{
	{"ip", nftables.TableFamilyIPv4, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("127.0.0.6/32"), 12, 16},
	{"ip6", nftables.TableFamilyIPv6, netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("::6/128"), 8, 24},
}

const register = 1 // that all terms use, one after the other

var (
	leave   = verdict("return", "-j RETURN", expr.VerdictReturn)
	drop    = verdict("drop", "--syn -j DROP", expr.VerdictDrop) // outside of NAT iptables sees every packet
	onlyTCP = term{"meta l4proto tcp", "-p tcp", meta(expr.MetaKeyL4PROTO, expr.CmpOpEq, []byte{unix.IPPROTO_TCP})}
	// inside is what does not leave the namespace.
	inside = term{`oifname "lo"`, "-o lo", meta(expr.MetaKeyOIFNAME, expr.CmpOpEq, []byte("lo\x00"))}
)

func fromUser(id uint32) term {
	return term{fmt.Sprintf("meta skuid %d", id), fmt.Sprintf("-m owner --uid-owner %d", id), meta(expr.MetaKeySKUID, expr.CmpOpEq, binaryutil.NativeEndian.PutUint32(id))}
}

// member is what was sent by a process of the cgroup, or of one below it.
func (c cgroup) member() term {
	path := strings.TrimPrefix(c.path, cgroupFS+"/")
	return term{fmt.Sprintf("socket cgroupv2 level %d %q", c.level, path), fmt.Sprintf("-m cgroup --path %q", c.below), []expr.Any{
		&expr.Socket{Key: expr.SocketKeyCgroupv2, Level: uint32(c.level), Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.NativeEndian.PutUint64(c.id)},
	}}
}

func toPort(port uint16) term {
	return term{fmt.Sprintf("tcp dport %d", port), fmt.Sprintf("-p tcp --dport %d", port), append(onlyTCP.exprs,
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.BigEndian.PutUint16(port)})}
}

func (f family) from(p netip.Prefix) term { return f.address("saddr", "-s", f.source, expr.CmpOpEq, p) }
func (f family) to(p netip.Prefix) term   { return f.address("daddr", "-d", f.target, expr.CmpOpEq, p) }

// beyond is everywhere but in a network.
func (f family) beyond(p netip.Prefix) term {
	return f.address("daddr !=", "! -d", f.target, expr.CmpOpNeq, p)
}

func (f family) address(field, flag string, offset uint32, op expr.CmpOp, p netip.Prefix) term {
	address := p.Addr().AsSlice()
	size := uint32(len(address))
	return term{f.name + " " + field + " " + p.String(), flag + " " + p.String(), []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: size, Mask: mask(p), Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: register, Data: address},
	}}
}

// mask has a one for each bit that the prefix fixes.
func mask(p netip.Prefix) []byte {
	all := make([]byte, len(p.Addr().AsSlice()))
	for i := range p.Bits() {
		all[i/8] |= 1 << (7 - i%8)
	}
	return all
}

// toOurselves changes address and port: to where Envoy listens on loopback.
func toOurselves(port uint16) term {
	return term{fmt.Sprintf("redirect to :%d", port), fmt.Sprintf("-j REDIRECT --to-ports %d", port), []expr.Any{
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: register},
	}}
}

// keepAddress changes the port alone. Kernels before 5.13 do that for one family
// only, which is why there is a table for each.
func (f family) keepAddress(port uint16) term {
	return term{fmt.Sprintf("dnat to :%d", port), fmt.Sprintf("-j DNAT --to-destination :%d", port), []expr.Any{
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.table), RegProtoMin: register, Specified: true},
	}}
}

func verdict(text, iptables string, kind expr.VerdictKind) term {
	return term{text, iptables, []expr.Any{&expr.Verdict{Kind: kind}}}
}

func meta(key expr.MetaKey, op expr.CmpOp, value []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: register}, &expr.Cmp{Op: op, Register: register, Data: value}}
}
