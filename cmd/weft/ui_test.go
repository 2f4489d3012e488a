package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"weft.dev/web"
)

// Who has the link of `weft ui` asks for what pages show, and for nothing else.
func TestLead(t *testing.T) {
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) }))
	defer asked.Close()
	var behind atomic.Pointer[server]
	behind.Store(&server{base: asked.URL + web.Prefix, client: asked.Client()})
	link := httptest.NewServer(lead(&behind, "the-key"))
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
