package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weft.dev/metrics/series"
	"weft.dev/web"
	"weft.dev/web/ui"
)

// signInRenewal is well within what a cluster's token lasts.
const signInRenewal = 20 * time.Minute

func newUI() *cobra.Command {
	var port uint16
	c := &cobra.Command{
		Use:   "ui",
		Short: "Print a link to the web UI, and lead it to the server for as long as this runs",
		Long: `Print a link to the web UI, and lead what it asks to the server, signed in as this command is: the browser needs no
certificate, and may see and do what you may: start, abort, promote and undo releases. It is served on loopback alone, to who has the link. Ctrl-C ends it.`,
		Example: "  weft ui\n  weft ui --port 7450",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			first, err := connect(c)
			if err != nil {
				return err
			}
			listener, err := (&net.ListenConfig{}).Listen(c.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
			if err != nil {
				return fmt.Errorf("--port: %w; choose another one, or none", err)
			}
			var behind atomic.Pointer[server]
			behind.Store(first)
			key := rand.Text()
			group, ctx := errgroup.WithContext(c.Context())
			group.Go(func() error { return serveHTTP(ctx, listener, lead(&behind, acts{c}, key)) })
			group.Go(func() error { return renewSignIn(ctx, c, &behind) })
			fmt.Fprintf(c.OutOrStdout(), "http://%s%s#key=%s\n", listener.Addr(), ui.Prefix, key)
			if err := group.Wait(); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		},
	}
	c.Flags().Uint16Var(&port, "port", 0, "port on loopback (default: a free one)")
	return c
}

// lead hands on what a browser reads, with the sign-in of this command, and does what a page asks for. The key is in the link behind #,
// which no browser sends or logs, and comes back in a header, which no other page can set: so neither other
// pages nor other users of this machine can ask.
func lead(behind *atomic.Pointer[server], acts acts, key string) http.Handler {
	server := forward(behind)
	mux := http.NewServeMux()
	mux.Handle("GET "+ui.Prefix, server)
	mux.Handle("GET /{$}", http.RedirectHandler(ui.Prefix, http.StatusSeeOther))
	mux.Handle("/", withKey(led(server, acts), key))
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "another page asked for that: only the pages behind this link may")
	}))
	guarded := own.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) { // a name that somebody has pointed here
			fail(w, http.StatusForbidden, "ask by the address of loopback")
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// forward hands on to the server, with the sign-in of who is connected.
func forward(behind *atomic.Pointer[server]) http.Handler {
	return &httputil.ReverseProxy{
		Transport: through{behind},
		Rewrite:   func(r *httputil.ProxyRequest) { behind.Load().sign(r) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			fail(w, http.StatusBadGateway, err.Error()+"; is `weft serve` running?")
		},
	}
}

// led is what pages may ask for, and nothing else.
func led(server http.Handler, acts acts) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+web.Prefix, server)
	mux.Handle("GET "+series.Prefix+"/api/", server)
	mux.Handle("POST "+web.Prefix+web.PreviewsPath, server)
	acts.handle(mux)
	return mux
}

func withKey(next http.Handler, key string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(given), []byte(key)) != 1 {
			fail(w, http.StatusUnauthorized, "the link that `weft ui` printed leads here: open it again, or the one of the `weft ui` that runs now")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// through is the connection of the server that is behind now.
type through struct{ behind *atomic.Pointer[server] }

func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	if inner := t.behind.Load().client.Transport; inner != nil {
		return inner.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// handedOn are the headers that a browser may send on. Any other may say who asks: Impersonate-User does, to a client that may.
var handedOn = []string{"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Length", "Content-Type", "If-Modified-Since", "If-None-Match", "Last-Event-Id", "User-Agent"}

// sign leads a browser's request to the server, as if this command had asked.
func (s *server) sign(r *httputil.ProxyRequest) {
	root, err := url.Parse(strings.TrimSuffix(s.base, web.Prefix))
	if err != nil {
		root = &url.URL{} // which nothing answers: it was one when it was connected
	}
	r.SetURL(root)
	maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool { return !slices.Contains(handedOn, name) })
	if s.secret != "" {
		r.Out.Header.Set("Authorization", "Bearer "+s.secret)
	}
	if s.token != "" {
		r.Out.Header.Set(tokenHeader, s.token)
	}
}

// renewSignIn signs in again before it ends. Where that fails, the next time may not, and the page says what is wrong.
func renewSignIn(ctx context.Context, c *cobra.Command, behind *atomic.Pointer[server]) error {
	return every(ctx, signInRenewal, func() {
		if again, err := connect(c); err == nil {
			behind.Store(again)
		}
	})
}
