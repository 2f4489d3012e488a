package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/metrics"
	"weft.dev/web"
)

// mostShown are services where no screen says how many there is room for.
const mostShown = 2000

func newTop() *cobra.Command {
	var t top
	var once bool
	var output *string
	c := &cobra.Command{
		Use:   "top [SERVICE]",
		Short: "Show which services fail, live, the worst first",
		Long: `Show the services of the mesh, what hurts first, each second anew: requests a second, success and latency as their callers'
proxies counted them, and why a service is not well. With SERVICE it is the calls to that service and those that it makes: the first
line is where most requests fail.

SERVICE is NAME or NAMESPACE/NAME. Ctrl-C ends it. With --once, with -o json, and where the output is no terminal it shows that once.`,
		Example: "  weft top\n  weft top reviews\n  weft top shop/reviews --once -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if t.server, err = connect(c); err != nil {
				return err
			}
			if len(args) > 0 {
				if err := t.find(c.Context(), args[0]); err != nil {
					return err
				}
			}
			if s, ok := screenOf(c.OutOrStdout()); ok && !once && *output != "json" {
				return t.live(c.Context(), s)
			}
			_, shown, err := t.look(c.Context(), mostShown)
			if err != nil {
				return err
			}
			return shown.print(c, *output)
		},
	}
	output = outputFlag(c)
	c.Flags().BoolVar(&once, "once", false, "show it once, as lines")
	c.Flags().DurationVar(&t.window, "window", 10*time.Second, "calls of how long, at most 5m")
	return c
}

// top is what is looked at: a service, or without a name all of them.
type top struct {
	server          *server
	namespace, name string
	window          time.Duration
}

// look is the state now: a heading, and at most so many lines.
func (t top) look(ctx context.Context, limit int) (string, table, error) {
	query := url.Values{"window": {t.window.String()}}
	if t.name != "" {
		return t.lookAt(ctx, query)
	}
	var all web.Services
	query.Set("limit", strconv.Itoa(min(limit, mostShown)))
	if err := t.server.get(ctx, "services", query, &all); err != nil {
		return "", table{}, err
	}
	shown := table{header: []string{"SERVICE", "STATE", "RATE", "SUCCESS", "P50", "P99", "WHY"}, value: all, empty: "no services"}
	for _, s := range all.Services {
		calls := callCells(s.Calls.Rate, s.Calls.Success, s.Calls.P50, s.Calls.P99)
		shown.rows = append(shown.rows, slices.Concat([]string{serviceName(s), string(s.State)}, calls, []string{s.Why}))
	}
	return fmt.Sprintf("%d services", all.All), shown, nil
}

func (t top) lookAt(ctx context.Context, query url.Values) (string, table, error) {
	var page web.ServicePage
	if err := t.server.get(ctx, "services/"+url.PathEscape(t.namespace)+"/"+url.PathEscape(t.name), query, &page); err != nil {
		return "", table{}, err
	}
	edges := worstFirst(slices.Concat(page.Callers, page.Callees))
	heading := fmt.Sprintf("%s: %s", serviceName(page.Service), page.State)
	if page.Why != "" {
		heading += ", " + page.Why
	}
	return heading, edgeTable(edges, t.window), nil
}

// worstFirst orders edges by how many requests fail, and then by how many there are.
func worstFirst(edges []metrics.Edge) []metrics.Edge {
	failing := func(e metrics.Edge) float64 { return e.Rate * (1 - e.Success) }
	slices.SortStableFunc(edges, func(a, b metrics.Edge) int {
		return cmp.Or(cmp.Compare(failing(b), failing(a)), cmp.Compare(b.Rate, a.Rate))
	})
	return edges
}

// find chooses the one service that is meant.
func (t *top) find(ctx context.Context, of string) error {
	var named bool
	if t.namespace, t.name, named = strings.Cut(of, "/"); named {
		return nil
	}
	var all web.Services
	if err := t.server.get(ctx, "services", url.Values{"search": {of}, "limit": {strconv.Itoa(mostShown)}}, &all); err != nil {
		return err
	}
	var found []string
	for _, s := range all.Services {
		if s.Name == of {
			t.namespace, t.name = s.Namespace, s.Name
			found = append(found, s.Namespace+"/"+s.Name)
		}
	}
	switch len(found) {
	case 0:
		return notFound{fmt.Sprintf("service %q: not found: nothing names it, and no workload serves it; `weft top` shows those that there are", of)}
	case 1:
		return nil
	}
	return exitCode{exitUsage, fmt.Errorf("service %q: there are %s: say which", of, strings.Join(found, ", "))}
}

// live shows it until ctx ends. A server that answers no more may come back: until then what was seen stays.
func (t top) live(ctx context.Context, s screen) error {
	heading, shown, err := t.look(ctx, s.lines())
	if err != nil {
		return err
	}
	defer s.open()()
	draw := func() {
		first := fmt.Sprintf("%s  %s, calls of the last %s; Ctrl-C ends it", time.Now().Format(time.TimeOnly), heading, t.window)
		if err != nil {
			first = fmt.Sprintf("%s  as it was before: %v", time.Now().Format(time.TimeOnly), err)
		}
		s.show(first + "\n\n" + shown.text())
	}
	draw()
	ended := every(ctx, time.Second, func() {
		newer, lines, wrong := t.look(ctx, s.lines())
		if err = wrong; err == nil {
			heading, shown = newer, lines
		}
		draw()
	})
	if errors.Is(ended, context.Canceled) {
		return nil // Ctrl-C
	}
	return ended
}

func serviceName(s web.Service) string {
	if s.External {
		return s.Name
	}
	return endName(metrics.End{Namespace: s.Namespace, App: s.Name})
}
