package redirect_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"weft.dev/install/redirect"
	"weft.dev/test/debian"
	"weft.dev/test/netns"
)

// withoutNftables does something as on a kernel without nf_tables: this thread, and what
// it starts, gets no socket to it.
func withoutNftables(do func() error) func() error {
	const number, protocol = 0, 32 // of the call, and its third argument
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: skip, K: value}
	}
	give := func(value uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value} }
	filter := []unix.SockFilter{
		load(number), unless(unix.SYS_SOCKET, 3), load(protocol), unless(unix.NETLINK_NETFILTER, 1),
		give(unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)), give(unix.SECCOMP_RET_ALLOW),
	}
	return func() error {
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
			return err
		}
		return do()
	}
}

// legacy has iptables be the one that such a kernel has.
func legacy(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"iptables", "ip6tables"} {
		path, err := debian.Program(name+"-legacy-restore", "iptables")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name+"-restore")); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestIptables: a kernel without nf_tables leads as one with it, and lets go of it.
func TestIptables(t *testing.T) {
	legacy(t)
	pod, world := newPod(t)
	other := rules
	other.ExcludeOutbound = []uint16{8080}
	for _, r := range []redirect.Rules{other, rules, rules} { // as often as one likes
		if err := pod.As(root, withoutNftables(r.Apply)); err != nil {
			t.Fatal(err)
		}
	}
	if left := netns.Sh(t, "ip", "netns", "exec", pod.Name, "nft", "list", "ruleset"); strings.Contains(left, "weft") {
		t.Fatalf("nf_tables was used:\n%s", left)
	}
	checkCalls(t, pod, world)
	for range 2 {
		if err := pod.As(root, withoutNftables(redirect.Remove)); err != nil {
			t.Fatal(err)
		}
	}
	checkNoneLeft(t, pod)
}

func checkNoneLeft(t *testing.T, pod netns.Namespace) {
	t.Helper()
	for _, program := range []string{"iptables-legacy-save", "ip6tables-legacy-save"} {
		if left := netns.Sh(t, "ip", "netns", "exec", pod.Name, program); strings.Contains(left, "WEFT") {
			t.Errorf("%s, of what is left:\n%s", program, left)
		}
	}
}

// TestHostByIptables: what one application calls is led, until its end, and nothing else.
func TestHostByIptables(t *testing.T) {
	legacy(t)
	pod, _ := newPod(t)
	h := redirect.Host{ExcludeOutbound: []uint16{5432}}
	if err := pod.As(root, withoutNftables(func() error { return h.Begin(15001) })); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		port   string
		inside bool
		want   string
	}{{"8080", true, "outbound"}, {"5432", true, "world"}, {"8080", false, "world"}} {
		command := pod.Command(t.Context(), "bash", "-c", "exec 3<>/dev/tcp/"+worldIP+"/"+c.port+"; cat <&3")
		if c.inside {
			command.SysProcAttr = &syscall.SysProcAttr{}
			h.Inside(command.SysProcAttr)
		}
		out, err := command.CombinedOutput()
		if want := c.want + " " + worldIP + ":" + c.port; string(out) != want || err != nil {
			t.Errorf("port %s, inside %v: %q answers, %v; want %q", c.port, c.inside, out, err, want)
		}
	}
	if err := pod.As(root, withoutNftables(h.End)); err != nil {
		t.Fatal(err)
	}
	checkNoneLeft(t, pod)
}

// TestNeither: the error names both ways out.
func TestNeither(t *testing.T) {
	pod, _ := netns.Wired(t)
	t.Setenv("PATH", t.TempDir())
	err := pod.As(root, withoutNftables(rules.Apply))
	if err == nil || !strings.Contains(err.Error(), "nft_chain_nat") || !strings.Contains(err.Error(), "ip6tables-restore") {
		t.Errorf("got %v, want the modules and the programs", err)
	}
}
