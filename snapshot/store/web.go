package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// web is a web server that takes PUT. The tag of a file is its ETag.
type web struct {
	base *url.URL
	// sign lets the server know who asks; nil: the URL says it.
	sign func(r *http.Request, body []byte) (*http.Request, error)
}

func (w web) String() string { return w.base.Redacted() }

// client gives files as they are kept: a server that compresses on the way changes
// them, and their tags.
var client = func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return &http.Client{Transport: transport}
}()

func (w web) Read(ctx context.Context, name, known string, most int64) ([]byte, string, error) {
	header := http.Header{}
	if known != "" {
		header.Set("If-None-Match", known)
	}
	answer, err := w.do(ctx, http.MethodGet, w.base.JoinPath(name), header, nil)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusNotModified:
		return nil, known, nil
	case http.StatusNotFound:
		return nil, "", fmt.Errorf("%s: %w", answer.Request.URL.Redacted(), fs.ErrNotExist)
	case http.StatusOK:
		data, err := readAll(answer.Body, most)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", answer.Request.URL.Redacted(), err)
		}
		return data, answer.Header.Get("ETag"), nil
	}
	return nil, "", refusal(answer)
}

func (w web) Put(ctx context.Context, name string, data []byte) error {
	return w.put(ctx, name, data, http.Header{})
}

func (w web) Swap(ctx context.Context, name, tag string, data []byte) error {
	if strings.HasPrefix(tag, "W/") {
		return fmt.Errorf("%s: its server gives the weak ETag %s, by which no file can be replaced safely: want one that stands for every byte", w.base.JoinPath(name).Redacted(), tag)
	}
	header := http.Header{"If-None-Match": {"*"}}
	if tag != "" {
		header = http.Header{"If-Match": {tag}}
	}
	return w.put(ctx, name, data, header)
}

func (w web) put(ctx context.Context, name string, data []byte, header http.Header) error {
	answer, err := w.do(ctx, http.MethodPut, w.base.JoinPath(name), header, data)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return nil
	case http.StatusPreconditionFailed, http.StatusConflict: // that two came at once is S3's Conflict
		return fmt.Errorf("%s: %w", answer.Request.URL.Redacted(), ErrChanged)
	case http.StatusNotFound:
		if header.Get("If-Match") != "" {
			return fmt.Errorf("%s: %w", answer.Request.URL.Redacted(), ErrChanged)
		}
	}
	return refusal(answer)
}

func (w web) do(ctx context.Context, method string, u *url.URL, header http.Header, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	if w.sign != nil {
		if request, err = w.sign(request, body); err != nil {
			return nil, err
		}
	}
	return client.Do(request)
}

// refusal is what a server says when it does not do what it is asked.
func refusal(answer *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 500)) // what there is of it
	err := fmt.Errorf("%s %s: %s: %s", answer.Request.Method, answer.Request.URL.Redacted(), answer.Status, strings.Join(strings.Fields(string(said)), " "))
	if denied := answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden; denied && answer.Request.Header.Get("Authorization") == "" {
		err = fmt.Errorf("%w (no credentials were found to send with it)", err)
	}
	return err
}
