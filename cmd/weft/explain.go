package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"weft.dev/explain"
	"weft.dev/tap"
)

func newExplain() *cobra.Command {
	var output *string
	var headers []string
	var request string
	c := &cobra.Command{
		Use:   "explain PROXY METHOD URL | --request ID",
		Short: "Say where a request goes, and which resource and line decided it",
		Long: `Say where a request that a workload makes would go, and why: its proxy's listener, the route, the
policies, the cluster and its endpoints, each with the resource and line that caused it, and the routes of the host that
do not get it ("not"), with the reason. Nothing is sent.

PROXY is NAMESPACE/NAME of a workload, or an application, NAME or NAMESPACE/NAME: then one of its workloads.

With --request it says what became of a real request, at each proxy that weft tap looked at when it passed, during the last five
minutes; ID is its x-request-id.`,
		Example: "  weft explain reviews POST http://ratings:9090/shop.Ratings/Stars\n  weft explain frontend GET http://catalog:9080/products -H 'end-user: beta'\n  weft explain --request 5f4c9b8e-3c1d-4f0a-9a43-2f3c6b1d7e10",
		Args: func(c *cobra.Command, args []string) error {
			if request != "" {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(3)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			if request != "" {
				return explainRequest(c, server, request, *output)
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
	c.Flags().StringVar(&request, "request", "", "id of a real request, that weft tap has shown")
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "header of the request, NAME: VALUE (repeatable)")
	return c
}

func explainRequest(c *cobra.Command, server *server, id, format string) error {
	var records []tap.Record
	if err := server.get(c.Context(), "requests/"+url.PathEscape(id), nil, &records); err != nil {
		return err
	}
	if format == "json" {
		return printJSON(c.OutOrStdout(), records)
	}
	_, err := fmt.Fprint(c.OutOrStdout(), tap.Text(records))
	return err
}
