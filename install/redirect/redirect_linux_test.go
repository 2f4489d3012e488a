package redirect_test

import (
	"cmp"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weft.dev/install/redirect"
	"weft.dev/test/netns"
)

const (
	root, app, envoy = 0, 1000, 1337
	patience         = 5 * time.Second
	refusal          = 300 * time.Millisecond // of what must never be answered
)

var rules = redirect.Rules{
	Outbound: 15001, Inbound: 15006, ProxyUser: envoy,
	ExcludeInbound:  append(redirect.DefaultExcludeInbound(), 9900),
	ExcludeOutbound: []uint16{5432},
	ExcludeNetworks: []netip.Prefix{netip.MustParsePrefix("10.9.1.0/24"), netip.MustParsePrefix("fd00:9:1::/48")},
}

// call is one connection, and who answers it. "" is nobody.
type call struct {
	what      string
	fromWorld bool
	user      int
	source    string
	to        string
	want      string
}

var calls = []call{
	{"the application calls out", false, app, "", "10.9.0.2:8080", "outbound"},
	{"root is an application, too", false, root, "", "10.9.0.2:8080", "outbound"},
	{"Envoy calls out", false, envoy, "", "10.9.0.2:8080", "world"},
	{"an excluded port", false, app, "", "10.9.0.2:5432", "world"},
	{"an excluded network", false, app, "", "10.9.1.2:8080", "world"},
	{"the application calls itself on loopback", false, app, "", "127.0.0.1:9000", "application"},
	{"the application calls its own address", false, app, "", "10.9.0.1:9000", "application"},
	{"Envoy calls its own instance", false, envoy, "", "10.9.0.1:9000", "inbound"},
	{"Envoy leads on to the application", false, envoy, "127.0.0.6", "10.9.0.1:9000", "application"},
	{"Envoy calls the application on loopback", false, envoy, "", "127.0.0.1:9000", "application"},
	{"Envoy calls its own outbound listener", false, envoy, "", "127.0.0.1:15001", ""},
	{"Envoy leads on to its own inbound listener", false, envoy, "127.0.0.6", "10.9.0.1:15006", ""},
	{"somebody calls the application", true, app, "", "10.9.0.1:9000", "inbound"},
	{"somebody calls a port that nobody listens on", true, app, "", "10.9.0.1:1", "inbound"},
	{"somebody asks whether the pod is ready", true, app, "", "10.9.0.1:15021", "agent"},
	{"a Prometheus asks the proxy", true, app, "", "10.9.0.1:9900", "agent"},

	{"IPv6: the application calls out", false, app, "", "[fd00:9::2]:8080", "outbound"},
	{"IPv6: Envoy calls out", false, envoy, "", "[fd00:9::2]:8080", "world"},
	{"IPv6: an excluded port", false, app, "", "[fd00:9::2]:5432", "world"},
	{"IPv6: the application calls itself", false, app, "", "[::1]:9000", "application"},
	{"IPv6: Envoy calls its own instance", false, envoy, "", "[fd00:9::1]:9000", "inbound"},
	{"IPv6: Envoy leads on to the application", false, envoy, "::6", "[fd00:9::1]:9000", "application"},
	{"IPv6: somebody calls the application", true, app, "", "[fd00:9::1]:9000", "inbound"},
	{"IPv6: somebody asks whether the pod is ready", true, app, "", "[fd00:9::1]:15021", "agent"},
}

// newPod is a pod with an application and a pretended Envoy, which listens as
// weft's does: outbound on loopback, inbound on the pod's address alone.
func newPod(t *testing.T) (pod, world netns.Namespace) {
	pod, world = netns.Wired(t)
	world.IP("address", "add", "10.9.1.2/24", "dev", "eth0")
	pod.IP("route", "add", "10.9.1.0/24", "dev", "eth0")
	for _, port := range []string{":8080", ":5432"} {
		listen(t, world, "world", port, root)
	}
	for _, address := range []string{"127.0.0.1:15001", "[::1]:15001"} {
		listen(t, pod, "outbound", address, envoy)
	}
	for _, address := range []string{podIP, podIP6} {
		listen(t, pod, "inbound", net.JoinHostPort(address, "15006"), envoy)
		listen(t, pod, "agent", net.JoinHostPort(address, "15021"), envoy)
		listen(t, pod, "agent", net.JoinHostPort(address, "9900"), envoy)
	}
	listen(t, pod, "application", ":9000", app)
	return pod, world
}

func TestRedirect(t *testing.T) {
	pod, world := newPod(t)
	t.Run("over netlink", func(t *testing.T) {
		for range 2 { // as often as one likes
			apply(t, pod, rules)
		}
		checkCalls(t, pod, world)
	})
	t.Run("by nft", func(t *testing.T) {
		nft := exec.Command("ip", "netns", "exec", pod.Name, "nft", "-f", "-")
		nft.Stdin = strings.NewReader(rules.String())
		if out, err := nft.CombinedOutput(); err != nil {
			t.Fatalf("nft does not read the rules' own text: %v\n%s\n%s", err, out, rules)
		}
		checkCalls(t, pod, world)
	})
}

// TestSameRules: what is written over netlink is what String says.
func TestSameRules(t *testing.T) {
	pod, _ := netns.Wired(t)
	list := []string{"netns", "exec", pod.Name, "nft", "-nn", "list", "ruleset"}
	apply(t, pod, rules)
	written := netns.Sh(t, "ip", list...)
	nft := exec.Command("ip", "netns", "exec", pod.Name, "nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules.String())
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
	if read := netns.Sh(t, "ip", list...); read != written {
		t.Errorf("over netlink:\n%s\nby nft:\n%s", written, read)
	}
}

func TestRemove(t *testing.T) {
	pod, world := newPod(t)
	for range 2 {
		if err := pod.As(root, redirect.Remove); err != nil {
			t.Fatal(err)
		}
		apply(t, pod, rules)
	}
	if err := pod.As(root, redirect.Remove); err != nil {
		t.Fatal(err)
	}
	if left := netns.Sh(t, "ip", "netns", "exec", pod.Name, "nft", "list", "ruleset"); left != "" {
		t.Errorf("rules are left:\n%s", left)
	}
	if got := answer(pod, call{user: app, to: "10.9.0.2:8080"}); got != "world 10.9.0.2:8080" {
		t.Errorf("without rules %q answers", got)
	}
	if got := answer(world, call{user: app, to: "10.9.0.1:9000"}); got != "application 10.9.0.1:9000" {
		t.Errorf("without rules %q answers", got)
	}
}

// TestDatagrams: DNS goes where it was going.
func TestDatagrams(t *testing.T) {
	pod, world := newPod(t)
	apply(t, pod, rules)
	var server net.PacketConn
	if err := world.As(root, func() (err error) { server, err = net.ListenPacket("udp", worldIP+":53"); return err }); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	err := pod.As(app, func() error {
		conn, err := net.Dial("udp", worldIP+":53")
		if err == nil {
			defer conn.Close()
			_, err = conn.Write([]byte("?"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = server.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := server.ReadFrom(make([]byte, 8)); err != nil {
		t.Errorf("a datagram did not arrive: %v", err)
	}
}

func TestNotAllowed(t *testing.T) {
	pod, _ := netns.Wired(t)
	err := pod.As(app, rules.Apply)
	if err == nil || !strings.Contains(err.Error(), "NET_ADMIN") {
		t.Errorf("without the right: %v, want the name of the capability", err)
	}
	err = pod.As(app, func() error { return new(redirect.Host).Begin(15001) })
	if err == nil || !strings.Contains(err.Error(), "run as root") {
		t.Errorf("a cgroup without the right: %v, want the remedy", err)
	}
	if err := (redirect.Rules{Outbound: 15001, Inbound: 15001}).Apply(); err == nil {
		t.Error("one port for both directions is taken")
	}
}

func apply(t *testing.T, pod netns.Namespace, r redirect.Rules) {
	t.Helper()
	if err := pod.As(root, r.Apply); err != nil {
		t.Fatal(err)
	}
}

func checkCalls(t *testing.T, pod, world netns.Namespace) {
	for _, c := range calls {
		from := pod
		if c.fromWorld {
			from = world
		}
		want := c.want
		if want != "" {
			want += " " + c.to
		}
		if got := answer(from, c); got != want {
			t.Errorf("%s, %s: %q answers, want %q", c.what, c.to, got, want)
		}
	}
}

// answer is what a call gets; "" if nobody answers.
func answer(from netns.Namespace, c call) string {
	dialer := net.Dialer{Timeout: patience}
	if c.want == "" && c.what != "" {
		dialer.Timeout = refusal
	}
	if c.source != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.source)}
	}
	var got string
	err := from.As(c.user, func() error {
		conn, err := dialer.Dial("tcp", c.to)
		if err != nil {
			return err
		}
		defer conn.Close()
		text, err := io.ReadAll(conn)
		got = string(text)
		return err
	})
	if err != nil && (!os.IsTimeout(err) || dialer.Timeout == patience) {
		return cmp.Or(got, err.Error())
	}
	return got
}
