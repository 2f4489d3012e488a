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

const tableName = "weft"

// Apply makes the rules those of the network namespace that the caller's thread
// is in, instead of earlier ones. Connections that are open stay as they are.
func (r Rules) Apply() error {
	if err := r.Check(); err != nil {
		return err
	}
	present, err := presentFamilies()
	if err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return explained(err)
	}
	for _, f := range present {
		r.write(conn, emptied(conn, f), f)
	}
	if err := explained(conn.Flush()); err != nil {
		return err
	}
	if len(present) == len(families) {
		return addPassed()
	}
	return nil
}

// Remove takes all rules away.
func Remove() error {
	present, err := presentFamilies()
	if err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return explained(err)
	}
	for _, f := range present {
		table := &nftables.Table{Family: f.table, Name: tableName}
		conn.AddTable(table) // so that it is no error if there was none
		conn.DelTable(table)
	}
	return explained(conn.Flush())
}

// emptied is our table without what was in it.
func emptied(conn *nftables.Conn, f family) *nftables.Table {
	table := &nftables.Table{Family: f.table, Name: tableName}
	conn.AddTable(table)
	conn.DelTable(table)
	return conn.AddTable(table)
}

var hooks = map[string]*nftables.ChainHook{prerouting: nftables.ChainHookPrerouting, output: nftables.ChainHookOutput}

func (r Rules) write(conn *nftables.Conn, table *nftables.Table, f family) {
	for _, c := range r.chains(f) {
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

// explained adds the remedy to what the kernel says.
func explained(err error) error {
	lacks := func(e syscall.Errno) bool { return errors.Is(err, e) }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("redirection: not allowed (%w): it needs the capability NET_ADMIN in this network namespace, or root", err)
	case slices.ContainsFunc([]syscall.Errno{syscall.EPROTONOSUPPORT, syscall.EOPNOTSUPP, syscall.EAFNOSUPPORT, syscall.ENOENT, syscall.EINVAL}, lacks):
		return fmt.Errorf("redirection: the kernel has no nf_tables with NAT (%w): load the modules nf_tables, nft_chain_nat, nft_nat and nft_redir on the node, or use a kernel that has them, 4.18 or later", err)
	}
	return fmt.Errorf("redirection: %w", err)
}
