package redirect

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Where a kernel has no nf_tables, the same rules are written with iptables-restore: in
// chains of our own, to which the kernel's lead.

// Tables of iptables. That of NAT lets nothing be dropped; what is dropped is, in one
// that comes before it.
const (
	beforeNAT = "mangle"
	nat       = "nat"
)

var builtIn = map[string]string{prerouting: "PREROUTING", output: "OUTPUT"}

// table is where a rule belongs.
func (r rule) table() string {
	if r[len(r)-1].text == drop.text {
		return beforeNAT
	}
	return nat
}

func (r rule) iptables() string {
	texts := make([]string, len(r))
	for i, t := range r {
		texts[i] = t.iptables
	}
	return strings.Join(texts, " ")
}

// applyIptables puts the set in the place of an earlier one, table by table.
func (s set) applyIptables(f family) error { return s.restore(f, true) }

func (s set) removeIptables(f family) error { return s.restore(f, false) }

// restore writes what is to be there: the rules, or nothing. iptables-restore cannot
// ask whether a chain is led to already: if it is not, the first text has no effect.
func (s set) restore(f family, filled bool) error {
	for _, table := range []string{beforeNAT, nat} {
		if restore(f, s.iptables(f, table, true, filled)) == nil {
			continue
		}
		if err := restore(f, s.iptables(f, table, false, filled)); err != nil {
			return err
		}
	}
	return nil
}

// iptables is one table as iptables-restore reads it. earlier: the chains of the
// kernel lead to ours, as an earlier set left them.
func (s set) iptables(f family, table string, earlier, filled bool) string {
	var chains, rules strings.Builder
	for _, c := range s.chains(f) {
		own := strings.ToUpper(s.name + "_" + c.name)
		fmt.Fprintf(&chains, ":%s - [0:0]\n", own) // made, or emptied
		if earlier {
			fmt.Fprintf(&rules, "-D %s -j %s\n", builtIn[c.name], own)
		}
		if !filled {
			fmt.Fprintf(&rules, "-X %s\n", own)
			continue
		}
		for _, r := range c.rules {
			if r.table() == table {
				fmt.Fprintf(&rules, "-A %s %s\n", own, r.iptables())
			}
		}
		fmt.Fprintf(&rules, "-I %s -j %s\n", builtIn[c.name], own)
	}
	return "*" + table + "\n" + chains.String() + rules.String() + "COMMIT\n"
}

// program is iptables-restore of a family.
func (f family) program() string { return f.name + "tables-restore" }

func hasIptables(all []family) bool {
	return !slices.ContainsFunc(all, func(f family) bool {
		_, err := exec.LookPath(f.program())
		return err != nil
	})
}

// patience is how many seconds others may write rules meanwhile.
const patience = "10"

// restore has the kernel take a table: all of it, or nothing.
func restore(f family, text string) error {
	c := exec.Command(f.program(), "--noflush", "--wait", patience)
	c.Stdin = strings.NewReader(text)
	if unix.Access(lockDir, unix.W_OK) != nil {
		c.Env = append(os.Environ(), "XTABLES_LOCKFILE=/dev/null") // a container, with a network of its own
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("redirection: the kernel has no nf_tables with NAT, and %s: %w: %s; it needs the capabilities NET_ADMIN and NET_RAW, or root, and the modules of iptables",
			f.program(), err, bytes.TrimSpace(out))
	}
	return nil
}

const lockDir = "/run" // where iptables has its lock
