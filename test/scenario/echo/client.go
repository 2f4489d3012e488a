package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// clients are the ways to call, by the scheme of the URL:
//
//	http     through the proxy, as most programs do
//	connect  HTTP/1.1 within a CONNECT, as a client of a database sends its bytes
//	grpc     HTTP/2 within a CONNECT, as gRPC does where there is a proxy
var clients = map[string]*http.Client{
	"http":    client(&http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 100}),
	"connect": client(&http.Transport{DialContext: tunnel, DisableKeepAlives: true}),
	"grpc":    client(&http.Transport{DialContext: tunnel, Protocols: onlyHTTP2()}),
}

func onlyHTTP2() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

func client(by http.RoundTripper) *http.Client {
	return &http.Client{Transport: by, Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// refusal is the proxy's answer to a CONNECT.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("CONNECT was answered with %d: %s", r.status, r.body)
}

// tunnel connects to an address through the proxy.
func tunnel(ctx context.Context, network, address string) (net.Conn, error) {
	proxy, err := url.Parse(os.Getenv("HTTP_PROXY"))
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, proxy.Host)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", address, address)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		conn.Close()
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		_ = conn.SetDeadline(time.Time{})
		return conn, nil
	}
	defer conn.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return nil, &refusal{response.StatusCode, string(body)}
}
