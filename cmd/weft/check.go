package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	target "weft.dev/install/cluster"
)

func newCheck() *cobra.Command {
	var flags chartFlags
	var pre bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether a Kubernetes cluster can take weft, and whether weft in it is well",
		Long: `Look at the cluster that the kubeconfig names: with --pre, whether weft can be installed; else, whether its control plane
serves, and which pods have no proxy that should have one. What is not well is said with what helps, and ends with code 2.`,
		Example: "  weft check --pre\n  weft check -o json",
		Args:    cobra.NoArgs,
	}
	flags.on(c)
	c.Flags().BoolVar(&pre, "pre", false, "before weft is installed")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		findings, err := findingsOf(c, flags, pre)
		if err != nil {
			return err
		}
		if *output == "json" {
			err = printJSON(c.OutOrStdout(), findings)
		} else {
			printFindings(c.OutOrStdout(), findings)
		}
		for _, f := range findings {
			if !f.OK && err == nil {
				err = exitCode{exitFindings, fmt.Errorf("not all is well")}
			}
		}
		return err
	}
	return c
}

func findingsOf(c *cobra.Command, flags chartFlags, pre bool) (findings []target.Finding, err error) {
	to, err := connectCluster(c)
	if err != nil {
		return nil, err
	}
	if pre {
		objects, err := flags.objects()
		if err != nil {
			return nil, err
		}
		findings, err = to.CheckPre(c.Context(), objects)
		if err != nil {
			return nil, unreachable(to, err)
		}
		return findings, nil
	}
	findings, err = to.Check(c.Context(), flags.plane())
	if err != nil {
		return nil, unreachable(to, err)
	}
	return findings, nil
}

func printFindings(out io.Writer, findings []target.Finding) {
	group := ""
	for _, f := range findings {
		if f.Group != group {
			group = f.Group
			fmt.Fprintln(out, group)
		}
		if f.OK {
			fmt.Fprintln(out, "  ✓ "+f.What)
		} else {
			fmt.Fprintf(out, "  ✗ %s\n    %s\n", f.What, f.Remedy)
		}
	}
}
