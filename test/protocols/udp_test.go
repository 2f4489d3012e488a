package protocols

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/agent/envoy"
	"weft.dev/test/process"
	"weft.dev/web"
)

// soon is how long an answer of a server of datagrams may take that is there.
const soon = 2 * time.Second

// nameserver answers every question for an address of IPv4 with its own one, by UDP and at the same port by TCP. Of a
// name that begins with "long." it says by UDP that the answer does not fit.
type nameserver struct {
	is   netip.Addr
	port int
}

func newNameserver(t *testing.T, is string) nameserver {
	t.Helper()
	streams, datagrams, port := both(t)
	n := nameserver{netip.MustParseAddr(is), port}
	t.Cleanup(func() { streams.Close(); datagrams.Close() })
	go n.answerDatagrams(datagrams)
	go func() {
		for {
			conn, err := streams.Accept()
			if err != nil {
				return
			}
			go n.answerStream(conn)
		}
	}()
	return n
}

// both are sockets of TCP and of UDP with one port number of loopback.
func both(t *testing.T) (net.Listener, net.PacketConn, int) {
	t.Helper()
	for {
		port, err := process.FreePort()
		check(t, err)
		streams, err := net.Listen("tcp", process.Loopback(port))
		if err != nil {
			continue
		}
		datagrams, err := net.ListenPacket("udp", process.Loopback(port))
		if err == nil {
			return streams, datagrams, port
		}
		streams.Close()
	}
}

// freeOfBoth is a port number that nobody has, of TCP or of UDP.
func freeOfBoth(t *testing.T) int {
	t.Helper()
	streams, datagrams, port := both(t)
	streams.Close()
	datagrams.Close()
	return port
}

func (n nameserver) answerDatagrams(at net.PacketConn) {
	question := make([]byte, 64<<10)
	for {
		size, from, err := at.ReadFrom(question)
		if err != nil {
			return
		}
		if _, err := at.WriteTo(n.answer(question[:size], true), from); err != nil {
			return
		}
	}
}

func (n nameserver) answerStream(conn net.Conn) {
	defer conn.Close()
	var size uint16
	for binary.Read(conn, binary.BigEndian, &size) == nil {
		question := make([]byte, size)
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		said := n.answer(question, false)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(said))), said...)); err != nil {
			return
		}
	}
}

// answer is what RFC 1035 says: the header, the question, and one record that points to the question's name.
func (n nameserver) answer(question []byte, short bool) []byte {
	const header, rest = 12, 1 + 4 // the end of the name, type and class
	end := header + bytes.IndexByte(question[header:], 0) + rest
	said := bytes.Clone(question[:end])
	flags, records := uint16(0x8180), uint16(1) // a response, and recursion
	if long := []byte("\x04long"); short && bytes.HasPrefix(question[header:], long) {
		flags, records = flags|0x0200, 0
	}
	binary.BigEndian.PutUint16(said[2:], flags)
	binary.BigEndian.PutUint16(said[6:], records)
	binary.BigEndian.PutUint32(said[8:], 0) // no other records
	if records == 0 {
		return said
	}
	said = append(said, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	return append(said, n.is.AsSlice()...)
}

// resolver asks who is at a port of loopback.
type resolver struct{ port int }

// asks is the address that a new client is told, "" after a while without one.
func (r resolver) asks(t *testing.T, name string, within time.Duration) string {
	t.Helper()
	ask := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, process.Loopback(r.port))
	}}
	ctx, stop := context.WithTimeout(t.Context(), within)
	defer stop()
	found, err := ask.LookupNetIP(ctx, "ip4", name)
	if err != nil {
		if ctx.Err() == nil {
			t.Logf("%s: %v", name, err)
		}
		return ""
	}
	return found[0].String()
}

// shares is how many of so many clients each address was told to; "" are those that got no answer.
func (r resolver) shares(t *testing.T, clients int, within time.Duration) map[string]int {
	t.Helper()
	told := map[string]int{}
	for range clients {
		told[r.asks(t, "who.example.", within)]++
	}
	return told
}

// asker is a client that stays: all its datagrams are of one port.
type asker struct {
	net.Conn
	last  string // who answered
	lost  int
	moved int // how often somebody else did
}

// aQuestion for the address of who.example., and more of what is sent with it, which the server does not read.
var aQuestion = []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03who\x07example\x00\x00\x01\x00\x01")

// asks sends a question with so many bytes more, and says whether it got an answer.
func (c *asker) asks(more int) bool {
	answer := make([]byte, 64<<10)
	_ = c.SetDeadline(time.Now().Add(soon)) // it is open
	_, err := c.Write(append(bytes.Clone(aQuestion), make([]byte, more)...))
	size := 0
	if err == nil {
		size, err = c.Read(answer)
	}
	if err != nil || size < 4 {
		c.lost++
		return false
	}
	is := netip.AddrFrom4([4]byte(answer[size-4 : size])).String()
	if c.last != "" && is != c.last {
		c.moved++
	}
	c.last = is
	return true
}

func newAsker(t *testing.T, port int) *asker {
	t.Helper()
	conn, err := net.Dial("udp", process.Loopback(port))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return &asker{Conn: conn}
}

const namesGateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: data, name: names}
spec:
  gatewayClassName: weft
  listeners: [{name: udp, port: 53, protocol: UDP}, {name: tcp, port: 53, protocol: TCP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {namespace: data, name: names}
spec: {parentRefs: [{name: names}], rules: [{backendRefs: [{name: dns-b, port: 53}]}]}
`

// namesRoute gives of the clients of UDP so many to each of two servers.
func namesRoute(a, b int) string {
	return object("gateway.networking.k8s.io/v1", "UDPRoute", servers, "names",
		fmt.Sprintf(`{parentRefs: [{name: names}], rules: [{backendRefs: [{name: dns-a, port: 53, weight: %d}, {name: dns-b, port: 53, weight: %d}]}]}`, a, b))
}

// Questions of DNS come to a gateway by UDP and TCP at one port number, and go each where its route says. A client stays
// with one server for as long as that has a share, whatever the others get.
func TestDatagrams(t *testing.T) {
	t.Parallel()
	a, b := newNameserver(t, "192.0.2.1"), newNameserver(t, "192.0.2.2")
	begin(t, servers, "dns-a", "--app", "dns-a", "--udp", fmt.Sprintf("53:%d", a.port))
	second := begin(t, servers, "dns-b", "--app", "dns-b", "--udp", fmt.Sprintf("53:%d", b.port), "--protocol", "tcp", "--port", fmt.Sprintf("53:%d", b.port))
	at := resolver{freeOfBoth(t)}
	gateway := begin(t, servers, "names", "--gateway", "names", "--port", fmt.Sprintf("53:%d", at.port))
	apply(t, namesGateway, "---\n"+namesRoute(3, 1))

	until(t, func() error {
		if is := at.asks(t, "long.example.", soon); is != b.is.String() {
			return fmt.Errorf("by TCP the answer is %q, want %s", is, b.is)
		}
		return nil
	})
	wantShares(t, at.shares(t, 200, soon), map[string]int{a.is.String(): 150, b.is.String(): 50})
	t.Run("stay", func(t *testing.T) { stays(t, at.port) })
	t.Run("change", func(t *testing.T) { changes(t, at.port) })
	t.Run("flood", func(t *testing.T) { floods(t, at, gateway.log) })

	apply(t, namesRoute(1, 1))
	end([]*workload{second}) // nobody else is dns-b: its share gets nothing, as the Gateway API asks
	until(t, func() error { return gone(second.id) })
	wantShares(t, at.shares(t, 20, soon/4), map[string]int{a.is.String(): 10, "": 10})

	apply(t, namesRoute(1, 0))
	check(t, gateway.cmd.Process.Signal(syscall.SIGHUP)) // another Envoy takes over
	until(t, func() error {
		if is := at.asks(t, "who.example.", soon); is != a.is.String() {
			t.Errorf("while another Envoy takes over the answer is %q", is)
		}
		if !envoy.NewAdmin(filepath.Join(gateway.dir, "admin.sock")).Serves(t.Context(), 1) {
			return errors.New("no other Envoy serves")
		}
		return nil
	})
	if is := at.asks(t, "who.example.", soon); is != a.is.String() {
		t.Errorf("after another Envoy took over the answer is %q", is)
	}
}

// gone says whether nobody sends to a workload any more.
func gone(id string) error {
	var workloads []struct{ ID, Health string }
	if err := shared.get(web.Prefix+"workloads", &workloads); err != nil {
		return err
	}
	for _, w := range workloads {
		if w.ID == id && w.Health == "Healthy" {
			return fmt.Errorf("%s is healthy still", id)
		}
	}
	return shared.settled()
}

// wantShares allows for what the threads of Envoy do apart.
func wantShares(t *testing.T, got, want map[string]int) {
	t.Helper()
	for is, n := range want {
		if d := got[is] - n; d*d > 4*n {
			t.Errorf("%v of the clients were told %q, want about %d", got, is, n)
		}
	}
	for is := range got {
		if _, ok := want[is]; !ok {
			t.Errorf("%d clients were told %q", got[is], is)
		}
	}
}

// stays: of one client all datagrams go to one server, and long ones go, too.
func stays(t *testing.T, port int) {
	for range 10 {
		c := newAsker(t, port)
		for _, more := range []int{0, 1, 1400, 4096, 8192} {
			c.asks(more)
		}
		if c.lost > 0 || c.moved > 0 {
			t.Errorf("of 5 datagrams of a client %d got no answer, and %d one of another server", c.lost, c.moved)
		}
	}
}

// floods: more clients than a port has at a time leave what is there as it is, and get answers when some are silent.
func floods(t *testing.T, at resolver, log string) {
	stays := newAsker(t, at.port)
	stays.asks(0)
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(process.Loopback(at.port)))
	for i := range 40_000 { // of several addresses: one has not so many ports
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%8))}, to)
		check(t, err)
		_, err = c.Write(aQuestion)
		c.Close()
		if check(t, err); i%50 == 0 { // by then what is before it has been read: the queue of a socket is short
			stays.asks(0)
		}
	}
	until(t, func() error {
		if stays.asks(0) {
			return nil
		}
		return errors.New("a client that was there gets no answer")
	})
	if stays.moved > 0 {
		t.Error("a client that was there has another server")
	}
	if said, err := os.ReadFile(log); err != nil || strings.Contains(string(said), "Envoy ended") {
		t.Errorf("what the gateway said, %v:\n%s", err, said)
	}
	until(t, func() error {
		if at.asks(t, "who.example.", soon) == "" {
			return errors.New("no new client gets an answer")
		}
		return nil
	})
}

// changes: while clients ask, servers get other shares, and one of them none.
func changes(t *testing.T, port int) {
	clients, done, asked := make([]*asker, 8), make(chan struct{}), make(chan struct{})
	for i := range clients {
		clients[i] = newAsker(t, port)
		clients[i].asks(0)
	}
	ask := func(until chan struct{}) {
		defer func() { asked <- struct{}{} }()
		for {
			select {
			case <-until:
				return
			default:
			}
			for _, c := range clients {
				c.asks(0)
			}
		}
	}
	go ask(done)
	apply(t, namesRoute(1, 3))
	apply(t, namesRoute(2, 3))
	close(done)
	<-asked
	for i, c := range clients {
		if c.lost > 0 || c.moved > 0 {
			t.Errorf("client %d: while shares changed %d datagrams got no answer, and %d times another server answered", i, c.lost, c.moved)
		}
	}
	done = make(chan struct{})
	go ask(done)
	apply(t, namesRoute(0, 1))
	close(done)
	<-asked
	for i, c := range clients {
		if c.asks(0); c.last != "192.0.2.2" || c.moved > 1 || c.lost > 1 { // one that was under way when its server went
			t.Errorf("client %d: %s answers, %d times another one did, and %d datagrams got no answer", i, c.last, c.moved, c.lost)
		}
	}
}
