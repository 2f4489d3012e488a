package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"weft.dev/store/serve"
	"weft.dev/web"
)

const (
	providerPath   = web.Prefix + "signin"
	underwayCookie = "weft-signin"
	underwayTime   = 10 * time.Minute // to sign in at the provider
	providerTime   = 10 * time.Second // that it may take to answer
	maxDiscovery   = 1 << 20
)

// oidcProvider is where people sign in by OpenID Connect.
type oidcProvider struct {
	issuer string
	flow   oauth2.Config // without its endpoints
	client *http.Client
	tokens *serve.Issuer

	mu    sync.Mutex
	found *oauth2.Endpoint // nil: it has not been asked yet
}

// underway is a sign-in that somebody began. The browser has it as a cookie, so that any replica knows who comes back.
type underway struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Until    time.Time `json:"until"`
}

// underwayMark is in front of it, so that it is no token and no session.
const underwayMark = "underway "

func newOIDCProvider(ctx context.Context, f uiFlags, secret string, client *http.Client) (*oidcProvider, error) {
	tokens, err := serve.NewIssuer(ctx, serve.IssuerOptions{URL: f.issuer, Client: f.client, NameClaim: f.nameClaim, GroupsClaim: f.groupsClaim, HTTP: client})
	if err != nil {
		return nil, exitCode{exitUsage, fmt.Errorf("--oidc-issuer %s: %w", f.issuer, err)}
	}
	back := strings.TrimSuffix(f.url, "/") + providerPath + "/done"
	return &oidcProvider{
		issuer: f.issuer, client: client, tokens: tokens,
		flow: oauth2.Config{ClientID: f.client, ClientSecret: secret, RedirectURL: back, Scopes: append([]string{"openid"}, f.scopes...)},
	}, nil
}

// name is what people know it by.
func (p *oidcProvider) name() string {
	at, err := url.Parse(p.issuer)
	if err != nil {
		return p.issuer
	}
	return at.Host
}

// endpoints are asked for until the provider has once said them.
func (p *oidcProvider) endpoints(ctx context.Context) (oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	flow := p.flow
	if p.found == nil {
		found, err := discover(ctx, p.client, p.issuer)
		if err != nil {
			return flow, fmt.Errorf("%s: %w; is the provider up?", p.issuer, err)
		}
		p.found = &found
	}
	flow.Endpoint = *p.found
	return flow, nil
}

func discover(ctx context.Context, client *http.Client, issuer string) (at oauth2.Endpoint, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return at, err
	}
	response, err := client.Do(request)
	if err != nil {
		return at, err
	}
	defer response.Body.Close()
	var said struct {
		Issuer string `json:"issuer"`
		Auth   string `json:"authorization_endpoint"`
		Token  string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxDiscovery)).Decode(&said); err != nil {
		return at, fmt.Errorf("its openid-configuration: %s: %w", response.Status, err)
	}
	if said.Issuer != issuer || !isHTTPS(said.Auth) || !isHTTPS(said.Token) {
		return at, fmt.Errorf("its openid-configuration is of %q, with sign-in at %q and %q: want this issuer's, by https", said.Issuer, said.Auth, said.Token)
	}
	return oauth2.Endpoint{AuthURL: said.Auth, TokenURL: said.Token}, nil
}

func isHTTPS(text string) bool { return strings.HasPrefix(text, "https://") }

func newUnderway(now time.Time) underway {
	return underway{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), now.Add(underwayTime)}
}

// sealed is what the browser keeps of it.
func (u underway) sealed(key serve.Key) (string, error) {
	text, err := json.Marshal(u)
	return key.Seal(append([]byte(underwayMark), text...)), err
}

// unsealed is a sign-in that was begun here, and lately.
func unsealed(key serve.Key, cookie string, now time.Time) (u underway, ok bool) {
	body, err := key.Open(cookie)
	text, marked := strings.CutPrefix(string(body), underwayMark)
	if err != nil || !marked || json.Unmarshal([]byte(text), &u) != nil {
		return u, false
	}
	return u, now.Before(u.Until)
}

// whose says who came back.
func (p *oidcProvider) whose(ctx context.Context, u underway, answer url.Values) (grant serve.Grant, err error) {
	if why := answer.Get("error"); why != "" {
		return grant, fmt.Errorf("it says %q %q", why, answer.Get("error_description"))
	}
	flow, err := p.endpoints(ctx)
	if err != nil {
		return grant, err
	}
	token, err := flow.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), answer.Get("code"), oauth2.VerifierOption(u.Verifier))
	if err != nil {
		return grant, err
	}
	id, ok := token.Extra("id_token").(string)
	if !ok {
		return grant, errors.New("it gave no ID token")
	}
	grant.Name, grant.Groups, err = p.tokens.Whose(ctx, id, u.Nonce)
	return grant, err
}

func (s *signIn) underwayPath() string { return s.root() + strings.TrimPrefix(providerPath, "/") }

func (s *signIn) toProvider(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), providerTime)
	defer cancel()
	flow, err := s.provider.endpoints(ctx)
	if err != nil {
		s.apologise(w, http.StatusBadGateway, err)
		return
	}
	key, err := s.gate.key()
	if err != nil {
		s.apologise(w, http.StatusServiceUnavailable, err)
		return
	}
	u := newUnderway(time.Now())
	cookie, err := u.sealed(key)
	if err != nil {
		s.apologise(w, http.StatusInternalServerError, err)
		return
	}
	// It comes back from another site, so Strict would keep it here.
	http.SetCookie(w, s.cookie(underwayCookie, cookie, s.underwayPath(), u.Until, http.SameSiteLaxMode))
	http.Redirect(w, r, flow.AuthCodeURL(u.State, oauth2.S256ChallengeOption(u.Verifier), oauth2.SetAuthURLParam("nonce", u.Nonce)), http.StatusSeeOther)
}

func (s *signIn) fromProvider(w http.ResponseWriter, r *http.Request) {
	key, err := s.gate.key()
	if err != nil {
		s.apologise(w, http.StatusServiceUnavailable, err)
		return
	}
	http.SetCookie(w, s.cookie(underwayCookie, "", s.underwayPath(), time.Unix(1, 0), http.SameSiteLaxMode)) // a code is for once
	u, ok := unsealed(key, cookieOf(r, underwayCookie), time.Now())
	if !ok || r.FormValue("state") != u.State {
		s.apologise(w, http.StatusForbidden, errors.New("it is not this browser that began this sign-in, or it took too long"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), providerTime)
	defer cancel()
	grant, err := s.provider.whose(ctx, u, r.URL.Query())
	if err == nil {
		err = s.admit(w, r, grant)
	}
	if err != nil {
		s.apologise(w, http.StatusForbidden, err)
		return
	}
	http.Redirect(w, r, s.page(), http.StatusSeeOther)
}

// apologise is read by a person who comes from elsewhere.
func (s *signIn) apologise(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, fmt.Sprintf("Nobody was signed in by %s: %v.\nTo try again, open %s", s.provider.name(), err, s.at.JoinPath("weft/ui/")), status)
}
