package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"weft.dev/explain"
	"weft.dev/model"
)

func newRoutes() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:   "routes PROXY",
		Short: "List the routes that a workload's proxy has, and which resource and line decided each",
		Long: `List the routes that a workload's proxy has now: of each host, in the order in which they are tried, which requests a route takes,
where they go, and the resource, file and line that decided it. Those named SERVICE=VERSION after an @ are private addresses of versions. A
service that the proxy has not learned of has none yet: weft scope says which it knows.

PROXY is NAMESPACE/NAME of a workload, or an application or gateway, NAME or NAMESPACE/NAME: then one of its workloads.
weft explain says which of them a request takes.`,
		Example: "  weft routes frontend\n  weft routes shop/ingress-1 -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var answer explain.Table
			if err := server.get(c.Context(), "routes", url.Values{"proxy": {args[0]}}, &answer); err != nil {
				return err
			}
			return routeTable(answer).print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

func routeTable(all explain.Table) table {
	t := table{
		header: []string{"HOST", "ROUTE", "MATCH", "TO", "TIMEOUT", "RETRIES", "FROM"}, value: all,
		empty: all.Proxy + " has no routes",
	}
	for _, r := range all.Routes {
		retries, _, _ := strings.Cut(r.Retries, " on ")
		t.rows = append(t.rows, []string{
			shortCluster(r.Host), r.Name, r.Match, cmp.Or(sharesText(r.To), "answers "+r.Answer), r.Timeout, retries, strings.Join(r.From, ", "),
		})
	}
	return t
}

// sharesText says no percentage of who gets everything.
func sharesText(all []explain.Share) string {
	var parts []string
	for _, s := range all {
		if len(all) == 1 {
			return shortCluster(s.Cluster)
		}
		parts = append(parts, fmt.Sprintf("%.3g%% %s", s.Percent, shortCluster(s.Cluster)))
	}
	return strings.Join(parts, ", ")
}

// shortCluster is reviews.shop:9080 v2 of reviews.shop.svc.cluster.local:9080/v2.
func shortCluster(name string) string {
	host, port, subset, ok := model.ParseClusterName(name)
	if !ok {
		return name
	}
	return strings.TrimSpace(fmt.Sprintf("%s:%d %s", shortHost(host), port, subset))
}
