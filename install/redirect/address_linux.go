package redirect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// addPassed gives loopback the address from which Envoy leads on to its
// application by IPv6. All of 127.0.0.0/8 is there; of IPv6 one address only.
func addPassed() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return fmt.Errorf("redirection: %w", err)
	}
	passed := families[1].passed
	header := []byte{unix.AF_INET6, byte(passed.Bits()), unix.IFA_F_NODAD, unix.RT_SCOPE_HOST}
	header = binary.NativeEndian.AppendUint32(header, uint32(lo.Index))
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.IFA_LOCAL, Data: passed.Addr().AsSlice()}})
	if err != nil {
		return fmt.Errorf("redirection: %w", err)
	}
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return explained(err)
	}
	defer conn.Close()
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_NEWADDR, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Replace},
		Data:   append(header, attributes...),
	})
	// Loopback has no IPv6 where it is switched off for it: then nothing comes by IPv6.
	if errors.Is(err, syscall.EACCES) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("redirection: address %s on lo: %w", passed.Addr(), err)
	}
	return nil
}
