package artifact_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"weft.dev/dial"
	"weft.dev/release/artifact"
	"weft.dev/test/gitserver"
)

func client() *artifact.Client { return artifact.New((&net.Dialer{}).DialContext) }

// serve is a registry that answers as it is told, and its repository.
func serve(t *testing.T, h http.HandlerFunc) artifact.Repository {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	r, err := artifact.ParseRepository(strings.TrimPrefix(server.URL, "http://") + "/shop/cart")
	if err != nil {
		t.Fatal(err)
	}
	r.Insecure = true
	return r
}

// TestToken: a registry that wants a token gets one from where it says, for whom the login is.
func TestToken(t *testing.T) {
	var realm string
	r := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case r.URL.Path == "/token":
			if user != "u" || password != "p" || r.URL.Query().Get("scope") != "repository:shop/cart:pull" || r.URL.Query().Get("service") != "it" {
				t.Errorf("the token is asked for by %q with %s", user, r.URL)
			}
			fmt.Fprint(w, `{"access_token": "tok"}`)
		case r.Header.Get("Authorization") != "Bearer tok":
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="it",scope="repository:shop/cart:pull"`)
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodHead:
			w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
		case r.URL.Query().Get("last") == "":
			w.Header().Set("Link", `<https://inside.example.com/v2/shop/cart/tags/list?n=1000&last=b>; rel="next"`)
			fmt.Fprint(w, `{"tags": ["b", "a"]}`)
		default:
			fmt.Fprint(w, `{"tags": ["c", "not a tag"]}`)
		}
	})
	realm = "http://" + r.Host + "/token"
	r.Login = artifact.Login{Username: "u", Password: "p"}
	tags, err := client().Tags(t.Context(), r)
	if err != nil || !slices.Equal(tags, []string{"a", "b", "c"}) {
		t.Fatalf("tags %q: %v", tags, err)
	}
	if digest, err := client().Digest(t.Context(), r, "a"); err != nil || !strings.HasPrefix(digest, "sha256:aaa") {
		t.Fatalf("digest %q: %v", digest, err)
	}
	realm = strings.Replace(realm, "http://", "ftp://", 1)
	if _, err := client().Tags(t.Context(), r); err == nil || !strings.Contains(err.Error(), "not secure") {
		t.Fatalf("another realm: %v", err)
	}
}

// TestRegistryFaults: an error says what is wrong, and no login.
func TestRegistryFaults(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"away":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusBadGateway) }, "502 Bad Gateway: full"},
		"none":    {http.NotFound, "there is none of that name"},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "no list of tags"},
		"denied": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
		}, "give a Secret"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example.com/", http.StatusFound)
		}, "redirects to other.example.com"},
		"in circles": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<`+r.URL.String()+`>; rel="next"`)
			fmt.Fprint(w, `{"tags": ["a"]}`)
		}, "next page is none"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"tags": ["`+strings.Repeat("a", 9<<20)+`"]}`)
		}, "more than 8388608 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, c.answer)
			r.Login = artifact.Login{Username: "u", Password: "very secret"}
			_, err := client().Tags(t.Context(), r)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "tags of "+r.String()) || strings.Contains(err.Error(), "very secret") {
				t.Fatalf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestGuarded: addresses of the inside are not asked.
func TestGuarded(t *testing.T) {
	asked := false
	r := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	guarded := artifact.New(dial.Guard{}.DialContext)
	_, err := guarded.Tags(t.Context(), r)
	if _, gitErr := guarded.Branches(t.Context(), "http://"+r.String(), artifact.Login{}); asked || err == nil || gitErr == nil || !strings.Contains(err.Error(), "--webhook-allow") {
		t.Fatalf("asked %v, %v, %v", asked, err, gitErr)
	}
	allowed := artifact.New(dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}.DialContext)
	if _, err := allowed.Tags(t.Context(), r); !asked {
		t.Fatal(err)
	}
}

func TestBranches(t *testing.T) {
	server := gitserver.New(t)
	server.Write("a", "a")
	commit := server.Push()
	server.Git("push", "--quiet", server.Origin("rev-parse", "--absolute-git-dir"), "HEAD:refs/heads/release/1", "HEAD:refs/tags/v1")
	heads, err := client().Branches(t.Context(), server.URL, artifact.Login{})
	if err != nil || len(heads) != 2 || heads["main"] != commit || heads["release/1"] != commit {
		t.Fatalf("branches %v: %v; want main and release/1 at %s", heads, err, commit)
	}
	server.Away.Store(true)
	if _, err := client().Branches(t.Context(), server.URL, artifact.Login{}); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable: away") {
		t.Fatal(err)
	}
}

func TestGitFaults(t *testing.T) {
	advertise := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			fmt.Fprint(w, text)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a page":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "not as git does"},
		"cut off": {advertise("0010# service=x\n0000"), "cut off"},
		"garbage": {advertise("zzzz"), "no length"},
		"private": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "give a Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, c.answer)
			if _, err := client().Branches(t.Context(), "http://"+r.String(), artifact.Login{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v; want %q", err, c.want)
			}
		})
	}
	for _, address := range []string{"", "git@host:path", "file:///etc", "ssh://host/x", "https://u:p@host/x", "https://host/x?token=1"} {
		if _, err := client().Branches(context.Background(), address, artifact.Login{}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q is taken: %v", address, err)
		}
	}
}

func TestParseRepository(t *testing.T) {
	for _, text := range []string{"", "cart", "host/", "host/Cart", "host/cart:v1", "host/a/../b", "u:p@host/cart", "https://host/cart", "host/cart@sha256:x"} {
		if r, err := artifact.ParseRepository(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
}
