package redirect_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace of the test: the pod, or the world outside.
type namespace struct {
	t    *testing.T
	name string
}

// newNamespaces makes two that are wired, by IPv4 and IPv6.
func newNamespaces(t *testing.T) (pod, world namespace) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("redirection is tested in network namespaces: run this test as root")
	}
	for _, needed := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Fatalf("%v: install the packages iproute2 and nftables", err)
		}
	}
	base := fmt.Sprintf("weft-redirect-%d-", os.Getpid())
	pod, world = namespace{t, base + "pod"}, namespace{t, base + "world"}
	for _, n := range []namespace{pod, world} {
		sh(t, "ip", "netns", "add", n.name)
		t.Cleanup(func() { sh(t, "ip", "netns", "delete", n.name) })
		n.ip("link", "set", "lo", "up")
	}
	pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", world.name)
	for n, address := range map[namespace][2]string{pod: {podIP + "/24", podIP6 + "/64"}, world: {worldIP + "/24", worldIP6 + "/64"}} {
		n.ip("link", "set", "eth0", "up")
		n.ip("address", "add", address[0], "dev", "eth0")
		n.ip("address", "add", address[1], "dev", "eth0", "nodad")
	}
	return pod, world
}

const (
	podIP, podIP6     = "10.9.0.1", "fd00:9::1"
	worldIP, worldIP6 = "10.9.0.2", "fd00:9::2"
)

func (n namespace) ip(args ...string) { sh(n.t, "ip", append([]string{"-n", n.name}, args...)...) }

func sh(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// as does something in the namespace as a user, on a thread that ends with it.
func (n namespace) as(user int, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- func() error {
			f, err := os.Open("/run/netns/" + n.name)
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

// listen answers each connection with its own name and where the caller wanted to go.
func (n namespace) listen(name, address string, user int) {
	n.t.Helper()
	var listener net.Listener
	err := n.as(user, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				fmt.Fprintf(conn, "%s %s", name, originalDestination(conn.(*net.TCPConn)))
				conn.Close()
			}
		}
	}()
}

// originalDestination is where a connection was going before redirection.
func originalDestination(conn *net.TCPConn) (text string) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err.Error()
	}
	text = conn.LocalAddr().String() // of who was not redirected
	six := conn.LocalAddr().(*net.TCPAddr).IP.To4() == nil
	_ = raw.Control(func(fd uintptr) {
		if six {
			info, err := unix.GetsockoptIPv6MTUInfo(int(fd), unix.IPPROTO_IPV6, unix.SO_ORIGINAL_DST)
			if err == nil {
				text = net.JoinHostPort(net.IP(info.Addr.Addr[:]).String(), fmt.Sprint(info.Addr.Port>>8|info.Addr.Port<<8))
			}
			return
		}
		request, err := unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST)
		if err == nil {
			a := request.Multiaddr // a sockaddr_in: family, port, address
			text = net.JoinHostPort(net.IP(a[4:8]).String(), fmt.Sprint(int(a[2])<<8|int(a[3])))
		}
	})
	return text
}
