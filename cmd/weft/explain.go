package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"weft.dev/explain"
)

func newExplain() *cobra.Command {
	var output *string
	var headers []string
	c := &cobra.Command{
		Use:   "explain PROXY METHOD URL",
		Short: "Say where a request goes, and which resource and line decided it",
		Long: `Say where a request that a workload makes would go, and why: its proxy's listener, the route, the
policies, the cluster and its endpoints, each with the resource and line that caused it, and the routes of the host that
do not get it ("not"), with the reason. Nothing is sent.

PROXY is NAMESPACE/NAME of a workload, or an application, NAME or NAMESPACE/NAME: then one of its workloads.`,
		Example: "  weft explain reviews POST http://ratings:9090/shop.Ratings/Stars\n  weft explain frontend GET http://catalog:9080/products -H 'end-user: beta'",
		Args:    cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var trace explain.Trace
			query := url.Values{"proxy": {args[0]}, "method": {args[1]}, "url": {args[2]}, "header": headers}
			if err := server.get(c.Context(), "explain", query, &trace); err != nil {
				return err
			}
			if *output == "json" {
				return printJSON(c.OutOrStdout(), trace)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), trace.Text())
			return err
		},
	}
	output = outputFlag(c)
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "header of the request, NAME: VALUE (repeatable)")
	return c
}
