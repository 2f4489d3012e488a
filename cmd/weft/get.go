package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/web"
)

func newGet() *cobra.Command {
	get := &cobra.Command{
		Use:     "get",
		Short:   "Show what the mesh knows: problems, how services are called, workloads, proxies",
		Long:    "Show what the mesh knows beside its resources. Resources themselves are read with kubectl.",
		Example: "  weft get problems\n  weft get proxies -o json",
	}
	get.AddCommand(newGetProblems(), newGetResilience(), newGetWorkloads(), newGetProxies())
	return get
}

func newGetProblems() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "problems",
		Aliases: []string{"problem"},
		Short:   "List every object that has no or only partial effect, and the remedy",
		Long: `List every object that has no or only partial effect, with the place in it and the remedy.

Those that the annotation ` + api.SuppressAnnotation + ` of an object suppresses are in -o json alone, and do not count: at the end it says how many
there are, and of which objects.

Exit code 2 if there are any others.`,
		Example: "  weft get problems",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			problems, err := problemsOfServer(c)
			if err != nil {
				return err
			}
			t := problemTable(problems)
			if err := t.print(c, *output); err != nil {
				return err
			}
			if known := suppressedText(problems); known != "" {
				fmt.Fprintln(c.ErrOrStderr(), known)
			}
			if len(t.rows) == 0 {
				return nil
			}
			return exitCode{exitFindings, fmt.Errorf("%d objects or parts of objects have no effect", len(t.rows))}
		},
	}
	output = outputFlag(c)
	return c
}

func problemTable(problems []web.Problem) table {
	t := table{header: []string{"OBJECT", "CODE", "WHERE", "PROBLEM"}, value: problems, empty: "no problems"}
	for _, p := range problems {
		if !p.Suppressed {
			t.rows = append(t.rows, []string{objectName(p), p.Code, p.Path, p.Message})
		}
	}
	return t
}

// suppressedText says how many there are that nobody is to be told of, and who says so.
func suppressedText(problems []web.Problem) string {
	count, by := 0, []string(nil)
	for _, p := range problems {
		if p.Suppressed {
			count++
			by = append(by, objectName(p))
		}
	}
	if count == 0 {
		return ""
	}
	slices.Sort(by)
	by = slices.Compact(by)
	more := ""
	if len(by) > maxNames {
		more = fmt.Sprintf(" and %d more", len(by)-maxNames)
	}
	return fmt.Sprintf("%d suppressed by the annotation %s of %s%s", count, api.SuppressAnnotation, strings.Join(by[:min(len(by), maxNames)], ", "), more)
}

func objectName(p web.Problem) string {
	if p.Namespace == "" {
		return p.Kind + " " + p.Name
	}
	return p.Kind + " " + p.Namespace + "/" + p.Name
}

func newGetWorkloads() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "workloads",
		Aliases: []string{"workload"},
		Short:   "List the running instances and gateways, and how they are",
		Example: "  weft get workloads",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var workloads []web.Workload
			if err := server.get(c.Context(), "workloads", nil, &workloads); err != nil {
				return err
			}
			t := table{header: []string{"WORKLOAD", "APP", "VERSION", "ADDRESS", "HEALTH"}, value: workloads, empty: "no workloads"}
			for _, w := range workloads {
				t.rows = append(t.rows, []string{w.ID, w.App + w.Gateway, w.Version, w.Address, w.Health})
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

func newGetProxies() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "proxies",
		Aliases: []string{"proxy"},
		Short:   "List the Envoys, and whether each holds the newest configuration",
		Example: "  weft get proxies",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var proxies []web.Proxy
			if err := server.get(c.Context(), "proxies", nil, &proxies); err != nil {
				return err
			}
			t := table{header: []string{"PROXY", "CONNECTED", "CURRENT", "REVISION", "ENVOY", "SENT", "REFUSED"}, value: proxies, empty: "no proxies"}
			for _, p := range proxies {
				t.rows = append(t.rows, []string{
					p.ID, yesNo(p.Connected), yesNo(p.Current), strconv.FormatUint(p.Revision, 10), p.Envoy, sentSummary(p.Sent), strings.Join(p.Refused, "; "),
				})
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// sentSummary is "Cluster 12, Listener 3", or "nothing".
func sentSummary(sent map[string]int) string {
	var parts []string
	for _, kind := range model.SortedKeys(sent) {
		if sent[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kind, sent[kind]))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func newEdges() *cobra.Command {
	var output *string
	var window time.Duration
	c := &cobra.Command{
		Use:     "edges",
		Short:   "Show rate, success, p50 and p99 of every call between services",
		Long:    "Show rate, success, p50 and p99 of every call between services, as the callers' proxies counted them.",
		Example: "  weft edges\n  weft edges --window 1m -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var edges []metrics.Edge
			if err := server.get(c.Context(), "edges", url.Values{"window": {window.String()}}, &edges); err != nil {
				return err
			}
			return edgeTable(edges, window).print(c, *output)
		},
	}
	output = outputFlag(c)
	c.Flags().DurationVar(&window, "window", 10*time.Second, "how far to look back, at most 5m")
	return c
}

func edgeTable(edges []metrics.Edge, window time.Duration) table {
	t := table{
		header: []string{"FROM", "TO", "RATE", "SUCCESS", "P50", "P99", "RETRIES", "FALLBACKS", "TROUBLES"},
		value:  edges,
		empty:  fmt.Sprintf("no calls in the last %s", window),
	}
	for _, e := range edges {
		t.rows = append(t.rows, slices.Concat(
			[]string{endName(e.Source), fmt.Sprintf("%s:%d", endName(e.Destination), e.Port)},
			callCells(e.Rate, e.Success, e.P50, e.P99),
			[]string{strconv.FormatUint(e.Retries, 10), strconv.FormatUint(e.Fallbacks, 10), troubles(e)},
		))
	}
	return t
}

// callCells are how calls went, as columns RATE, SUCCESS, P50 and P99.
func callCells(rate, success, p50, p99 float64) []string {
	return []string{fmt.Sprintf("%.1f/s", rate), fmt.Sprintf("%.2f%%", 100*success), fmt.Sprintf("%.1f ms", p50), fmt.Sprintf("%.1f ms", p99)}
}

// troubles are those that there were.
func troubles(e metrics.Edge) string {
	var all []string
	for _, one := range []struct {
		n    uint64
		what string
	}{{e.Timeouts, "timed out"}, {e.Exhausted, "out of retries"}, {e.Overflows, "over the breaker"}, {e.Unconnected, "not connected"}} {
		if one.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	if e.Plain {
		all = append(all, "plain text")
	}
	return strings.Join(all, ", ")
}

func endName(e metrics.End) string {
	name := e.App
	if e.Namespace != "" && e.Namespace != "default" {
		name = e.Namespace + "/" + name
	}
	if e.Version != "" {
		name += " " + e.Version
	}
	return name
}
