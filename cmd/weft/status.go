package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/web"
)

func newStatus() *cobra.Command {
	var output *string
	var wait time.Duration
	var workloads int
	c := &cobra.Command{
		Use:     "status",
		Short:   "Say in one line how the mesh is",
		Example: "  weft status\n  weft status --wait 30s",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			status, err := awaitStatus(c, wait, workloads)
			if err != nil {
				return err
			}
			if *output == "json" {
				return printJSON(c.OutOrStdout(), status)
			}
			commit := ""
			if status.Commit != "" {
				commit = ", commit " + status.Commit
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "revision %d: %d of %d workloads healthy, %d of %d proxies current, %d problems%s\n",
				status.Revision, status.Healthy, status.Workloads, status.Current, status.Proxies, status.Problems, commit)
			return err
		},
	}
	output = outputFlag(c)
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a server that does not answer yet")
	c.Flags().IntVar(&workloads, "workloads", 0, "with --wait: wait also until so many workloads are healthy and every proxy is current")
	return c
}

// awaitStatus asks the server until it answers and has its workloads, or the
// time is up.
func awaitStatus(c *cobra.Command, wait time.Duration, workloads int) (status web.Status, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	defer cancel()
	for {
		server, err := connect(c)
		if err == nil {
			err = server.get(c.Context(), "status", nil, &status)
		}
		if err == nil && (status.Healthy < workloads || workloads > 0 && status.Current < status.Proxies) {
			err = fmt.Errorf("%d of %d workloads are healthy, %d of %d proxies current", status.Healthy, workloads, status.Current, status.Proxies)
		}
		if err == nil {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, err
		case <-time.After(pollInterval):
		}
	}
}

func newToken() *cobra.Command {
	token := &cobra.Command{
		Use:     "token",
		Short:   "Make the one-time tokens that machines join with",
		Example: "  weft token create",
	}
	var request web.TokenRequest
	var output *string
	create := &cobra.Command{
		Use:   "create",
		Short: "Print a token that one machine can join with, once",
		Long: `Print the command that joins a machine. The token in it works once and for a short time.
It names the server's certificate authority, so that the machine knows whom it joins.`,
		Example: "  weft token create --ttl 10m --namespace shop",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server, err := connect(c)
			if err != nil {
				return err
			}
			var made web.TokenReply
			if err := server.post(c.Context(), "tokens", request, &made); err != nil {
				return err
			}
			if *output == "json" {
				return printJSON(c.OutOrStdout(), made)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "weft join --server %s --token %s\n", made.Server, made.Token)
			return err
		},
	}
	output = outputFlag(create)
	create.Flags().StringVar(&request.TTL, "ttl", "10m", "how long the token can be used")
	create.Flags().StringSliceVarP(&request.Namespaces, "namespace", "n", []string{"default"}, "namespaces whose workloads the machine may run")
	token.AddCommand(create)
	return token
}
