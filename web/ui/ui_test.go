package ui

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var some = load(fstest.MapFS{
	"dist/index.html":    {Data: []byte(`<script src="./assets/a-1.js"></script>`)},
	"dist/assets/a-1.js": {Data: []byte("let a")},
	"dist.html":          {Data: []byte("stand-in")},
})

// A page names its assets relative to where it is, whatever is before Prefix.
func TestPageBelowAPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                      `"./assets/a-1.js"`,
		"services":              `"./assets/a-1.js"`,
		"services/shop/reviews": `"./../../assets/a-1.js"`,
		"services/":             `"./../assets/a-1.js"`,
	} {
		answer := get(t, some, Prefix+path)
		if got := body(t, answer); answer.StatusCode != 200 || !strings.Contains(got, want) || answer.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%q: %d %s, want %s", path, answer.StatusCode, got, want)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
			t.Errorf("%q: policy %q", path, policy)
		}
	}
}

func TestAsset(t *testing.T) {
	answer := get(t, some, Prefix+"assets/a-1.js")
	if got := body(t, answer); got != "let a" || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%q, %v", got, answer.Header)
	}
	if code := get(t, some, Prefix+"assets/a-0.js").StatusCode; code != 404 {
		t.Errorf("an asset of another build: %d, want 404: a page in its place would be run as a script", code)
	}
	w := httptest.NewRecorder()
	q := httptest.NewRequest("GET", Prefix+"assets/a-1.js", nil)
	q.Header.Set("Accept-Encoding", "br, gzip")
	some.ServeHTTP(w, q)
	unpacked, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(unpacked); string(got) != "let a" {
		t.Errorf("unpacked: %q", got)
	}
}

// A checkout without Node says what to do.
func TestNothingBuilt(t *testing.T) {
	if got := body(t, get(t, load(fstest.MapFS{"dist.html": {Data: []byte("stand-in")}}), Prefix+"services/a/b")); got != "stand-in" {
		t.Errorf("%q", got)
	}
	if got, err := built.ReadFile("dist.html"); err != nil || !strings.Contains(string(got), "make ui") {
		t.Errorf("%q %v", got, err)
	}
}
