package dial

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

// escapes are the ways in that people have found, or could.
var escapes = []string{
	"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "::1", "::",
	"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200",
	"169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%lo", "fc00::1", "fd00:ec2::254", "fec0::1",
	"::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", // mapped, compatible
	"64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::127.0.0.1", // NAT64
	"2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", // 6to4, Teredo
	"224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "198.18.0.1", "192.0.0.192", "192.0.2.1", "203.0.113.9", "2001:db8::1", "5f00::1",
}

func TestEscapes(t *testing.T) {
	for _, text := range escapes {
		to := netip.AddrPortFrom(netip.MustParseAddr(text), 80)
		if err := (Guard{}).Check(to); !errors.As(err, new(Refused)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1", "11.0.0.1", "169.253.0.1",
		"2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
	} {
		if err := (Guard{}).Check(netip.AddrPortFrom(netip.MustParseAddr(text), 443)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAllow(t *testing.T) {
	g := Guard{Allow: prefixes("127.0.0.0/8", "10.1.0.0/16"), Own: []uint16{7443}}
	for text, want := range map[string]bool{
		"127.0.0.1:80": true, "10.1.2.3:80": true, "[::ffff:127.0.0.1]:80": true, "1.1.1.1:7443": true,
		"127.0.0.1:7443": false, "[::ffff:127.0.0.1]:7443": false, "10.2.0.1:80": false, "[::1]:80": false,
	} {
		if err := g.Check(netip.MustParseAddrPort(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A name is resolved by whoever owns it, and may say something else each time:
// what counts is what is connected to.
func TestNames(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	rebinding := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answer(server, [4]byte{127, 0, 0, 1})
		return client, nil
	}}
	for _, host := range []string{"rebound.example.", "127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"} {
		conn, err := Guard{Resolver: rebinding}.DialContext(t.Context(), "tcp", host+":"+port)
		if err == nil {
			conn.Close()
		}
		if !errors.As(err, new(Refused)) {
			t.Errorf("%s: %v", host, err)
		}
	}
	conn, err := Guard{Resolver: rebinding, Allow: prefixes("127.0.0.0/8")}.DialContext(t.Context(), "tcp", "rebound.example.:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// answer is a name server for one question, over a stream: the same address for every name.
func answer(conn net.Conn, ip [4]byte) {
	defer conn.Close()
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	end := 12 + bytes.IndexByte(query[12:], 0) + 5
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if isA := query[end-3] == 1; isA {
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)) //nolint:errcheck // the asker sees it
}
