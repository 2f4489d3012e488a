package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/trace"
	"weft.dev/web"
)

func newTraces() *cobra.Command {
	var output *string
	var slower, since, until time.Duration
	var failed bool
	var limit int
	var attributes []string
	c := &cobra.Command{
		Use:   "traces [SERVICE]",
		Short: "Find requests by what happened to them on their way",
		Long: `Find traces: requests, each with all its steps. Those that failed come first, then those that took longest.

SERVICE is NAME or NAMESPACE/NAME. What is asked holds of one step of each trace that is found: with SERVICE, --version and
--slower, a step of that version of the service took so long. --calls asks for steps that call another service.`,
		Example: `  weft traces --failed
  weft traces shop/reviews --slower 100ms --since 10m
  weft traces web --calls reviews -o json
  weft traces show 4bb87cd24242e5a3de2fbbd83dd70900`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{"attribute": attributes, "limit": {strconv.Itoa(limit)}}
			if len(args) > 0 {
				query.Set("service", args[0])
			}
			for _, name := range []string{"version", "calls", "route", "slower", "since", "until", "failed"} {
				if f := c.Flags().Lookup(name); f.Changed {
					query.Set(name, f.Value.String())
				}
			}
			return findTraces(c, query, *output)
		},
	}
	c.Flags().String("version", "", "of the service")
	c.Flags().String("calls", "", "the service that is called: NAME, NAMESPACE/NAME or a host outside")
	c.Flags().String("route", "", "name of the route that led there")
	c.Flags().DurationVar(&slower, "slower", 0, "only what took this long, e.g. 100ms")
	c.Flags().BoolVar(&failed, "failed", false, "only what failed")
	c.Flags().DurationVar(&since, "since", 0, "only what began so long ago or later, e.g. 10m")
	c.Flags().DurationVar(&until, "until", 0, "only what began longer ago than this")
	c.Flags().StringArrayVar(&attributes, "attribute", nil, "NAME=VALUE that a step has (repeatable)")
	c.Flags().IntVar(&limit, "limit", 50, "how many at most")
	output = outputFlag(c)
	c.AddCommand(newTracesShow())
	return c
}

func findTraces(c *cobra.Command, query url.Values, output string) error {
	server, err := connect(c)
	if err != nil {
		return err
	}
	var found web.Traces
	if err := server.get(c.Context(), "traces", query, &found); err != nil {
		return err
	}
	t := table{
		header: []string{"TRACE", "START", "BEGAN AT", "REQUEST", "TOOK", "STEPS", "RESULT", "SERVICES"},
		value:  found,
		empty:  fmt.Sprintf("no traces like this, of %d that are kept; proxies tell of a share of all requests (docs/guides/traces.md)", found.Store.Traces),
	}
	for _, one := range found.Traces {
		result := "ok"
		if one.Failed {
			result = "failed"
		}
		t.rows = append(t.rows, []string{
			one.ID.String(), one.Start.Local().Format(time.TimeOnly), trace.Name(one.Namespace, one.Service), one.Name, short(one.Duration),
			strconv.Itoa(one.Spans), result, strings.Join(one.Services, " "),
		})
	}
	if missing := droppedSteps(found.Store); missing != "" && output == "table" {
		fmt.Fprintln(c.ErrOrStderr(), "weft: "+missing)
	}
	return t.print(c, output)
}

// droppedSteps says what is not here because there was too much.
func droppedSteps(c trace.Counts) string {
	var all []string
	for _, one := range []struct {
		n    uint64
		what string
	}{
		{c.TooMany, "%d steps came too fast, and were dropped"}, {c.Lost, "%d bytes of steps were dropped by agents"},
		{c.Unwritten, "%d steps could not be written to disk, and a restart loses them"}, {c.Unsent, "%d steps could not be sent on"},
	} {
		if one.n > 0 {
			all = append(all, fmt.Sprintf(one.what, one.n))
		}
	}
	return strings.Join(all, "; ")
}

func newTracesShow() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show a request step by step",
		Long: `Show a trace: each step below the one that called it, with when it was on and what it knew. The exit code is 2 if a step failed.

ID is that of a trace, or the traceparent header of a request.`,
		Example: "  weft traces show 4bb87cd24242e5a3de2fbbd83dd70900",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			id := args[0]
			if parts := strings.Split(id, "-"); len(parts) == 4 {
				id = parts[1]
			}
			var found trace.Waterfall
			if err := server.get(c.Context(), "traces/"+url.PathEscape(id), nil, &found); err != nil {
				return err
			}
			if *output == "table" {
				printWaterfall(c.OutOrStdout(), found)
			} else if err := (table{value: found}).print(c, *output); err != nil {
				return err
			}
			if found.Failed {
				return exitCode{exitFindings, fmt.Errorf("")}
			}
			return nil
		},
	}
	output = outputFlag(c)
	return c
}

const bars = 40 // columns of a waterfall

func printWaterfall(out io.Writer, t trace.Waterfall) {
	fmt.Fprintf(out, "trace %s: %s, %s, %d steps, %s\n\n", t.ID, t.Name, short(t.Duration), t.Spans, t.Start.Local().Format(time.DateTime))
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, step := range t.Steps {
		fmt.Fprintf(w, "%s%s\t%s\t%s\t|%s|\t%s\n", strings.Repeat("  ", step.Depth), stepName(step), step.Name, short(step.Duration), bar(step, t.Duration), strings.Join(stepFacts(step), ", "))
	}
	w.Flush()
}

// stepName says whose step it is, and on which side of a call.
func stepName(s trace.Bar) string {
	name := s.Of()
	if s.Version != "" {
		name += " " + s.Version
	}
	switch {
	case s.Proxy && s.Kind == trace.Client:
		return name + " calls"
	case s.Proxy:
		return name + " answers"
	}
	return name + ", its own"
}

// stepFacts are what people look for first.
func stepFacts(s trace.Bar) (facts []string) {
	if s.Failed {
		facts = append(facts, strings.TrimSpace("failed "+s.Message))
	}
	for _, name := range []string{"http.response.status_code", model.SpanAttempts, model.SpanRoute, model.SpanDetails} {
		value := s.Attribute(name)
		switch {
		case value == "", name == model.SpanAttempts && value == "1", name == model.SpanDetails && value == "via_upstream":
		case name == model.SpanAttempts:
			facts = append(facts, value+" attempts")
		default:
			facts = append(facts, value)
		}
	}
	if s.Orphan {
		facts = append(facts, "what called it is not here")
	}
	return slices.Clip(facts)
}

// bar is when a step was on, of the whole.
func bar(s trace.Bar, whole time.Duration) string {
	if whole <= 0 {
		return strings.Repeat("=", bars)
	}
	at := func(d time.Duration) int { return min(bars, int(int64(bars)*int64(d)/int64(whole))) }
	from := min(at(s.Offset), bars-1)
	to := max(at(s.Offset+s.Duration), from+1)
	return strings.Repeat(" ", from) + strings.Repeat("=", to-from) + strings.Repeat(" ", bars-to)
}

// short is a duration with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
