package explain

import "testing"

// What Envoy 1.40 was seen to make of these: on the way out, and with the hardening of a guarded port.
func TestNormal(t *testing.T) {
	const refused = ""
	for path, want := range map[string][2]string{
		"/admin": {"/admin", "/admin"}, "/admin/": {"/admin/", "/admin/"}, "/./admin": {"/admin", "/admin"}, "/x/../admin": {"/admin", "/admin"}, "/%2e/admin": {"/admin", "/admin"},
		"/x/%2e%2e/admin": {"/admin", "/admin"}, "/admi%6e": {"/admin", "/admin"}, "//admin": {"//admin", "/admin"}, `/\admin`: {"//admin", "/admin"}, "/a//b": {"/a//b", "/a/b"},
		"/%2fadmin": {"/%2fadmin", refused}, "/admin%2F": {"/admin%2F", refused}, "/admin%00": {refused, refused}, "/admin%5c": {"/admin%5c", refused}, "/ADMIN": {"/ADMIN", "/ADMIN"}, "/ad%256din": {"/ad%256din", "/ad%256din"},
		"/": {"/", "/"}, "/..": {"/", "/"}, "/a/.": {"/a/", "/a/"}, "/a/..": {"/", "/"},
		"/a/..;/b": {"/b", "/b"}, "/a/..;x=1/b": {"/b", "/b"}, "/a/.;/b": {"/a/b", "/a/b"}, "/a/..;": {"/", "/"}, `/a/..;\b`: {"/", "/"}, "/a/..;%2f/b": {"/b", refused}, "/..;;../b": {"/b", "/b"},
		"/a/%2e%2e;/b": {"/a/..;/b", "/a/..;/b"}, "/a/.%2e;/b": {"/a/..;/b", "/a/..;/b"}, "/a/..%3b/b": {"/a/..%3b/b", "/a/..%3b/b"}, "/a/...;/b": {"/a/...;/b", "/a/...;/b"}, "/a/;/b": {"/a/;/b", "/a/;/b"}, "/a/b;x/../c": {"/a/c", "/a/c"},
		"/a//../b": {"/a/b", "/a/b"}, "/a/b//..//c": {"/a/b//c", "/a/b/c"}, "//": {"//", "//"}, "///": {"///", "//"}, "/a///": {"/a///", "/a/"}, "/a//.": {"/a//", "/a/"}, `/\..\b`: {"/b", "/b"},
		"/a\"<>`{}|^[]b": {"/a%22%3C%3E%60%7B%7D%7C%5E[]b", "/a%22%3C%3E%60%7B%7D%7C%5E[]b"}, "/%22%7b": {"/%22%7b", "/%22%7b"}, "/%7f%0a": {"/%7f%0a", "/%7f%0a"},
		"/a%%32%65": {"/a%252e", "/a%252e"}, "/a%%32e": {"/a%252e", "/a%252e"}, "/a%2%65": {"/a%252e", "/a%252e"}, "/a%%65": {"/a%e", "/a%e"}, "/a%%%32%65": {"/a%%252e", "/a%%252e"},
		"/a%": {"/a%", "/a%"}, "/a%4g": {"/a%4g", "/a%4g"}, "/a%zz%41": {"/a%zzA", "/a%zzA"}, "/%%2e": {"/%.", "/%."}, "/a/%%2e%2e": {"/a/%..", "/a/%.."},
	} {
		for i, guarded := range []bool{false, true} {
			if got, _, ok := normal(path, guarded); ok != (want[i] != refused) || got != want[i] {
				t.Errorf("%s, guarded %v: %q %v, want %q", path, guarded, got, ok, want[i])
			}
		}
	}
	if got, query, _ := normal("//a?b=//c", false); got != "//a" || query != "?b=//c" {
		t.Errorf("a query stays as it is: %q %q", got, query)
	}
}
