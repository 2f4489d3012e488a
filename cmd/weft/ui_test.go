package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"weft.dev/web"
)

// A page of elsewhere cannot act, even if it knew the key; nor can who has none.
func TestLeadActs(t *testing.T) {
	t.Setenv("WEFT_SERVER", "http://127.0.0.1:1") // it has no API server, which who comes through is told
	command := newRoot()
	command.SetContext(t.Context())
	var behind atomic.Pointer[server]
	link := httptest.NewServer(lead(&behind, acts{command}, "the-key"))
	defer link.Close()
	for what, c := range map[string]struct {
		path, key, header, value string
		status                   int
	}{
		"a page of ours":          {"releases/shop/r/abort", "the-key", "Sec-Fetch-Site", "same-origin", http.StatusConflict},
		"a program":               {"releases/shop/r/promote", "the-key", "", "", http.StatusConflict},
		"a page that judges":      {"runs/shop/r/judge", "the-key", "Sec-Fetch-Site", "same-origin", http.StatusConflict},
		"elsewhere, to judge":     {"runs/shop/r/judge", "the-key", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"elsewhere, to run":       {"pipelines/shop/p/run", "the-key", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"a page of elsewhere":     {"releases/shop/r/abort", "the-key", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"another port's page":     {"releases/shop/r/abort", "the-key", "Sec-Fetch-Site", "same-site", http.StatusForbidden},
		"an old browser's page":   {"applications/shop/a/undo", "the-key", "Origin", "https://evil.example", http.StatusForbidden},
		"a page without the key":  {"applications/shop/a/undo", "", "Sec-Fetch-Site", "same-origin", http.StatusUnauthorized},
		"a page that deletes":     {"releases/shop/r", "the-key", "Sec-Fetch-Site", "same-origin", http.StatusMethodNotAllowed},
		"a page that asks no act": {"releases/shop/r/pause", "the-key", "Sec-Fetch-Site", "same-origin", http.StatusMethodNotAllowed},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, link.URL+web.Prefix+c.path, strings.NewReader(`{"to":"v1","stage":"ask","choice":"continue"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.key)
		if c.header != "" {
			request.Header.Set(c.header, c.value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status {
			t.Errorf("%s: %d %s %v, want %d", what, response.StatusCode, said, err, c.status)
		}
		if told := strings.Contains(string(said), "no API server"); told != (c.status == http.StatusConflict) {
			t.Errorf("%s: %s", what, said)
		}
	}
}

// Who has the link of `weft ui` asks for what pages show, and for nothing else.
func TestLead(t *testing.T) {
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) }))
	defer asked.Close()
	var behind atomic.Pointer[server]
	behind.Store(&server{base: asked.URL + web.Prefix, client: asked.Client()})
	link := httptest.NewServer(lead(&behind, acts{newUI()}, "the-key"))
	defer link.Close()
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/weft/v1/edges", "the-key", http.StatusOK},
		{"/weft/v1/edges", "", http.StatusUnauthorized},
		{"/weft/metrics/api/v1/query?query=1", "the-key", http.StatusOK},
		{"/weft/metrics/api/v1/query?query=1", "another", http.StatusUnauthorized},
		{"/weft/metrics/scrape", "the-key", http.StatusNotFound},
		{"/apis", "the-key", http.StatusNotFound},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s with the key %q: %d, want %d", c.path, c.key, response.StatusCode, c.status)
		}
	}
}
