package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/identity"
	"weft.dev/store"
	"weft.dev/store/serve"
)

func newUser() *cobra.Command {
	user := &cobra.Command{
		Use:     "user",
		Short:   "Let people in who are no administrators",
		Example: "  weft user add bob --group qa > bob.kubeconfig\n  weft user token bob --group qa",
	}
	user.AddCommand(newUserAdd(), newUserToken())
	return user
}

// userTTL is how long a person's certificate lasts where nobody says it.
const userTTL = 30 * 24 * time.Hour

func newUserAdd() *cobra.Command {
	var of grantFlags
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
		PreRunE: of.check,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := serve.Person(of.data, args[0], of.groups, of.ttl)
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	of.add(c)
	return c
}

func newUserToken() *cobra.Command {
	var of grantFlags
	var cluster bool
	c := &cobra.Command{
		Use:   "token NAME",
		Short: "Print a token with which a person signs in to the web UI of weft serve --ui",
		Long: `Print a token with which a person who is no administrator signs in to the pages that weft serve --ui shows. They may do
there what a kubeconfig of weft user add lets them.

It runs where the server does, on its data directory. The token is valid until --ttl is over; without the file
DATA/signin.key all tokens have ended, and nothing else takes one back before. Who is signed in stays so for 12 hours at most.

With --cluster it is for weft in the cluster of the kubeconfig, where it was installed with ui.enabled: there NAME and GROUP begin with the chart's
ui.prefix, and RBAC says what they may do. It takes the right to read the Secret weft-signin of weft-system, without which all tokens have ended.`,
		Example: "  weft user token bob --group qa --ttl 168h\n  weft user token bob --group qa --cluster",
		Args:    cobra.ExactArgs(1),
		PreRunE: of.check,
		RunE: func(c *cobra.Command, args []string) error {
			token, err := of.token(c, args[0], cluster)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	of.add(c)
	c.Flags().BoolVar(&cluster, "cluster", false, "for weft in the cluster of the kubeconfig")
	return c
}

// grantFlags say for what a person is let in.
type grantFlags struct {
	data   string
	groups []string
	ttl    time.Duration
}

func (f *grantFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.data, "data", identity.DataDir(), "folder of the server's state")
	c.Flags().StringSliceVar(&f.groups, "group", nil, "group that the person is in (repeatable)")
	c.Flags().DurationVar(&f.ttl, "ttl", userTTL, "how long it is valid")
}

func (f *grantFlags) token(c *cobra.Command, name string, cluster bool) (string, error) {
	if !cluster {
		return serve.Token(f.data, name, f.groups, f.ttl)
	}
	config, err := restConfig(c)
	if err != nil {
		return "", err
	}
	client, err := store.NewClient(config)
	if err != nil {
		return "", err
	}
	return clusterToken(client, name, f.groups, f.ttl)
}

func (f *grantFlags) check(*cobra.Command, []string) error {
	if f.ttl <= 0 {
		return exitCode{exitUsage, fmt.Errorf("--ttl %v: want more than nothing", f.ttl)}
	}
	return nil
}
