package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/web"
)

func newPreview() *cobra.Command {
	var output *string
	var host string
	var revoke bool
	var lasts time.Duration
	c := &cobra.Command{
		Use:   "preview APPLICATION VERSION | --revoke-all",
		Short: "Make a link by which people outside see a version that has no traffic",
		Long: `Make a link by which people outside see a version of an application, whatever its share of the traffic is. Who opens
the link gets a cookie of that host, which lasts as long as the preview; programs send the header instead. The request has
the version wherever it goes inside of the mesh, as far as programs pass on the header x-weft-version.

Gateways verify previews by themselves. One that has ended, or is for another host, changes nothing: the version that serves
answers. A preview ends by itself. Who may release the application may make one.

--revoke-all ends all previews of the mesh, of all applications: links, cookies and headers that were made until now. No other way
takes one back. It is for administrators. Connections to gateways are drained by it, as Envoy does when a listener changes; a gateway that
does not hear the server goes on with what it had.`,
		Example: "  weft preview reviews v3\n  weft preview reviews v3 --for 24h --host shop.example\n  weft preview --revoke-all",
		Args: func(c *cobra.Command, args []string) error {
			if revoke {
				return cobra.NoArgs(c, args)
			}
			return cobra.ExactArgs(2)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			if revoke {
				return revokePreviews(c, server, *output)
			}
			namespace, err := c.Flags().GetString("namespace")
			if err != nil {
				return err
			}
			var made web.PreviewReply
			asked := web.PreviewRequest{Namespace: namespace, Application: args[0], Version: args[1], For: lasts.String(), Host: host}
			if err := server.post(c.Context(), web.PreviewsPath, asked, &made); err != nil {
				return err
			}
			return previewTable(made).print(c, *output)
		},
	}
	namespaceFlag(c, "namespace of the application")
	c.Flags().DurationVar(&lasts, "for", previewFor, "how long it lasts, 168h at most")
	c.Flags().StringVar(&host, "host", "", "host of a gateway, with the port that people use if it is another one (default: those whose routes lead to the application)")
	c.Flags().BoolVar(&revoke, "revoke-all", false, "end all previews of the mesh")
	output = outputFlag(c)
	return c
}

func revokePreviews(c *cobra.Command, server *server, format string) error {
	var ended web.PreviewsEnded
	if err := server.do(c.Context(), http.MethodDelete, web.PreviewsPath, nil, &ended); err != nil {
		return err
	}
	at := ended.At.Local().Format(time.TimeOnly)
	return table{header: []string{"ENDED", "PREVIEWS"}, rows: [][]string{{at, "all; weft status says whether all gateways know it"}}, value: ended}.print(c, format)
}

func previewTable(made web.PreviewReply) table {
	t := table{header: []string{"BY", "WHAT"}, value: made}
	for _, link := range made.Links {
		t.rows = append(t.rows, []string{"link", link.URL})
	}
	left := time.Until(made.Ends).Round(time.Minute)
	t.rows = append(t.rows, []string{"header", made.Header}, []string{"until", fmt.Sprintf("%s (%s)", made.Ends.Format(time.RFC3339), left)})
	return t
}
