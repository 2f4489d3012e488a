package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// apply puts the set in the place of an earlier one of its name, in the network
// namespace that the caller's thread is in. It says for which families.
func (s set) apply() ([]family, error) {
	return change(func(conn *nftables.Conn, f family) { s.write(conn, conn.AddTable(s.emptied(conn, f)), f) }, s.applyIptables)
}

// remove takes the set away, if it is there.
func (s set) remove() error {
	_, err := change(func(conn *nftables.Conn, f family) { s.emptied(conn, f) }, s.removeIptables)
	return err
}

// change does something for each IP family that is present, all in one transaction;
// or else, if the kernel has no nf_tables for it, by iptables.
func change(do func(*nftables.Conn, family), iptables func(family) error) (present []family, err error) {
	if present, err = presentFamilies(); err != nil {
		return nil, err
	}
	conn, err := nftables.New()
	if err == nil {
		for _, f := range present {
			do(conn, f)
		}
		err = conn.Flush()
	}
	if lacksNftables(err) && hasIptables(present) {
		for _, f := range present {
			if err := iptables(f); err != nil {
				return nil, err
			}
		}
		return present, nil
	}
	return present, explained(err)
}

// emptied is the set's table, which is then not there.
func (s set) emptied(conn *nftables.Conn, f family) *nftables.Table {
	table := &nftables.Table{Family: f.table, Name: s.name}
	conn.AddTable(table) // so that it is no error if there was none
	conn.DelTable(table)
	return table
}

var hooks = map[string]*nftables.ChainHook{prerouting: nftables.ChainHookPrerouting, output: nftables.ChainHookOutput}

func (s set) write(conn *nftables.Conn, table *nftables.Table, f family) {
	for _, c := range s.chains(f) {
		chain := conn.AddChain(&nftables.Chain{
			Name: c.name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hooks[c.name], Priority: nftables.ChainPriorityNATDest,
		})
		for _, rule := range c.rules {
			var all []expr.Any
			for _, t := range rule {
				all = append(all, t.exprs...)
			}
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: all})
		}
	}
}

// presentFamilies are those that the kernel knows: IPv6 can be switched off.
func presentFamilies() ([]family, error) {
	_, err := os.Stat("/proc/net/if_inet6")
	if errors.Is(err, fs.ErrNotExist) {
		return families[:1], nil
	}
	return families, err
}

// lacksNftables says whether an error is the kernel's who does not have what rules need.
func lacksNftables(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{syscall.EPROTONOSUPPORT, syscall.EOPNOTSUPP, syscall.EAFNOSUPPORT, syscall.ENOENT, syscall.EINVAL},
		func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// explained adds the remedy to what the kernel says.
func explained(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("redirection: not allowed (%w): it needs the capability NET_ADMIN in this network namespace, or root", err)
	case lacksNftables(err):
		return fmt.Errorf("redirection: the kernel has no nf_tables with NAT (%w): load the modules nf_tables, nft_chain_nat, nft_nat, nft_redir and, on a host, nft_socket, "+
			"use a kernel that has them, 4.18 or later, for a host 5.13, or put iptables-restore and ip6tables-restore into the PATH of weft-agent", err)
	}
	return fmt.Errorf("redirection: %w", err)
}
