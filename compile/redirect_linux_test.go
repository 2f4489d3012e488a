package compile

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	rules "weft.dev/install/redirect"
	"weft.dev/model"
	"weft.dev/test/netns"
)

// A pod with addresses of both versions of IP, and what it calls, outside.
const dualRows = `
services:
- {namespace: shop, name: reviews, selector: {app: reviews}, vips: [10.9.0.9, "fd00:9::9"], ports: [{number: 80, target: 8080, name: http, protocol: http}]}
workloads:
- {namespace: shop, name: web-1, app: web, interception: redirected, dualStack: true, address: ` + netns.InnerIP + `, outbound: 15001, ports: [{number: 8080, protocol: http, proxyPort: 8080, appPort: 8080}]}
- {namespace: shop, name: reviews-1, app: reviews, interception: none, address: ` + netns.OuterIP + `, ports: [{number: 8080, protocol: http, proxyPort: 8080, appPort: 8080}]}
`

// What a pod calls and what calls it goes through its Envoy by both versions of IP.
func TestDualStack(t *testing.T) {
	pod, world := netns.Wired(t)
	m := newMesh()
	m.set(parseRows(t, []byte(dualRows)))
	within(t, pod, rules.Rules{Outbound: model.RedirectedOutbound, Inbound: model.RedirectedInbound}.Apply) // Envoy is root here
	answers(t, pod, 8080, "web")
	answers(t, world, 8080, "reviews")
	answers(t, world, 9000, "stray")
	runEnvoyBy(t, pod.Command, staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), newTestCA(t).secrets(t, "web")))
	for _, c := range []struct {
		from      netns.Namespace
		url, host string
		want      string
	}{
		{pod, "http://" + netns.OuterIP + "/", "reviews.shop", "reviews " + netns.InnerIP},
		{pod, "http://[" + netns.OuterIP6 + "]/", "reviews.shop", "reviews " + netns.InnerIP}, // to the instance that is known
		{pod, "http://10.9.0.9/", "10.9.0.9", "reviews " + netns.InnerIP},                     // by the service's own address, at which is nobody
		{pod, "http://[fd00:9::9]/", "[fd00:9::9]", "reviews " + netns.InnerIP},
		{pod, "http://" + netns.OuterIP + ":9000/", "reviews.shop", "stray " + netns.InnerIP},
		{pod, "http://[" + netns.OuterIP6 + "]:9000/", "reviews.shop", "stray " + netns.InnerIP6},
		{world, "http://" + netns.InnerIP + ":8080/", "reviews.shop", "web 127.0.0.6"},
		{world, "http://[" + netns.InnerIP6 + "]:8080/", "reviews.shop", "web ::6"},
	} {
		curl := c.from.Command(t.Context(), "setpriv", "--reuid=1000", "--clear-groups", "curl", "-sS", "--max-time", "10", "-H", "Host: "+c.host, c.url)
		if got, err := curl.Output(); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.url, got, err, c.want)
		}
	}
}

// One port of a pod is strict, one is not, and one is no service's.
const strictRows = `
peerAuths:
- {object: {kind: PeerAuthentication, namespace: shop, name: web}, namespace: shop, selector: {app: web}, mode: permissive, portMode: {8081: strict}}
workloads:
- {namespace: shop, name: web-1, app: web, labels: {app: web}, interception: redirected, address: ` + netns.InnerIP + `, outbound: 15001, ports: [{number: 8080, protocol: http, proxyPort: 8080, appPort: 8080}, {number: 8081, protocol: http, proxyPort: 8081, appPort: 8081}]}
`

// What a PeerAuthentication says of one port holds of that port and no other, where traffic is redirected.
func TestStrictPort(t *testing.T) {
	pod, world := netns.Wired(t)
	m, ca := newMesh(), newTestCA(t)
	m.set(parseRows(t, []byte(strictRows)))
	within(t, pod, rules.Rules{Outbound: model.RedirectedOutbound, Inbound: model.RedirectedInbound}.Apply)
	for _, port := range []int{8080, 8081, 9000} {
		answers(t, pod, port, fmt.Sprint(port))
	}
	runEnvoyBy(t, pod.Command, staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), ca.secrets(t, "web")))
	shown := ca.shown(t, "caller")
	call := func(url string, more ...string) string {
		args := append([]string{"--reuid=1000", "--clear-groups", "curl", "-sSk", "--max-time", "10"}, append(more, url)...)
		got, err := world.Command(t.Context(), "setpriv", args...).Output()
		if err != nil {
			return "refused"
		}
		return string(got)
	}
	for _, c := range []struct {
		url, want string
		more      []string
	}{
		{"http://" + netns.InnerIP + ":8080/", "8080 127.0.0.6", nil},
		{"https://" + netns.InnerIP + ":8080/", "8080 127.0.0.6", shown},
		{"http://" + netns.InnerIP + ":8081/", "refused", nil},
		{"https://" + netns.InnerIP + ":8081/", "refused", nil}, // without a certificate
		{"https://" + netns.InnerIP + ":8081/", "8081 127.0.0.6", shown},
		{"http://" + netns.InnerIP + ":9000/", "9000 127.0.0.6", nil},
	} {
		if got := call(c.url, c.more...); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.url, c.more, got, c.want)
		}
	}
}

// shown are the flags of curl that show the certificate of an account.
func (ca testCA) shown(t *testing.T, account string) []string {
	t.Helper()
	whole := ca.secrets(t, account)[0].(map[string]any)["tls_certificate"].(map[string]any)
	dir, err := os.MkdirTemp("", "shown") // which others can read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var flags []string
	for flag, part := range map[string]string{"--cert": "certificate_chain", "--key": "private_key"} {
		file := filepath.Join(dir, part)
		if err := os.WriteFile(file, []byte(whole[part].(map[string]any)["inline_string"].(string)), 0o644); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag, file)
	}
	return flags
}

func within(t *testing.T, n netns.Namespace, do func() error) {
	t.Helper()
	if err := n.As(0, do); err != nil {
		t.Fatal(err)
	}
}

// answers says who was called, and from where.
func answers(t *testing.T, n netns.Namespace, port int, name string) {
	t.Helper()
	var listener net.Listener
	within(t, n, func() (err error) { listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); return err })
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprint(w, name, " ", from)
	})}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
}

// A pod that serves, and two others: of one number, one service is HTTP's and one is not.
const greetingRows = `
services:
- {namespace: shop, name: mail, selector: {app: mail}, vips: [` + netns.OuterIP + `], ports: [{number: 25, protocol: tcp}, {number: 2525, protocol: tcp}]}
- {namespace: shop, name: odd, selector: {app: odd}, ports: [{number: 25, protocol: http}, {number: 8080, protocol: http}]}
workloads:
- {namespace: shop, name: web-1, app: web, interception: redirected, address: ` + netns.InnerIP + `, outbound: 15001, ports: [{number: 2525, protocol: tcp, proxyPort: 2525, appPort: 2525}]}
- {namespace: shop, name: mail-1, app: mail, interception: none, address: ` + netns.OuterIP + `, ports: [{number: 25, protocol: tcp, proxyPort: 25, appPort: 25}, {number: 2525, protocol: tcp, proxyPort: 2525, appPort: 2525}]}
`

// Who waits for the server's first word gets it where traffic is redirected: of what is declared, also at a number that is
// HTTP's elsewhere, of what nobody declared, and of callers without mTLS.
func TestServerFirst(t *testing.T) {
	pod, world := netns.Wired(t)
	m := newMesh()
	m.set(parseRows(t, []byte(greetingRows)))
	within(t, pod, rules.Rules{Outbound: model.RedirectedOutbound, Inbound: model.RedirectedInbound}.Apply)
	greets(t, pod, 2525, "pod")
	for _, port := range []int{25, 2525, 9000} {
		greets(t, world, port, fmt.Sprint(port))
	}
	runEnvoyBy(t, pod.Command, staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), newTestCA(t).secrets(t, "web")))
	for _, c := range []struct {
		from          netns.Namespace
		address, want string
	}{
		{pod, netns.OuterIP + ":25", "25 " + netns.InnerIP},
		{pod, netns.OuterIP + ":2525", "2525 " + netns.InnerIP},
		{pod, netns.OuterIP + ":9000", "9000 " + netns.InnerIP},
		{world, netns.InnerIP + ":2525", "pod 127.0.0.6"},
	} {
		var got []byte
		if err := c.from.As(1000, func() error {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				return err
			}
			got, err = io.ReadAll(conn)
			return err
		}); err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.address, got, err, c.want)
		}
	}
}

// greets speaks first, and says from where it was called.
func greets(t *testing.T, n netns.Namespace, port int, name string) {
	t.Helper()
	accepts(t, n, port, func(conn net.Conn) {
		from, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		fmt.Fprint(conn, name, " ", from)
	})
}

// accepts serves each connection to a port, and closes it.
func accepts(t *testing.T, n netns.Namespace, port int, serve func(net.Conn)) {
	t.Helper()
	var listener net.Listener
	within(t, n, func() (err error) { listener, err = net.Listen("tcp", fmt.Sprintf(":%d", port)); return err })
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
}
