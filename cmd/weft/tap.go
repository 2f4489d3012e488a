package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/tap"
	"weft.dev/web"
)

// picked says which requests are shown.
type picked struct {
	failed       bool
	path, method string
	from, to     string
	slow         time.Duration
}

func (p picked) has(r tap.Record) bool {
	return (!p.failed || r.Failed()) && strings.HasPrefix(r.Path, p.path) && (p.method == "" || strings.EqualFold(p.method, r.Method)) &&
		strings.Contains(r.From, p.from) && strings.Contains(r.To, p.to) && r.Ms >= float64(p.slow.Milliseconds())
}

func newTap() *cobra.Command {
	var output *string
	var pick picked
	var limit int
	c := &cobra.Command{
		Use:   "tap WORKLOAD|APPLICATION",
		Short: "Show requests as they pass",
		Long: `Show requests as they end, as the proxies of one workload, or of all of an application (at most 20), see them: those that it
makes ("->") and those that come to it ("<-"). Each says how it ended, by which route, after how many attempts, and the request's id, if it has
one: weft explain --request ID says more of it for five minutes. There are no bodies, no headers and no query strings.

Proxies tell only while this runs; other proxies, and connections, do not change. What is too much is left out, and counted. Ctrl-C ends it.`,
		Example: "  weft tap reviews --failed\n  weft tap shop/frontend-1 --to ratings --slow 100ms --limit 20\n  weft tap ingress -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			show, err := shower(c.OutOrStdout(), *output)
			if err != nil {
				return err
			}
			server, err := connect(c)
			if err != nil {
				return err
			}
			return server.tap(c.Context(), args[0], newTold(c.ErrOrStderr(), args[0]).line, func(r tap.Record) error {
				if !pick.has(r) {
					return nil
				}
				show(r)
				if limit--; limit == 0 {
					return io.EOF
				}
				return nil
			})
		},
	}
	output = outputFlag(c)
	flags := c.Flags()
	flags.BoolVar(&pick.failed, "failed", false, "only those that ended with 5xx, or without an answer")
	flags.StringVar(&pick.path, "path", "", "only paths that begin so")
	flags.StringVar(&pick.method, "method", "", "only this method")
	flags.StringVar(&pick.from, "from", "", "only callers with this in their name")
	flags.StringVar(&pick.to, "to", "", "only services with this in their name")
	flags.DurationVar(&pick.slow, "slow", 0, "only those that took at least so long, e.g. 100ms")
	flags.IntVar(&limit, "limit", 0, "end after so many (default: never)")
	return c
}

// shower prints requests: as lines for people, or each as a line of JSON.
func shower(out io.Writer, format string) (func(tap.Record), error) {
	switch format {
	case "json":
		lines := json.NewEncoder(out)
		return func(r tap.Record) { _ = lines.Encode(r) }, nil
	case "table":
		return func(r tap.Record) { fmt.Fprintln(out, recordLine(r)) }, nil
	}
	return nil, exitCode{exitUsage, fmt.Errorf("output format %q: want table or json", format)}
}

func recordLine(r tap.Record) string {
	who := r.Proxy + " -> " + strings.TrimSpace(shortHost(r.To)+" "+r.Version)
	if r.Side == model.TapIn {
		who = r.Proxy + " <- " + r.From
	}
	line := fmt.Sprintf("%s  %-44s  %-6s %-32s  %3d %8.1f ms", r.Time.Local().Format("15:04:05.000"), who, r.Method, r.Path, r.Status, r.Ms)
	add := func(name, value string) {
		if value != "" {
			line += "  " + name + value
		}
	}
	if r.Attempts > 1 {
		add("attempts ", fmt.Sprint(r.Attempts))
	}
	add("", strings.Join(r.Flags, ", "))
	if r.Side == model.TapOut {
		add("route ", r.Route)
	}
	add("id ", r.ID)
	return line
}

// shortHost is reviews.shop of reviews.shop.svc.cluster.local.
func shortHost(host string) string {
	short, _, _ := strings.Cut(host, ".svc.")
	return short
}

// told says on stderr of how many proxies one hears, when that changes, and what was left out.
type told struct {
	out            io.Writer
	of             string
	proxies, known int
}

func newTold(out io.Writer, of string) *told { return &told{out: out, of: of, proxies: -1} }

func (t *told) line(l web.Tapped) {
	if l.Proxies != t.proxies || l.Known != t.known {
		t.proxies, t.known = l.Proxies, l.Known
		more := ""
		if l.Proxies < l.Known {
			more = "; of the others the agents are connected to another replica of the server, or not at all, or there are too many"
		}
		fmt.Fprintf(t.out, "# %d of %d proxies of %s tell%s\n", l.Proxies, l.Known, t.of, more)
	}
	if l.Left > 0 {
		fmt.Fprintf(t.out, "# %d requests are left out: there are too many\n", l.Left)
	}
}

// tap reads what passes until take returns an error, io.EOF being the usual one, or ctx ends.
func (s *server) tap(ctx context.Context, of string, line func(web.Tapped), take func(tap.Record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := s.send(ctx, http.MethodPost, web.TapPath+"?"+url.Values{"of": {of}, "watch": {"true"}}.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var l web.Tapped
		if err := lines.Decode(&l); err != nil {
			if ctx.Err() != nil {
				return nil // Ctrl-C
			}
			return exitCode{exitNoServer, fmt.Errorf("server %s: it tells no more: %w", s.base, err)}
		}
		line(l)
		for _, r := range l.Records {
			if err := take(r); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}
