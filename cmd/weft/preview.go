package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/web"
)

func newPreview() *cobra.Command {
	var output *string
	var host string
	var lasts time.Duration
	c := &cobra.Command{
		Use:   "preview APPLICATION VERSION",
		Short: "Make a link by which people outside see a version that has no traffic",
		Long: `Make a link by which people outside see a version of an application, whatever its share of the traffic is. Who opens
the link gets a cookie of that host, which lasts as long as the preview; programs send the header instead. The request has
the version wherever it goes inside of the mesh, as far as programs pass on the header x-weft-version.

Gateways verify previews by themselves. One that has ended, or is for another host, changes nothing: the version that serves
answers. A preview ends by itself. Who may release the application may make one.`,
		Example: "  weft preview reviews v3\n  weft preview reviews v3 --for 24h --host shop.example",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			server, err := connect(c)
			if err != nil {
				return err
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
	output = outputFlag(c)
	return c
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
