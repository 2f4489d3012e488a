package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	maxRedirects = 3
	maxHeaders   = 64 << 10 // bytes
)

// Client is one for HTTP at the addresses that the guard allows: encrypted to everybody but those whom somebody named, by no
// proxy, and after at most three redirects, none of them out of TLS.
func (g Guard) Client() *http.Client {
	t := &http.Transport{
		DialContext: g.DialContext, Proxy: nil, // a proxy would connect to whatever it is told
		TLSHandshakeTimeout: connectTime, MaxResponseHeaderBytes: maxHeaders,
		DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
	}
	plain := t.Clone()
	plain.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := g.DialContext(ctx, network, address)
		if err == nil && !g.Named(conn.RemoteAddr()) {
			conn.Close()
			return nil, errPlain
		}
		return conn, err
	}
	return &http.Client{Transport: byScheme{t, plain}, CheckRedirect: mayFollow}
}

var errPlain = errors.New("http:// would take what whoever stands on the way says; use https://")

// byScheme encrypts to everybody but those whom somebody named.
type byScheme struct{ encrypted, plain *http.Transport }

func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.encrypted.RoundTrip(r)
	}
	return b.plain.RoundTrip(r)
}

func mayFollow(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("it redirects from https:// to " + r.URL.Scheme + "://")
	}
	return nil
}

// Get is the body of a good answer, of at most some bytes. accept is the type that is asked for.
func Get(ctx context.Context, client *http.Client, uri, accept string, most int) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", "weft")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with %d", response.StatusCode)
	}
	return ReadAll(response.Body, most)
}

// ReadAll reads at most some bytes; more are an error.
func ReadAll(from io.Reader, most int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, int64(most)+1))
	if err == nil && len(body) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return body, err
}

// InWords is an error of an attempt without what is another each time, such as the port of this side. within is the time
// that it had.
func InWords(err error, within time.Duration) error {
	var refused Refused
	var name *net.DNSError
	var operation *net.OpError
	var asked *url.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("no whole answer comes within %s", within)
	case errors.As(err, &name):
		return fmt.Errorf("%s: %s", name.Name, name.Err)
	case errors.As(err, &operation):
		return fmt.Errorf("%s: %w", operation.Op, operation.Err)
	case errors.As(err, &asked):
		return asked.Err
	}
	return err
}
