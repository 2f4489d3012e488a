package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"weft.dev/dial"
	"weft.dev/model"
)

// Limits of one attempt.
const (
	attemptTime  = 10 * time.Second // with all that leads there
	maxRedirects = 3
	maxHeaders   = 64 << 10 // bytes
)

// asker asks for keys, at the addresses that the guard allows.
type asker struct{ client *http.Client }

func newAsker(guard dial.Guard) asker {
	t := &http.Transport{
		DialContext: guard.DialContext, Proxy: nil, // a proxy would connect to whatever it is told
		TLSHandshakeTimeout: attemptTime, MaxResponseHeaderBytes: maxHeaders,
		DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
	}
	plain := t.Clone()
	plain.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := guard.DialContext(ctx, network, address)
		if err == nil && !guard.Named(conn.RemoteAddr()) {
			conn.Close()
			return nil, errPlain
		}
		return conn, err
	}
	return asker{&http.Client{Transport: byScheme{t, plain}, CheckRedirect: mayFollow}}
}

var errPlain = errors.New("http:// would take the keys of whoever stands on the way; use https://")

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

// keys are those of a source, as model.ParseKeys gives them.
func (a asker) keys(ctx context.Context, s model.KeySource) (string, error) {
	within := attemptTime
	if s.Timeout > 0 {
		within = min(within, s.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	uri, err := s.URI, error(nil)
	if s.Issuer != "" {
		if uri, err = a.described(ctx, s); err != nil {
			return "", fmt.Errorf("%s: %w", s.URI, inWords(err, within))
		}
	}
	body, err := a.get(ctx, uri)
	if err != nil {
		return "", fmt.Errorf("%s: %w", uri, inWords(err, within))
	}
	keys, _, err := model.ParseKeys(body)
	if err != nil {
		return "", fmt.Errorf("%s: %w", uri, err)
	}
	return keys, nil
}

// described is where an issuer says that its keys are.
func (a asker) described(ctx context.Context, s model.KeySource) (string, error) {
	body, err := a.get(ctx, s.URI)
	if err != nil {
		return "", err
	}
	var said struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	bad := json.Unmarshal(body, &said)
	switch to, err := url.Parse(said.Keys); {
	case bad != nil || said.Keys == "":
		return "", errors.New("it is no description of an issuer, a JSON object with jwks_uri")
	case said.Issuer != s.Issuer:
		return "", fmt.Errorf("it describes the issuer %.100q, not %q", said.Issuer, s.Issuer)
	case err != nil || strings.HasPrefix(s.URI, "https:") && to.Scheme != "https":
		return "", errors.New("its jwks_uri is no URL with https://")
	}
	return said.Keys, nil
}

func (a asker) get(ctx context.Context, uri string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "weft")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers with %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, model.MaxKeySet+1))
	if err == nil && len(body) > model.MaxKeySet {
		err = fmt.Errorf("it has more than %d bytes", model.MaxKeySet)
	}
	return body, err
}

// inWords is an error without what is another each time, such as the port of this side.
func inWords(err error, within time.Duration) error {
	var refused dial.Refused
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
