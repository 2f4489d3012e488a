// Package web calls addresses outside for runs of pipelines.
//
// Input: a pipeline.HTTPCall, and Secrets for the headers that name one. Output:
// what came back. The value of a secret goes to the address that the call names
// and nowhere else: not to where that one redirects, into no text and no answer.
// It must not know why somebody calls.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/pipeline"
	"weft.dev/release/secret"
)

// Limits of a call.
const (
	MaxAnswer    = 1 << 20
	maxSent      = 256 << 10
	callTime     = 30 * time.Second
	maxRedirects = 3
)

// World calls. It is a runner's World for "http".
type World struct {
	transport http.RoundTripper
	secrets   secret.Secrets
}

// New makes one that connects as it is told to. It asks no proxy.
func New(connect func(ctx context.Context, network, address string) (net.Conn, error), s secret.Secrets) *World {
	return &World{secrets: s, transport: &http.Transport{
		DialContext: connect, ForceAttemptHTTP2: true, MaxIdleConns: 100, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
	}}
}

// Observe asks by GET.
func (w *World) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	var call pipeline.HTTPCall
	if err := json.Unmarshal(l.Data, &call); err != nil {
		return pipeline.Fact{}, fmt.Errorf("%s: %w", l.Kind, err)
	}
	call.Method, call.Body = http.MethodGet, ""
	status, text, _, err := w.call(ctx, namespace, call, "")
	if err != nil {
		return pipeline.Fact{}, err
	}
	body, err := json.Marshal(pipeline.HTTPAnswer{Status: status, Body: bodyOf(text, MaxAnswer)})
	return pipeline.Fact{Data: body}, err
}

// Do calls. An error means that the call may have arrived.
func (w *World) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	var call pipeline.HTTPCall
	if err := json.Unmarshal(a.Data, &call); err != nil {
		return a.Refused(fmt.Errorf("%s: %w", a.Kind, err))
	}
	key := ""
	if a.Safe {
		key = a.ID
	}
	status, text, sent, err := w.call(ctx, namespace, call, key)
	if known := new(redirected); err != nil && (!sent || errors.As(err, known) || errors.As(err, new(dial.Refused))) {
		return a.Refused(err)
	}
	if err != nil {
		return pipeline.Result{}, err
	}
	const frame = 64 // the rest of an HTTPAnswer
	data, err := json.Marshal(pipeline.HTTPAnswer{Status: status, Body: bodyOf(text, pipeline.MaxData-frame)})
	return pipeline.Result{ID: a.ID, OK: true, Text: fmt.Sprintf("%s answered %d", hostOf(call.URL), status), Data: data}, err
}

// call makes one call. Sent says that it may have arrived, whatever the error.
func (w *World) call(ctx context.Context, namespace string, c pipeline.HTTPCall, key string) (status int, text string, sent bool, err error) {
	values, err := w.Values(ctx, namespace, c.Headers)
	if err != nil {
		return 0, "", false, err
	}
	return w.Send(ctx, c, values, key)
}

// Send is a call whose headers have these values, those of secrets among them, instead of what the headers say. The
// text of its answer has at most MaxAnswer bytes: what is longer is cut.
func (w *World) Send(ctx context.Context, c pipeline.HTTPCall, values []string, key string) (status int, text string, sent bool, err error) {
	request, err := newRequest(ctx, c, values, key)
	if err != nil {
		return 0, "", false, err
	}
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent = true }}))
	client := &http.Client{Transport: w.transport, Timeout: callTime, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		return checkRedirect(next, via, c.Headers)
	}}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", sent, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if err == nil && len(answer) > MaxAnswer {
		answer = answer[:MaxAnswer]
	}
	if err != nil {
		return 0, "", sent, fmt.Errorf("answer of %s: %w", hostOf(c.URL), err)
	}
	return response.StatusCode, hide(string(answer), c.Headers, values), sent, nil
}

// newRequest is a call with its headers' values.
func newRequest(ctx context.Context, c pipeline.HTTPCall, values []string, key string) (*http.Request, error) {
	to, err := url.Parse(c.URL)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, fmt.Errorf("url %q: want http:// or https://, and a host", c.URL)
	}
	if len(c.Body) > maxSent {
		return nil, fmt.Errorf("call of %s: its body has %d bytes, more than %d", to.Host, len(c.Body), maxSent)
	}
	method := http.MethodPost
	if c.Method != "" {
		method = c.Method
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "weft")
	if json.Valid([]byte(c.Body)) {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	for i, h := range c.Headers {
		request.Header.Set(h.Name, values[i])
	}
	return request, nil
}

// Values are those of headers, in their order.
func (w *World) Values(ctx context.Context, namespace string, headers []v1alpha1.WebhookHeader) ([]string, error) {
	all := make([]string, len(headers))
	for i, h := range headers {
		if all[i] = h.Value; h.SecretKey == "" {
			continue
		}
		var err error
		if all[i], err = secret.Value(ctx, w.secrets, namespace, h.SecretKey); err != nil {
			return nil, fmt.Errorf("header %s: %w", h.Name, err)
		}
	}
	return all, nil
}

// redirected is why a redirect is not followed.
type redirected struct{ text string }

func (r redirected) Error() string { return r.text }

func checkRedirect(next *http.Request, via []*http.Request, headers []v1alpha1.WebhookHeader) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return redirected{fmt.Sprintf("more than %d redirects", maxRedirects)}
	case last.Scheme == "https" && next.URL.Scheme != "https":
		return redirected{fmt.Sprintf("%s redirects to %s, which is not encrypted", last.Host, next.URL.Host)}
	case next.URL.Scheme != "http" && next.URL.Scheme != "https":
		return redirected{fmt.Sprintf("%s redirects to %s, which is not HTTP", last.Host, next.URL.Scheme)}
	}
	for _, h := range headers {
		if h.SecretKey != "" && next.URL.Host != via[0].URL.Host {
			next.Header.Del(h.Name)
		}
	}
	return nil
}

// minSecret is the shortest value that is looked for: what is shorter is a part of other words.
const minSecret = 4

// hide takes the values of secrets out of an answer that repeats them.
func hide(text string, headers []v1alpha1.WebhookHeader, values []string) string {
	for i, h := range headers {
		if h.SecretKey != "" && len(values[i]) >= minSecret {
			text = strings.ReplaceAll(text, values[i], "(secret)")
		}
	}
	return text
}

// bodyOf is an answer as JSON of at most so many bytes.
func bodyOf(text string, limit int) json.RawMessage {
	if json.Valid([]byte(text)) && len(text) <= limit {
		return json.RawMessage(text)
	}
	const escaped = 6 // bytes that one may take in a JSON string
	quoted, err := json.Marshal(text[:min(len(text), limit)])
	if err == nil && len(quoted) > limit {
		quoted, err = json.Marshal(text[:(limit-len(`""`))/escaped])
	}
	if err != nil {
		panic("web: a string that is no JSON: " + err.Error())
	}
	return quoted
}

func hostOf(address string) string {
	to, err := url.Parse(address)
	if err != nil {
		return address
	}
	return to.Host
}
