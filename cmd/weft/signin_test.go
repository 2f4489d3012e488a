package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/store/serve"
)

// Somebody's oldest session makes room for the newest, and nobody's for another person's.
func TestSessionsAreBounded(t *testing.T) {
	all, now := map[string]session{}, time.Now()
	admit := func(name, who string, age int) error {
		began := now.Add(-time.Duration(age) * time.Second)
		return admitted(all, name, session{serve.Grant{Name: who, Until: now.Add(time.Hour)}, began})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(admit("ann", "ann", 1000))
	must(admit("oldest", "bob", 100))
	for i := range perPerson {
		must(admit(fmt.Sprint("bob-", i), "bob", i))
	}
	if _, ok := all["oldest"]; ok || len(all) != perPerson+1 || all["ann"].Name != "ann" {
		t.Errorf("%d sessions: %v", len(all), all)
	}
	for i := len(all); i < maxSessions; i++ {
		must(admit(fmt.Sprint("person-", i), fmt.Sprint("person-", i), 0))
	}
	if err := admit("one more", "one more", 0); err != errFull {
		t.Errorf("one more: %v", err)
	}
	all["ann"] = session{serve.Grant{Name: "ann", Until: now.Add(-time.Second)}, now.Add(-time.Hour)}
	must(admit("one more", "one more", 0)) // in ann's place
}

// No cookie is one that was not made here, or was made for something else.
func TestCookies(t *testing.T) {
	key, now := serve.NewKey(), time.Now()
	s := newSessions(t.Context(), ownGate{cookies: key}, newMemoryBook())
	token, err := serve.NewToken(key, "bob", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u := newUnderway(now)
	cookie, err := u.sealed(key)
	if err != nil {
		t.Fatal(err)
	}
	for what, wrong := range map[string]string{
		"none": "", "a text": "x", "a token": strings.TrimPrefix(token, "weft-"), "one of a sign-in under way": cookie, "another server's": serve.NewKey().Seal([]byte(cookieMark + "x")),
	} {
		if name, err := s.named(wrong); name != "" || err != nil {
			t.Errorf("%s is the session %s, %v", what, name, err)
		}
		if _, ok := unsealed(key, wrong, now); ok != (wrong == cookie) {
			t.Errorf("%s is a sign-in under way: %v", what, ok)
		}
	}
	if name, err := s.named(key.Seal([]byte(cookieMark + "x"))); name == "" || err != nil {
		t.Errorf("a session's: %q, %v", name, err)
	}
	if _, ok := unsealed(key, cookie, now.Add(underwayTime)); ok {
		t.Error("a sign-in goes on for ever")
	}
}

// At a server of files people read, and write nothing.
func TestSignInToFiles(t *testing.T) {
	data := t.TempDir()
	if _, err := openAuthority(filepath.Join(data, "ca"), "cluster.local"); err != nil {
		t.Fatal(err)
	}
	token, err := serve.Token(data, "bob", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page ", r.Method, r.URL.Path) })
	handler, err := newSignIn(t.Context(), fileGate{data, pages, serve.NewKey()}, newMemoryBook(), &url.URL{}).handler()
	if err != nil {
		t.Fatal(err)
	}
	at := httptest.NewTLSServer(handler)
	defer at.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	bob := &http.Client{Jar: jar, Transport: at.Client().Transport}
	is := func(method, path, body string, status int, want string) {
		t.Helper()
		if got, said := browsed(t, bob, method, at.URL+path, body); got != status || !strings.Contains(said, want) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, got, said, status, want)
		}
	}
	is("GET", "/weft/v1/services", "", 401, "nobody is signed in")
	is("POST", "/weft/v1/session", `{"token":"`+token+`"}`, 200, "")
	is("GET", "/weft/v1/services", "", 200, "page GET/weft/v1/services")
	is("GET", "/weft/metrics/api/v1/query", "", 200, "page GET")
	is("POST", "/weft/v1/tokens", "", 403, "nothing is changed")
	is("POST", "/weft/v1/stats", "", 403, "nothing is changed")
	is("GET", "/elsewhere", "", 403, "nothing is changed")
	is("DELETE", "/weft/v1/session", "", 200, "")
	is("GET", "/weft/v1/services", "", 401, "nobody is signed in")
}

// What cannot be meant is said before the server starts.
func TestUIFlags(t *testing.T) {
	for why, f := range map[string]serveFlags{
		"give that, too":              {ui: uiFlags{url: "https://weft.example"}},
		"--ui-prefix":                 {kube: true, ui: uiFlags{address: "127.0.0.1:1"}},
		"--ui-key go together":        {ui: uiFlags{address: "127.0.0.1:1", certificate: "c"}},
		"for loopback alone":          {ui: uiFlags{address: "0.0.0.0:1"}},
		"want what people open":       {ui: uiFlags{address: "127.0.0.1:1", url: "http://weft.example"}},
		"--oidc-client go together":   {ui: uiFlags{address: "127.0.0.1:1", issuer: "https://login.example"}},
		"to which the provider sends": {ui: uiFlags{address: "127.0.0.1:1", issuer: "https://login.example", client: "weft"}},
	} {
		if err := f.ui.check(f); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
	}
	for _, f := range []uiFlags{
		{}, {address: "127.0.0.1:1"}, {address: "0.0.0.0:1", certificate: "c", key: "k"}, {address: "0.0.0.0:1", url: "https://weft.example/mesh"},
		{address: "127.0.0.1:1", url: "http://127.0.0.1:1", issuer: "https://login.example", client: "weft"},
	} {
		if err := f.check(serveFlags{}); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
