package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
)

// Host leads what one application of a host calls into its Envoy, and leaves all
// others alone: the application runs in a cgroup of its own, and the rules, in
// tables of their own, are of that cgroup.
type Host struct {
	// Left alone, whatever goes there:
	ExcludeOutbound []uint16
	ExcludeNetworks []netip.Prefix

	group *os.File // the cgroup, while it is in use
	rules set
}

// Begin leads what will be started Inside, whatever it calls, to a port of
// loopback. Rules and cgroup that were left behind are used again. End must follow.
func (h *Host) Begin(port uint32) error {
	if err := checkNetworks(h.ExcludeNetworks); err != nil {
		return err
	}
	// Of all workloads of the machine this one alone has the port.
	name := fmt.Sprintf("weft-%d", port)
	own, err := makeCgroup(name)
	if err != nil {
		return err
	}
	if h.group, err = os.Open(own.path); err != nil {
		return err
	}
	h.rules = set{name, func(f family) []chain {
		rules := f.outward(uint16(port), h.ExcludeOutbound, h.ExcludeNetworks)
		for i := range rules {
			rules[i] = append(rule{own.member()}, rules[i]...)
		}
		return []chain{{output, rules}}
	}}
	if _, err := h.rules.apply(); err != nil {
		return errors.Join(err, h.leave())
	}
	return nil
}

// Inside has a process start in the cgroup.
func (h *Host) Inside(attr *syscall.SysProcAttr) {
	attr.UseCgroupFD, attr.CgroupFD = true, int(h.group.Fd())
}

// End takes the rules away, and the cgroup if nothing runs in it any more.
func (h *Host) End() error { return errors.Join(h.rules.remove(), h.leave()) }

// leave gives the cgroup up. What the application has left running keeps it.
func (h *Host) leave() error {
	err := os.Remove(h.group.Name())
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, h.group.Close())
}
