// Package netns makes network namespaces for tests: one that stands for a machine
// or a pod, and one that stands for the world outside of it.
//
// Input: a test that runs as root. Output: two namespaces that are wired, by IPv4
// and IPv6, until the test ends. It knows nothing of weft.
package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"weft.dev/test/debian"
)

// Addresses of the two namespaces.
const (
	InnerIP, InnerIP6 = "10.9.0.1", "fd00:9::1"
	OuterIP, OuterIP6 = "10.9.0.2", "fd00:9::2"
)

// Namespace is a network namespace.
type Namespace struct {
	t    *testing.T
	Name string
}

// Wired makes two.
func Wired(t *testing.T) (inner, outer Namespace) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	for program, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux"} {
		if _, err := debian.Program(program, pkg); err != nil {
			t.Fatal(err)
		}
	}
	base := fmt.Sprintf("weft-test-%d-", os.Getpid())
	inner, outer = Namespace{t, base + "inner"}, Namespace{t, base + "outer"}
	for _, n := range []Namespace{inner, outer} {
		Sh(t, "ip", "netns", "add", n.Name)
		t.Cleanup(func() { Sh(t, "ip", "netns", "delete", n.Name) })
		n.IP("link", "set", "lo", "up")
	}
	inner.IP("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", outer.Name)
	for n, address := range map[Namespace][2]string{inner: {InnerIP + "/24", InnerIP6 + "/64"}, outer: {OuterIP + "/24", OuterIP6 + "/64"}} {
		n.IP("link", "set", "eth0", "up")
		n.IP("address", "add", address[0], "dev", "eth0")
		n.IP("address", "add", address[1], "dev", "eth0", "nodad")
	}
	return inner, outer
}

// IP is a command of ip in the namespace.
func (n Namespace) IP(args ...string) { Sh(n.t, "ip", append([]string{"-n", n.Name}, args...)...) }

// Sh runs a command, which must succeed, and returns what it printed.
func Sh(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Command is one that runs in the namespace, and sees all else as the test does.
func (n Namespace) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + n.Name, name}, args...)...)
}

// As does something in the namespace as a user, on a thread that ends with it. An
// Envoy ends with the thread that started it: start it later.
func (n Namespace) As(user int, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- func() error {
			f, err := os.Open("/run/netns/" + n.Name)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			// Of this thread alone: syscall.Setuid would be for all.
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(user), uintptr(user), uintptr(user)); errno != 0 {
				return errno
			}
			return do()
		}()
	}()
	return <-done
}
