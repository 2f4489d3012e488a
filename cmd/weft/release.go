package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
)

func newRelease() *cobra.Command {
	release := &cobra.Command{
		Use:   "release",
		Short: "Bring a version of an application into service, watch it, or take it out",
		Example: `  weft release start reviews v3 --wait
  weft release abort reviews-v3-x7k2p`,
	}
	namespaceFlag(release, "namespace of the application")
	release.AddCommand(newReleaseStart(), newReleaseWatch(), newReleaseList(),
		newReleaseDecision("abort", "aborter", "Take the version out of traffic now"),
		newReleaseDecision("promote", "promoter", "Go on with a release that waits for a person"))
	return release
}

func newReleaseStart() *cobra.Command {
	var strategy string
	var wait bool
	c := &cobra.Command{
		Use:   "start APPLICATION VERSION",
		Short: "Release a version: shift traffic to it by the application's strategy",
		Long: `Release a version of an application: shift traffic to it by the application's strategy, judge it by
its own requests, and take it out again if it is worse.

With --wait: exit code 0 when the release has succeeded, 2 when it was rolled back or waits for a person.`,
		Example: "  weft release start reviews v3 --wait\n  weft release start reviews v4 --strategy blueGreen",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			releases, err := objectsOf[v1alpha1.Release](c, api.Release)
			if err != nil {
				return err
			}
			made, err := startRelease(c, releases, args[0], args[1], v1alpha1.StrategyType(strategy))
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "release/%s started (undo: weft release abort %s)\n", made.Name, made.Name)
			if !wait {
				return nil
			}
			return follow(c.Context(), releases, made.Name, c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&strategy, "strategy", "", "canary, blueGreen, rolling, highlander or recreate, for this release alone")
	c.Flags().BoolVar(&wait, "wait", false, "print what happens until the release ends")
	return c
}

// startRelease has a version released in the name of who asks; without a strategy, by the application's.
func startRelease(c *cobra.Command, releases objects[v1alpha1.Release], application, version string, strategy v1alpha1.StrategyType) (*v1alpha1.Release, error) {
	me, err := signature(c)
	if err != nil {
		return nil, err
	}
	release := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: releases.namespace, GenerateName: application + "-" + version + "-"},
		Spec:       v1alpha1.ReleaseSpec{Application: application, Version: version, By: me.By, Groups: me.Groups},
	}
	if strategy != "" {
		release.Spec.Strategy = &v1alpha1.Strategy{Type: strategy}
	}
	return releases.create(c.Context(), release)
}

func newReleaseWatch() *cobra.Command {
	return &cobra.Command{
		Use:     "watch NAME",
		Short:   "Print what happens in a release until it ends",
		Long:    "Print what happens in a release until it ends. Exit code as for `weft release start --wait`.",
		Example: "  weft release watch reviews-v3-x7k2p",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			releases, err := objectsOf[v1alpha1.Release](c, api.Release)
			if err != nil {
				return err
			}
			return follow(c.Context(), releases, args[0], c.OutOrStdout())
		},
	}
}

func newReleaseList() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the releases and their last decision",
		Example: "  weft release list -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			releases, err := objectsOf[v1alpha1.Release](c, api.Release)
			if err != nil {
				return err
			}
			all, err := releases.list(c.Context())
			if err != nil {
				return err
			}
			t := table{header: []string{"NAME", "APPLICATION", "VERSION", "PHASE", "WEIGHT", "WHY"}, value: all, empty: "no releases"}
			for _, r := range all {
				t.rows = append(t.rows, []string{
					r.Name, r.Spec.Application, r.Spec.Version, string(r.Status.Phase), fmt.Sprintf("%d%%", r.Status.Weight), r.Status.Why,
				})
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

func newReleaseDecision(verb, who, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " NAME",
		Short:   short,
		Example: "  weft release " + verb + " reviews-v3-x7k2p",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			releases, err := objectsOf[v1alpha1.Release](c, api.Release)
			if err != nil {
				return err
			}
			if err := decideRelease(c, releases, args[0], verb, who); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "release/%s: %s asked for\n", args[0], verb)
			return nil
		},
	}
}

// decideRelease sets spec.VERB of a release, a person's decision, and in spec.WHO whose it is.
func decideRelease(c *cobra.Command, releases objects[v1alpha1.Release], name, verb, who string) error {
	me, err := signature(c)
	if err != nil {
		return err
	}
	spec := map[string]any{verb: true}
	if me.By != "" {
		spec[who] = me
	}
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	return releases.patch(c.Context(), name, patch)
}

// follow prints the events of a release until it ends or waits for a person.
func follow(ctx context.Context, releases objects[v1alpha1.Release], name string, out io.Writer) error {
	printed := map[string]bool{} // two may be of one moment, and the oldest ones go
	return poll(ctx, func() (bool, error) {
		release, err := releases.get(ctx, name)
		if err != nil {
			return false, err
		}
		for _, event := range release.Status.Events {
			line := fmt.Sprintf("%s  %s", event.Time.Local().Format("15:04:05.000"), event.Text)
			if !printed[line] {
				printed[line] = true
				fmt.Fprintln(out, line)
			}
		}
		switch release.Status.Phase {
		case v1alpha1.ReleaseSucceeded:
			return true, nil
		case v1alpha1.ReleaseRolledBack, v1alpha1.ReleaseFailed, v1alpha1.ReleaseInconclusive:
			return true, exitCode{exitFindings, fmt.Errorf("release %s: %s", name, release.Status.Phase)}
		}
		return false, nil
	})
}
