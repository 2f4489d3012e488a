package main

import (
	"time"

	"github.com/spf13/cobra"

	"weft.dev/web"
)

func newStats() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:   "stats",
		Short: "Say which proxies keep full statistics, and have one do so",
		Long: `Say which proxies keep full statistics, and until when. All others keep what the mesh's figures are made of: a third of
Envoy's memory for each service.`,
		Example: "  weft stats\n  weft stats full shop/reviews-1 --for 10m",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var all []web.FullStats
			if err := server.get(c.Context(), web.StatsPath, nil, &all); err != nil {
				return err
			}
			return fullStatsTable(all).print(c, *output)
		},
	}
	output = outputFlag(c)
	c.AddCommand(newStatsFull())
	return c
}

func newStatsFull() *cobra.Command {
	var output *string
	var span time.Duration
	c := &cobra.Command{
		Use:   "full WORKLOAD",
		Short: "Have a proxy keep full statistics for a while",
		Long: `Have a workload's proxy keep everything that Envoy can count of the services that it calls, for a while: its connections to
them are made anew at the beginning and at the end, and calls go on. What it counts is read where a Prometheus reads
it (weft run --metrics), as weft_proxy_envoy_cluster with the label stat. It ends by itself.

WORKLOAD is NAMESPACE/NAME.`,
		Example: "  weft stats full shop/reviews-1\n  weft stats full shop/reviews-1 --for 0s",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var all []web.FullStats
			if err := server.post(c.Context(), web.StatsPath, web.StatsRequest{Workload: args[0], For: span.String()}, &all); err != nil {
				return err
			}
			return fullStatsTable(all).print(c, *output)
		},
	}
	c.Flags().DurationVar(&span, "for", 10*time.Minute, "how long from now; 0s ends it")
	output = outputFlag(c)
	return c
}

func fullStatsTable(all []web.FullStats) table {
	t := table{header: []string{"WORKLOAD", "UNTIL"}, value: all, empty: "no proxy keeps full statistics: weft stats full WORKLOAD has one do so"}
	for _, one := range all {
		t.rows = append(t.rows, []string{one.Workload, one.Until.Local().Format(time.TimeOnly)})
	}
	return t
}
