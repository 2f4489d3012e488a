// Package artifact asks what there is outside: the tags and digests of a registry
// (its API, version 2), and the branches of a Git repository (smart HTTP).
//
// Input: an address that a user named, a login, and how to connect. Output: names
// and digests. It downloads no image and no commit. A login goes to the address that
// it is for, and to where a registry of the same security sends for a token; it is in no error.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weft.dev/dial"
)

// Limits of one question.
const (
	askTime   = 20 * time.Second
	maxAnswer = 8 << 20
	maxSaid   = 200 // bytes of what an error repeats
)

// Login is for one address. The zero one is none.
type Login struct{ Username, Password string }

// Client asks. It may be used from several goroutines.
type Client struct{ http *http.Client }

// New makes one that connects as it is told to. It asks no proxy, and follows no redirect to another host.
func New(connect func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return &Client{&http.Client{
		Timeout:   askTime,
		Transport: &http.Transport{DialContext: connect, ForceAttemptHTTP2: true, MaxIdleConns: 20, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) > 3 || next.URL.Scheme != via[0].URL.Scheme || next.URL.Host != via[0].URL.Host {
				return fmt.Errorf("it redirects to %s: name that address", next.URL.Host)
			}
			return nil
		},
	}}
}

// do asks once. The caller closes the body, which is not longer than maxAnswer.
func (c *Client) do(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	request.Header = header
	request.Header.Set("User-Agent", "weft")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{&capped{from: response.Body, left: maxAnswer}, response.Body}
	return response, nil
}

// plain is an error without the address, in which there may be what is nobody's business.
func plain(err error) error {
	if refused := new(dial.Refused); errors.As(err, refused) {
		return *refused
	}
	if asked := new(url.Error); errors.As(err, &asked) {
		return asked.Err
	}
	return err
}

// capped fails where an answer is longer than anybody's.
type capped struct {
	from io.Reader
	left int
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	}
	n, err := c.from.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// Refusal is an answer that is the same when it is asked again, until somebody changes something.
type Refusal struct{ error }

// Unwrap is why.
func (r Refusal) Unwrap() error { return r.error }

// unexpected says what came instead of an answer.
func unexpected(r *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(r.Body, maxSaid)) // what did not arrive is not shown
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(said), "")), " ")
	switch r.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return refusal("it answers %s: give a Secret with the username and password of one who may read it", r.Status)
	case http.StatusNotFound:
		return refusal("it answers %s: there is none of that name, or it is hidden from who asks", r.Status)
	}
	return fmt.Errorf("it answers %s: %s", r.Status, text)
}

func refusal(format string, args ...any) error { return Refusal{fmt.Errorf(format, args...)} }
