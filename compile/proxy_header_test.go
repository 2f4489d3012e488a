package compile

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A real Envoy begins its connections with the PROXY protocol where a policy wants it.
func TestProxyHeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		line, _ := in.ReadString('\n')
		first <- line
		if _, err := http.ReadRequest(in); err == nil {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	}()
	outbound := freePort(t)
	m := newMesh()
	m.set(parseRows(t, fmt.Appendf(nil, `
services:
- {namespace: shop, name: balancer.example, host: balancer.example, external: true, resolution: static, ports: [{number: 80, name: http, protocol: http}], addresses: [{host: 127.0.0.1, ports: {http: %d}}]}
workloads:
- {namespace: shop, name: web-1, app: web, address: 127.0.0.1, outbound: %d}
policies:
- {object: {kind: DestinationRule, namespace: shop, name: b}, host: balancer.example, traffic: {proxyHeader: 1}}
`, l.Addr().(*net.TCPAddr).Port, outbound)))
	runEnvoy(t, staticBootstrapOf(t, m.viewOf(t, "shop/web-1"), newTestCA(t).secrets(t, "web")))
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + strconv.Itoa(outbound)})}, Timeout: 10 * time.Second}
	if status, _ := call(t, client, "GET", "http://balancer.example/", ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if line := <-first; !strings.HasPrefix(line, "PROXY TCP4 127.0.0.1 ") {
		t.Errorf("the connection begins with %q", line)
	}
}
