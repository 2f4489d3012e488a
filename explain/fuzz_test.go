package explain

import (
	"strings"
	"testing"
)

// A path has one reading: from the root, without dots, and where it is guarded
// without anything that could be read as a slash.
func FuzzNormal(f *testing.F) {
	for _, seed := range []string{"", "/", "//", "/a/../b", "/%2e%2e/", `/\..`, "/%2f", "/%", "/%%36%31", "?", "a?b#c", "/a/./?x", "/%252e", "..", "/...", "/a%00", "/a/..;/b", "//", "/%%32%65", "/a//../b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, guarded := range []bool{true, false} {
			path, query, ok := normal(text, guarded)
			if !ok {
				continue
			}
			lower := strings.ToLower(path)
			for _, part := range strings.Split(path, "/") {
				if part == "." || part == ".." {
					t.Errorf("%q is read as %q", text, path)
				}
			}
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, `\?#`) || len(path)+len(query) > 3*len(text)+1 {
				t.Errorf("%q is read as %q, query %q", text, path, query)
			}
			if guarded && (strings.Contains(path, "//") && path != "//" || strings.Contains(lower, "%2f") && !strings.Contains(text, "%%")) {
				t.Errorf("guarded, %q is read as %q", text, path)
			}
			if again, _, ok := normal(path, guarded); ok && again != path && !strings.Contains(text, "%") {
				t.Errorf("%q is read as %q, and that as %q", text, path, again)
			}
		}
	})
}

// A request is refused, or has a path that begins at the root.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{"http://a/b?c#d", "http://a", "http://a?b", "http://", "a", "://", "http://a:b/", "http://[::1]:80/", "http://u@a/", "http://a /", "http://a/é", "http://a/%zz"} {
		f.Add(seed, "x-a", "1")
	}
	f.Fuzz(func(t *testing.T, address, name, value string) {
		m, err := Request{URL: address, Headers: map[string]string{name: value}}.message()
		if err != nil {
			if len(err.Error()) > 6*len(address)+100 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if !strings.HasPrefix(m.headers[":path"], "/") || strings.Contains(m.headers[":path"], "#") || m.headers[":authority"] == "" {
			t.Errorf("%q is read as %v", address, m.headers)
		}
	})
}
