package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft.dev/dial"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/fetch"
)

func keysOf(t testing.TB, ids ...string) string {
	t.Helper()
	var all []string
	for _, id := range ids {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		b64 := base64.RawURLEncoding.EncodeToString
		all = append(all, fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}`, id, b64(point[1:33]), b64(point[33:])))
	}
	return `{"keys":[` + strings.Join(all, ",") + `]}`
}

var loopback = dial.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Flag: "--jwks-allow"}

// Whatever a server answers, it is keys, or an error that says what was wrong.
func TestAnswers(t *testing.T) {
	good := keysOf(t, "a")
	slow := make(chan struct{})
	mux := http.NewServeMux()
	say := func(path, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
	say("/good", good)
	say("/html", "<!doctype html><title>Sign in</title>")
	say("/empty", `{"keys":[]}`)
	say("/nothing", "")
	say("/error", `{"error":"x"}`)
	say("/oct", `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)
	say("/short", `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	say("/huge", strings.Repeat(" ", 10<<20)+good)
	say("/many", keysOf(t, strings.Fields(strings.Repeat("k ", model.MaxKeys+1))...))
	say("/elsewhere/.well-known/openid-configuration", `{"issuer":"http://evil","jwks_uri":"http://evil/keys"}`)
	mux.HandleFunc("/500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, good, http.StatusInternalServerError) })
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, good[:10])
		w.(http.Flusher).Flush()
		close(slow)
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/good")
	})
	ask := asker{loopback.Client()}
	for path, want := range map[string]string{
		"/good": "", "/hop": "",
		"/html": "no JWKS", "/nothing": "no JWKS", "/error": "no JWKS", "/empty": "no key", "/oct": "symmetric", "/short": "bits",
		"/huge": "more than 262144 bytes", "/many": "65 keys", "/500": "answers with 500", "/gone": "answers with 404",
		"/loop": "redirects more than 3", "/metadata": "169.254.169.254:80 is not a public address",
	} {
		keys, err := ask.keys(t.Context(), model.KeySource{URI: server.URL + path})
		if want == "" && (err != nil || !strings.Contains(keys, `"kid":"a"`)) || want != "" && (keys != "" || err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v; want %q", path, keys, err, want)
		}
	}
	_, err := ask.keys(t.Context(), model.KeySource{URI: server.URL + "/slow", Timeout: 100 * time.Millisecond})
	<-slow
	if err == nil || !strings.Contains(err.Error(), "no whole answer comes within 100ms") {
		t.Errorf("slow: %v", err)
	}
	if keys, err := ask.keys(t.Context(), model.KeySource{URI: server.URL + discovery, Issuer: server.URL}); err != nil || keys == "" {
		t.Errorf("described: %q, %v", keys, err)
	}
	if _, err := ask.keys(t.Context(), model.KeySource{URI: server.URL + "/elsewhere" + discovery, Issuer: server.URL + "/elsewhere"}); err == nil || !strings.Contains(err.Error(), "describes the issuer") {
		t.Errorf("another issuer: %v", err)
	}
}

const discovery = "/.well-known/openid-configuration"

// Nobody is asked at an address that is not public, unless somebody named it, and nobody
// public in plain text.
func TestAddresses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keysOf(t, "a")) }))
	defer server.Close()
	_, err := (asker{dial.Guard{Flag: "--jwks-allow"}.Client()}).keys(t.Context(), model.KeySource{URI: server.URL})
	if !errors.As(err, new(dial.Refused)) || !strings.Contains(err.Error(), "--jwks-allow") {
		t.Errorf("loopback: %v", err)
	}
	if !loopback.Named(server.Listener.Addr()) || (dial.Guard{}).Named(server.Listener.Addr()) {
		t.Error("an address that is named, and one that is not")
	}
	encrypted := httptest.NewTLSServer(server.Config.Handler)
	defer encrypted.Close()
	if _, err := (asker{loopback.Client()}).keys(t.Context(), model.KeySource{URI: encrypted.URL}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

// What is wanted is asked for, anew and again; what is not wanted any more is gone; and what
// was good once is there at the next start, before anybody answers.
func TestRows(t *testing.T) {
	answer := make(chan string, 1)
	answer <- keysOf(t, "old")
	down := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case keys := <-answer:
			fmt.Fprint(w, keys)
			if strings.Contains(keys, "old") {
				answer <- keysOf(t, "new")
			} else {
				close(down)
			}
		default:
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	memory := filepath.Join(t.TempDir(), "fetched")
	want := model.Named[model.KeySource]{Thing: model.KeySource{URI: server.URL}, By: []string{"shop"}}
	begin := func() (wanted *flow.Source[model.Named[model.KeySource]], rows *flow.Source[model.KeySet], g *flow.Graph, until func(string, func(model.KeySet, bool) bool)) {
		g = flow.New(flow.Options{})
		wanted, rows = flow.NewSource[model.Named[model.KeySource]](g, "wanted"), flow.NewSource[model.KeySet](g, "rows")
		changed := make(chan struct{}, 1)
		rows.Observe(func(flow.Revision, []flow.Change[model.KeySet]) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
		s := fetch.New(g, wanted.Collection, rows, Options{Refresh: 10 * time.Millisecond, Guard: loopback, Memory: fetch.Folder(memory, slog.Default()), Now: time.Now, Log: slog.New(slog.DiscardHandler)}.Fetch())
		g.Commit(func(tx *flow.Tx) { wanted.Set(tx, want) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
		return wanted, rows, g, func(what string, holds func(model.KeySet, bool) bool) {
			t.Helper()
			for late := time.After(30 * time.Second); ; {
				if holds(rows.Get(want.Key())) {
					return
				}
				select {
				case <-changed:
				case <-late:
					t.Fatalf("%s: %v", what, rows.All())
				}
			}
		}
	}
	wanted, _, g, until := begin()
	until("a new key is there after a refresh", func(s model.KeySet, _ bool) bool {
		return strings.Contains(s.Keys, "new") && !strings.Contains(s.Keys, "old")
	})
	<-down
	until("the last good keys stay", func(s model.KeySet, _ bool) bool {
		return strings.Contains(s.Keys, "new") && strings.Contains(s.Trouble, "503")
	})
	g.Commit(func(tx *flow.Tx) { wanted.Delete(tx, want.Key()) })
	until("nobody wants it", func(_ model.KeySet, there bool) bool { return !there })
	_, _, _, until = begin()
	until("the next start remembers", func(s model.KeySet, there bool) bool { return there && strings.Contains(s.Keys, "new") })
}
