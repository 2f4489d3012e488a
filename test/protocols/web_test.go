package protocols

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"weft.dev/test/process"
)

// listen is a listener of this process, which a workload's proxy stands before.
func listen(t *testing.T) (listener net.Listener, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().(*net.TCPAddr).Port
}

// website answers with what it was asked in, never where it is asked to hang, and has a WebSocket at /echo.
func website(t *testing.T) (port int) {
	t.Helper()
	listener, port := listen(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/echo", echoFrames)
	server := &http.Server{Handler: mux}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
	return port
}

// echoFrames sends back each frame of a WebSocket, unmasked as a server's are.
func echoFrames(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	for both.Flush() == nil {
		text, err := readFrame(both)
		if err != nil {
			return
		}
		both.Write(append([]byte{0x81, byte(len(text))}, text...))
	}
}

// readFrame reads a short frame of text.
func readFrame(r io.Reader) (text []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if head[0] != 0x81 {
		return nil, fmt.Errorf("a frame that begins with %#x", head[0])
	}
	mask := make([]byte, 4)
	if head[1]&0x80 != 0 {
		if _, err := io.ReadFull(r, mask); err != nil {
			return nil, err
		}
	}
	text = make([]byte, head[1]&0x7f)
	_, err = io.ReadFull(r, text)
	for i := range text {
		text[i] ^= mask[i%4]
	}
	return text, err
}

// openSocket begins a WebSocket on a connection.
func openSocket(t *testing.T, conn net.Conn, host string) (session, error) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
	read := bufio.NewReader(conn)
	response, err := http.ReadResponse(read, nil)
	if err != nil {
		return session{}, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		return session{}, fmt.Errorf("%s %v", response.Status, response.Header)
	}
	return session{func() error {
		mask, text := []byte{1, 2, 3, 4}, []byte("there")
		frame := append([]byte{0x81, 0x80 | byte(len(text))}, mask...)
		for i, c := range text {
			frame = append(frame, c^mask[i%4])
		}
		if _, err := conn.Write(frame); err != nil {
			return err
		}
		if got, err := readFrame(read); err != nil || string(got) != "there" {
			return fmt.Errorf("echo of there: %q, %w", got, err)
		}
		return nil
	}}, nil
}

// drained waits for as long as an Envoy takes to cut the connections of what a change replaced: such
// a change is made, of a port that nobody else uses.
func drained(t *testing.T) {
	t.Helper()
	listener, app := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	name := "drained-" + fmt.Sprint(app)
	serve(t, name, "tcp", app, 9000)
	var conn net.Conn
	until(t, func() (err error) {
		conn, err = dialFrom(callers)(t.Context(), "tcp", name+"."+servers+":9000")
		return err
	})
	defer conn.Close()
	turn := session{func() error {
		_, err := io.WriteString(conn, ".")
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		return err
	}}
	check(t, turn.still())
	apply(t, denied(name, "all", "[{from: [{source: {namespaces: [nowhere]}}]}]"))
	ends(t, turn)
}

// client of HTTP through the proxy of the callers.
func client(protocols func(*http.Protocols)) *http.Client {
	transport := &http.Transport{DialContext: dialFrom(callers), Protocols: new(http.Protocols)}
	protocols(transport.Protocols)
	return &http.Client{Transport: transport, Timeout: patience}
}

func answers(c *http.Client, url string, want int) error {
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != want {
		return fmt.Errorf("%s: %s, want %d: %s, %w", url, response.Status, want, body, err)
	}
	return nil
}

// A WebSocket lasts longer than the route's timeout, through the mesh and through a gateway, and outlives changes
// of its service and of its policies.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	serve(t, "web", "http", website(t), 80)
	front, err := process.FreePort()
	check(t, err)
	begin(t, servers, "front", "--gateway", "front", "--port", fmt.Sprintf("80:%d", front))
	apply(t,
		object("networking.istio.io/v1", "Gateway", servers, "front", `{selector: {gateway: front}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [web.example]}]}`),
		object("networking.istio.io/v1", "VirtualService", servers, "web", `{hosts: [web.example, web.data.svc.cluster.local], gateways: [front, mesh], http: [{timeout: 1s, route: [{destination: {host: web, port: {number: 80}}}]}]}`))
	ways := map[string]func(host string) (net.Conn, error){
		"web.data:80": func(host string) (net.Conn, error) { return dialFrom(callers)(t.Context(), "tcp", host) },
		"web.example": func(string) (net.Conn, error) { return net.Dial("tcp", process.Loopback(front)) },
	}
	sockets := map[string]session{}
	for host, dial := range ways {
		until(t, func() error {
			conn, err := dial(host)
			if err == nil {
				sockets[host], err = openSocket(t, conn, host)
			}
			return err
		})
	}
	still := func(why string) {
		t.Helper()
		for host, s := range sockets {
			if err := s.still(); err != nil {
				t.Errorf("the WebSocket of %s does not outlive %s: %v", host, why, err)
			}
		}
	}
	for host, dial := range ways {
		until(t, func() error { return timesOut(dial, host) })
	}
	still("the timeout")
	until(t, func() error { return opaque{name: "web", port: 80}.counted(callers) })
	apply(t,
		denied("web", "secret", `[{to: [{operation: {paths: ["/secret"]}}]}]`),
		object("networking.istio.io/v1", "DestinationRule", servers, "web", `{host: web, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 3s}}}}`))
	drained(t)
	still("changes of its service and its policies")

	apply(t, denied("web", "callers", `[{from: [{source: {namespaces: [`+callers+`]}}]}]`))
	conn, err := ways["web.data:80"]("web.data:80")
	check(t, err)
	if _, err := openSocket(t, conn, "web.data:80"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("who is shut out gets %v, want 403", err)
	}
}

// timesOut says whether a request that nobody answers ends by the timeout.
func timesOut(dial func(host string) (net.Conn, error), host string) error {
	conn, err := dial(host)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /hang HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil && response.StatusCode != http.StatusGatewayTimeout {
		err = errors.New(response.Status)
	}
	return err
}

// Old clients, and those that speak HTTP/2 without TLS, are served as others are.
func TestVersions(t *testing.T) {
	t.Parallel()
	serve(t, "versions", "http", website(t), 80)
	two := client(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	until(t, func() error { return answers(two, "http://versions.data/", http.StatusOK) })
	for _, line := range []string{"GET / HTTP/1.0", "GET http://versions.data/ HTTP/1.0"} {
		dial, where := dialFrom(callers), "versions.data:80"
		if strings.Contains(line, "http:") { // as a proxy is asked
			dial, where = new(net.Dialer).DialContext, shared.clients[callers]
		}
		conn, err := dial(t.Context(), "tcp", where)
		check(t, err)
		fmt.Fprintf(conn, "%s\r\nHost: versions.data\r\n\r\n", line)
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !strings.Contains(string(answer), " 200 OK\r\n") || !strings.HasSuffix(string(answer), "\r\n\r\nversions.data") {
			t.Errorf("%s: %q, %v", line, answer, err)
		}
	}
}
