package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"weft.dev/store/serve"
	"weft.dev/web"
	"weft.dev/web/ui"
)

const (
	sessionCookie = "weft-session"
	sessionPath   = web.Prefix + "session"
	maxToken      = 16 << 10 // bytes: what somebody signs in with
)

// gate knows people, and how the API server is asked as one of them: with their rights, and no others.
type gate interface {
	Whose(token string, now time.Time) (serve.Grant, error)
	As(name string, groups []string, lasts time.Duration) (*rest.Config, error)
}

// signIn serves the pages to people who sign in here. Whatever they ask for afterwards is asked in their own name.
type signIn struct {
	ctx      context.Context
	gate     gate
	provider *oidcProvider // nil: people sign in by a token alone
	at       *url.URL      // where people reach it, if that is not as it is asked: something is before it
	sessions sessions
}

func newSignIn(ctx context.Context, gate gate, at *url.URL) *signIn {
	return &signIn{ctx: ctx, gate: gate, at: at, sessions: sessions{all: map[string]*session{}}}
}

func (s *signIn) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET "+ui.Prefix, ui.Handler())
	mux.Handle("GET /{$}", http.RedirectHandler(s.page(), http.StatusSeeOther))
	mux.HandleFunc("GET "+sessionPath, s.show)
	mux.HandleFunc("POST "+sessionPath, s.byToken)
	mux.HandleFunc("DELETE "+sessionPath, s.leave)
	if s.provider != nil {
		mux.HandleFunc("GET "+providerPath, s.toProvider)
		mux.HandleFunc("GET "+providerPath+"/done", s.fromProvider)
	}
	mux.HandleFunc("/", s.through)
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "another page asked for that: only the pages of this server may")
	}))
	if s.at.Host != "" { // what is before it may name itself when it asks
		if err := own.AddTrustedOrigin(s.at.Scheme + "://" + s.at.Host); err != nil {
			return nil, err
		}
	}
	return own.Handler(mux), nil
}

// root is the path below which everything is, for browsers.
func (s *signIn) root() string { return strings.TrimSuffix(s.at.Path, "/") + "/" }

func (s *signIn) page() string { return s.root() + strings.TrimPrefix(ui.Prefix, "/") }

// through answers with the rights of whose session it is, until that ends.
func (s *signIn) through(w http.ResponseWriter, r *http.Request) {
	one := s.sessions.of(cookieOf(r, sessionCookie))
	if one == nil {
		fail(w, http.StatusUnauthorized, "nobody is signed in here, or no longer: sign in")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(one.ctx, cancel)()
	one.handler.ServeHTTP(w, r.WithContext(ctx))
}

func (s *signIn) show(w http.ResponseWriter, r *http.Request) {
	shown := web.Session{Here: true}
	if s.provider != nil {
		shown.Provider = s.provider.name()
	}
	if one := s.sessions.of(cookieOf(r, sessionCookie)); one != nil {
		shown.Name, shown.Until = one.name, &one.until
	}
	say(w, shown)
}

// say answers what nobody is to keep.
func say(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(value)
}

func (s *signIn) byToken(w http.ResponseWriter, r *http.Request) {
	var asked web.SignIn
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxToken)).Decode(&asked); err != nil || asked.Token == "" {
		fail(w, http.StatusBadRequest, `sign-in: want {"token": TOKEN}; weft user token prints one`)
		return
	}
	grant, err := s.gate.Whose(strings.TrimSpace(asked.Token), time.Now())
	if errors.Is(err, serve.ErrToken) {
		fail(w, http.StatusUnauthorized, err.Error())
		return
	}
	if err == nil {
		err = s.admit(w, r, grant)
	}
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	say(w, web.Done{})
}

// admit begins a session of somebody, in place of the one that the browser had.
func (s *signIn) admit(w http.ResponseWriter, r *http.Request, grant serve.Grant) error {
	now := time.Now()
	until := now.Add(sessionTime)
	if !grant.Until.IsZero() && grant.Until.Before(until) {
		until = grant.Until
	}
	config, err := s.gate.As(grant.Name, grant.Groups, until.Sub(now))
	if err != nil {
		return err
	}
	one := &session{name: grant.Name, began: now, until: until}
	one.ctx, one.end = context.WithDeadline(s.ctx, until)
	if one.handler, err = answeredAs(one.ctx, config); err != nil {
		one.end()
		return err
	}
	s.sessions.remove(cookieOf(r, sessionCookie))
	key, err := s.sessions.add(one)
	if err != nil {
		one.end()
		return err
	}
	http.SetCookie(w, s.cookie(sessionCookie, key, s.root(), until, http.SameSiteStrictMode))
	return nil
}

// answeredAs answers what pages ask for, as the client that is configured.
func answeredAs(ctx context.Context, config *rest.Config) (http.Handler, error) {
	command := &cobra.Command{}
	command.SetContext(withConfig(ctx, config))
	command.SetOut(io.Discard)
	command.SetErr(io.Discard)
	first, err := connect(command)
	if err != nil {
		return nil, err
	}
	var behind atomic.Pointer[server]
	behind.Store(first)
	return led(forward(&behind), acts{command}), nil
}

func (s *signIn) leave(w http.ResponseWriter, r *http.Request) {
	s.sessions.remove(cookieOf(r, sessionCookie))
	http.SetCookie(w, s.cookie(sessionCookie, "", s.root(), time.Unix(1, 0), http.SameSiteStrictMode))
	say(w, web.Done{})
}

// cookie is for this server alone, and no script can read it.
func (s *signIn) cookie(name, value, path string, until time.Time, from http.SameSite) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: path, Expires: until, HttpOnly: true, Secure: true, SameSite: from}
}

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}
