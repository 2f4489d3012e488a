package explain

import "testing"

// What Envoy 1.40 was seen to make of these, with the hardening of a guarded port.
func TestNormal(t *testing.T) {
	for path, want := range map[string]string{
		"/admin": "/admin", "/admin/": "/admin/", "/./admin": "/admin", "/x/../admin": "/admin", "/%2e/admin": "/admin",
		"/x/%2e%2e/admin": "/admin", "/admi%6e": "/admin", "//admin": "/admin", `/\admin`: "/admin", "/a//b": "/a/b",
		"/%2fadmin": "", "/admin%2F": "", "/admin%00": "", "/admin%5c": "", "/ADMIN": "/ADMIN", "/ad%256din": "/ad%256din",
		"/": "/", "/..": "/", "/a/.": "/a/", "/a/..": "/",
	} {
		got, _, ok := normal(path, true)
		if ok != (want != "") || got != want {
			t.Errorf("%s: %q %v, want %q", path, got, ok, want)
		}
	}
	if got, query, _ := normal("//a?b=//c", false); got != "//a" || query != "b=//c" {
		t.Errorf("outgoing paths keep their slashes: %q %q", got, query)
	}
}
