package main

import (
	"cmp"
	"net/url"

	"github.com/spf13/cobra"

	"weft.dev/web"
)

func newGetResilience() *cobra.Command {
	var namespace string
	var every, said bool
	var output *string
	c := &cobra.Command{
		Use:   "resilience [SERVICE]",
		Short: "List every limit, timeout, retry, breaker, fallback and permission of every service, and who says so",
		Long: `List on what terms services are called: every timeout, retry, breaker, pool, fallback and permission of each, which requests it
holds of, and the resource, file and line that says so. What nobody says is there, too, as the mesh's default.

SERVICE is the short name of one, or the host of one outside. Without it, all of the namespace are listed; with -A, all of the mesh.`,
		Example: "  weft get resilience -A\n  weft get resilience reviews -n shop\n  weft get resilience -A --said -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			query := url.Values{"namespace": {namespace}}
			if every {
				query.Del("namespace")
			}
			if len(args) > 0 {
				query.Set("service", args[0])
			}
			var all []web.Term
			if err := server.get(c.Context(), "resilience", query, &all); err != nil {
				return err
			}
			return termTable(all, said).print(c, *output)
		},
	}
	c.Flags().StringVarP(&namespace, "namespace", "n", "default", "namespace of the services")
	c.Flags().BoolVarP(&every, "all-namespaces", "A", false, "services of every namespace")
	c.Flags().BoolVar(&said, "said", false, "leave out the defaults of the mesh")
	output = outputFlag(c)
	return c
}

func termTable(all []web.Term, said bool) table {
	listed := []web.Term{}
	t := table{header: []string{"SERVICE", "REQUESTS", "SETTING", "VALUE", "FROM"}, empty: "no such services, or nothing is said of them"}
	for _, one := range all {
		if said && one.Default {
			continue
		}
		listed = append(listed, one)
		from := one.From.Object
		for _, part := range []string{one.From.Path, one.From.File} {
			if part != "" {
				from += " " + part
			}
		}
		t.rows = append(t.rows, []string{one.Namespace + "/" + one.Service, one.Requests, one.Name, one.Value, cmp.Or(from, "default of the mesh")})
	}
	t.value = listed
	return t
}
