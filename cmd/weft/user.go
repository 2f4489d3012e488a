package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/identity"
	"weft.dev/store/serve"
)

func newUser() *cobra.Command {
	user := &cobra.Command{
		Use:     "user",
		Short:   "Let people in who are no administrators",
		Example: "  weft user add bob --group qa > bob.kubeconfig",
	}
	user.AddCommand(newUserAdd())
	return user
}

// userTTL is how long a person's certificate lasts where nobody says it.
const userTTL = 30 * 24 * time.Hour

func newUserAdd() *cobra.Command {
	var data string
	var groups []string
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Print a kubeconfig with which a person reads, starts pipelines and releases, and decides in them",
		Long: `Print a kubeconfig for a person who is no administrator. With it they read what the mesh is made of but its secrets,
start runs of pipelines and releases, decide in them, undo and freeze, where the roles of the application let them: what they write is
written in their name, and a judgment is open to the groups it names.

It runs where the server does, on its data directory. The certificate in it is valid until --ttl is over; nobody can take
it back before that, so keep it short.`,
		Example: "  weft user add bob --group qa --ttl 168h > bob.kubeconfig\n  weft --kubeconfig bob.kubeconfig approve ship-x7k2p",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if ttl <= 0 {
				return exitCode{exitUsage, fmt.Errorf("--ttl %v: want more than nothing", ttl)}
			}
			text, err := serve.Person(data, args[0], groups, ttl)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", identity.DataDir(), "folder of the server's state")
	c.Flags().StringSliceVar(&groups, "group", nil, "group that the person is in (repeatable)")
	c.Flags().DurationVar(&ttl, "ttl", userTTL, "how long the certificate is valid")
	return c
}
