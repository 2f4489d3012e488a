package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weft.dev/store/serve"
	"weft.dev/web"
	"weft.dev/web/ui"
)

const (
	sessionCookie = "weft-session"
	sessionPath   = web.Prefix + "session"
	maxToken      = 16 << 10 // bytes: what somebody signs in with
)

// signIn serves the pages to people who sign in here. Whatever they ask for afterwards is asked in their own name.
type signIn struct {
	gate     gate
	provider *oidcProvider // nil: people sign in by a token alone
	at       *url.URL      // where people reach it, if that is not as it is asked: something is before it
	sessions *sessions
}

func newSignIn(ctx context.Context, gate gate, book book, at *url.URL) *signIn {
	return &signIn{gate: gate, at: at, sessions: newSessions(ctx, gate, book)}
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
	one, err := s.sessions.use(cookieOf(r, sessionCookie))
	if err != nil {
		fail(w, unready(err), err.Error())
		return
	}
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
	shown := web.Session{Here: true, Command: s.gate.command()}
	if s.provider != nil {
		shown.Provider = s.provider.name()
	}
	_, one, ok, err := s.sessions.of(cookieOf(r, sessionCookie))
	if err != nil {
		fail(w, unready(err), err.Error())
		return
	}
	if ok {
		shown.Name, shown.Until = one.Name, &one.Until
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
	grant, err := s.gate.whose(strings.TrimSpace(asked.Token), time.Now())
	if errors.Is(err, serve.ErrToken) {
		fail(w, http.StatusUnauthorized, err.Error())
		return
	}
	if err == nil {
		err = s.admit(w, r, grant)
	}
	if err != nil {
		fail(w, unready(err), err.Error())
		return
	}
	say(w, web.Done{})
}

// unready is the status of why somebody who is known is not answered: they may not use weft, or nobody can say.
func unready(err error) int {
	if coded := (exitCode{}); errors.As(err, &coded) && coded.code == exitDenied {
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

// admit begins a session of somebody, in place of the one that the browser had.
func (s *signIn) admit(w http.ResponseWriter, r *http.Request, grant serve.Grant) error {
	now := time.Now()
	if until := now.Add(sessionTime); grant.Until.IsZero() || grant.Until.After(until) {
		grant.Until = until
	}
	cookie, err := s.sessions.add(grant, now, cookieOf(r, sessionCookie))
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(sessionCookie, cookie, s.root(), grant.Until, http.SameSiteStrictMode))
	return nil
}

func (s *signIn) leave(w http.ResponseWriter, r *http.Request) {
	err := s.sessions.remove(cookieOf(r, sessionCookie))
	http.SetCookie(w, s.cookie(sessionCookie, "", s.root(), time.Unix(1, 0), http.SameSiteStrictMode))
	if err != nil {
		fail(w, unready(err), fmt.Sprintf("this browser has forgotten the session, and a copy of its cookie has not: %v", err))
		return
	}
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
