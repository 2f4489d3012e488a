package redirect_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"weft.dev/test/netns"
)

const (
	podIP, podIP6     = netns.InnerIP, netns.InnerIP6
	worldIP, worldIP6 = netns.OuterIP, netns.OuterIP6
)

// listen answers each connection with its own name and where the caller wanted to go.
func listen(t *testing.T, n netns.Namespace, name, address string, user int) {
	t.Helper()
	var listener net.Listener
	err := n.As(user, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
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
