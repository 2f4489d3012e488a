package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/web"
)

func newGet() *cobra.Command {
	get := &cobra.Command{
		Use:     "get",
		Short:   "Show what the mesh knows: problems, workloads, proxies",
		Long:    "Show what the mesh knows beside its resources. Resources themselves are read with kubectl.",
		Example: "  weft get problems\n  weft get proxies -o json",
	}
	get.AddCommand(newGetProblems(), newGetWorkloads(), newGetProxies())
	return get
}

func newGetProblems() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "problems",
		Aliases: []string{"problem"},
		Short:   "List every object that has no or only partial effect, and the remedy",
		Long:    "List every object that has no or only partial effect, with the place in it and the remedy.\n\nExit code 2 if there are any.",
		Example: "  weft get problems",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var problems []web.Problem
			if err := server.get(c.Context(), "problems", nil, &problems); err != nil {
				return err
			}
			t := table{header: []string{"OBJECT", "CODE", "WHERE", "PROBLEM"}, value: problems, empty: "no problems"}
			for _, p := range problems {
				t.rows = append(t.rows, []string{objectName(p), p.Code, p.Path, p.Message})
			}
			if err := t.print(c, *output); err != nil || len(problems) == 0 {
				return err
			}
			return exitCode{exitFindings, fmt.Errorf("%d objects or parts of objects have no effect", len(problems))}
		},
	}
	output = outputFlag(c)
	return c
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
		t.rows = append(t.rows, []string{
			endName(e.Source), fmt.Sprintf("%s:%d", endName(e.Destination), e.Port),
			fmt.Sprintf("%.1f/s", e.Rate), fmt.Sprintf("%.2f%%", 100*e.Success),
			fmt.Sprintf("%.1f ms", e.P50), fmt.Sprintf("%.1f ms", e.P99),
			strconv.FormatUint(e.Retries, 10), strconv.FormatUint(e.Fallbacks, 10), troubles(e),
		})
	}
	return t
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
