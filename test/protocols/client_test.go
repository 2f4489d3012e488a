package protocols

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// dialFrom connects to an address of the mesh through the proxy of a caller, as a program
// does that was told of it.
func dialFrom(namespace string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", shared.clients[namespace])
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address)
		read := bufio.NewReader(conn)
		response, err := http.ReadResponse(read, &http.Request{Method: http.MethodConnect})
		if err == nil && response.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(response.Body)
			err = fmt.Errorf("CONNECT %s: %s: %s", address, response.Status, body)
		}
		if err != nil {
			conn.Close()
			return nil, err
		}
		return &tunnel{conn, read}, nil
	}
}

// tunnel is a connection of which some bytes may have been read already.
type tunnel struct {
	net.Conn
	read *bufio.Reader
}

func (t *tunnel) Read(p []byte) (int, error) { return t.read.Read(p) }

// relay is a port of loopback that leads to an address of the mesh, for clients that know no proxy.
func relay(t *testing.T, namespace, address string) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			inner, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer inner.Close()
				outer, err := dialFrom(namespace)(t.Context(), "tcp", address)
				if err != nil {
					return // the client sees that it is closed
				}
				defer outer.Close()
				go func() { _, _ = io.Copy(outer, inner); outer.Close() }()
				_, _ = io.Copy(inner, outer)
			}()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}
