package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pin"
	"weft.dev/release/provider/versions"
)

func newUndo() *cobra.Command {
	var to, reason string
	var wait, dryRun bool
	var back pin.Back
	var output *string
	c := &cobra.Command{
		Use:   "undo APPLICATION",
		Short: "Give all traffic back to the version that served before, at once",
		Long: `Give all traffic of an application back to an earlier version, at once: nothing is judged, and no other
release goes first. A release that is on its way is aborted. Where nothing of the version runs any more,
it is started from its record, with Git, the registry and CI down. Without --to it is the version that
served before the release that is on its way, or before the last one that completed.

What people wrote since the version served (routes, its Service, the Application, ConfigMaps of its instances) is
told and left as it is, unless --routes or --config says to put it back. Routes that were not there then stay, unless
--prune says to delete those that lead this application's traffic inside the mesh and nobody else's. With --dry-run
nothing is done, and stdout says what would be. Secrets are not put back: of them is known only that somebody wrote
them. Nor are AuthorizationPolicies, roles, fourEyes and windows: what was allowed then may be forbidden since.

With --wait: exit code 0 when the version has all traffic, 2 when it could not be.`,
		Example: "  weft undo reviews --wait\n  weft undo reviews --to v2 --reason 'carts are empty'\n  weft undo reviews --routes --prune --config --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if *output != "table" && *output != "json" {
				return table{}.print(c, *output)
			}
			if back.Prune && !back.Routes {
				return exitCode{exitUsage, errors.New("--prune: what it deletes may stand beside what was changed: add --routes")}
			}
			releases, err := objectsOf[v1alpha1.Release](c, api.Release)
			if err != nil {
				return err
			}
			target, serving, err := undoTarget(c, releases, args[0], to)
			if err != nil {
				return err
			}
			then, unknown := standingThen(c, releases.namespace, args[0], target, back)
			if dryRun {
				return then.plan(serving, target, back).print(c, *output)
			}
			then.tell(c.ErrOrStderr(), back)
			made, err := then.undo(c, releases, args[0], target, reason, back)
			if made == nil {
				return err
			}
			again := ""
			if serving != "" && serving != target {
				again = fmt.Sprintf(" (undo: weft undo %s --to %s)", args[0], serving)
			}
			if err := errors.Join(err, unknown, printUndo(c, *output, made, again)); err != nil || !wait {
				return err
			}
			return follow(c.Context(), releases, made.Name, c.ErrOrStderr())
		},
	}
	namespaceFlag(c, "namespace of the application")
	c.Flags().StringVar(&to, "to", "", "version to go back to; weft versions lists those that are recorded")
	c.Flags().BoolVar(&wait, "wait", false, "tell on stderr what happens until it ends")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	c.Flags().BoolVar(&back.Routes, "routes", false, "put back what led the application's traffic when the version served")
	c.Flags().BoolVar(&back.Config, "config", false, "put back the Application and the ConfigMaps of its instances")
	c.Flags().BoolVar(&back.Prune, "prune", false, "with --routes: delete routes that were not there then, where they lead this application's traffic alone")
	reasonFlag(c, &reason)
	output = outputFlag(c)
	return c
}

// undoTarget is the version to go back to, and the one that serves now.
func undoTarget(c *cobra.Command, releases objects[v1alpha1.Release], application, to string) (target, serving string, err error) {
	apps, err := objectsOf[v1alpha1.Application](c, api.Application)
	if err != nil {
		return "", "", err
	}
	apps.namespace = releases.namespace
	all, err := releases.list(c.Context())
	if err != nil {
		return "", "", err
	}
	app, err := apps.get(c.Context(), application)
	if err != nil {
		return "", "", err
	}
	if to != "" {
		return to, app.Status.Version, nil
	}
	target, err = release.Earlier(app, all)
	if err != nil {
		return "", "", fmt.Errorf("%w, with --to; weft versions %s lists those that are recorded", err, application)
	}
	return target, app.Status.Version, nil
}

func printUndo(c *cobra.Command, output string, made *v1alpha1.Release, again string) error {
	if output == "json" {
		return printJSON(c.OutOrStdout(), made)
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "release/%s started: %s goes back to %s%s\n", made.Name, made.Spec.Application, made.Spec.Version, again)
	return err
}

func newVersions() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:   "versions APPLICATION",
		Short: "List the recorded versions of an application, the newest first",
		Long: `List the recorded versions of an application, the newest first: those that undo can go back to, also
when nothing of them runs any more. The newest 20 are kept, and those that serve, served before, or have traffic.`,
		Example: "  weft versions reviews\n  weft versions reviews -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			apps, err := objectsOf[v1alpha1.Application](c, api.Application)
			if err != nil {
				return err
			}
			app, err := apps.get(c.Context(), args[0])
			if err != nil {
				return err
			}
			all, err := objectsOf[v1alpha1.Version](c, api.Version)
			if err != nil {
				return err
			}
			list, err := all.list(c.Context())
			if err != nil {
				return err
			}
			return versionTable(app, list).print(c, *output)
		},
	}
	namespaceFlag(c, "namespace of the application")
	output = outputFlag(c)
	return c
}

func versionTable(app *v1alpha1.Application, all []*v1alpha1.Version) table {
	all = versions.Of(all, app.Name)
	t := table{
		header: []string{"VERSION", "SERVES", "RECORDED", "RUN", "IMAGE"}, value: all,
		empty: fmt.Sprintf("no version of %s is recorded yet: one is when it serves, or when a pipeline has deployed it", app.Name),
	}
	for _, v := range all {
		serves := map[string]string{app.Status.Version: "now", app.Status.Previous: "before"}[v.Spec.Version]
		t.rows = append(t.rows, []string{v.Spec.Version, serves, v.CreationTimestamp.UTC().Format("2006-01-02T15:04:05Z"), v.Spec.Run, v.Spec.Image})
	}
	return t
}
