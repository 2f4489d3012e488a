package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"weft.dev/metrics/series"
	"weft.dev/store/serve"
	"weft.dev/web"
)

// gate knows people, and answers them with their rights, and no others.
type gate interface {
	whose(token string, now time.Time) (serve.Grant, error)
	// answers is until ctx ends. An error with exitDenied: they may not use weft.
	answers(ctx context.Context, who serve.Grant) (http.Handler, error)
	// key signs cookies.
	key() (serve.Key, error)
	// command prints a token.
	command() string
}

// ownGate is that of a server that is its own API server.
type ownGate struct {
	api     *serve.Server
	cookies serve.Key
}

func (g ownGate) whose(token string, now time.Time) (serve.Grant, error) {
	return g.api.Whose(token, now)
}

func (g ownGate) answers(ctx context.Context, who serve.Grant) (http.Handler, error) {
	config, err := g.api.As(who.Name, who.Groups, time.Until(who.Until))
	if err != nil {
		return nil, err
	}
	return answeredAs(ctx, config)
}

func (g ownGate) key() (serve.Key, error) { return g.cookies, nil }

func (ownGate) command() string { return tokenCommand }

const tokenCommand = "weft user token NAME --group GROUP"

// fileGate is that of a server of files: whoever has signed in reads, and nothing can be written.
type fileGate struct {
	data    string
	pages   http.Handler // what this machine is answered without sign-in
	cookies serve.Key
}

func (g fileGate) whose(token string, now time.Time) (serve.Grant, error) {
	return serve.Whose(g.data, token, now)
}

func (g fileGate) answers(_ context.Context, who serve.Grant) (http.Handler, error) {
	if _, err := serve.Cleaned(who.Name, who.Groups); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+web.Prefix, g.pages)
	mux.Handle("GET "+series.Prefix+"/api/", g.pages)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "nothing is changed here: write a file into what the server serves")
	})
	return mux, nil
}

func (g fileGate) key() (serve.Key, error) { return g.cookies, nil }

func (fileGate) command() string { return tokenCommand }

// answeredAs answers what pages ask for, as the client that is configured, until ctx ends.
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
	if first.token != "" {
		go func() { _ = renewSignIn(ctx, command, &behind) }() // which ends with ctx alone
	}
	return led(forward(&behind), acts{command}), nil
}
