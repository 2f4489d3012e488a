package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"weft.dev/install/chart"
	target "weft.dev/install/cluster"
	"weft.dev/model"
)

// installFlags are what `weft install` can be told.
type installFlags struct {
	chartFlags
	dryRun  bool
	output  string
	timeout time.Duration
}

// chartFlags say which control plane is meant.
type chartFlags struct {
	revision, image, proxyImage string
	files, set                  []string
}

func (f *chartFlags) on(c *cobra.Command) {
	c.Flags().StringVar(&f.revision, "revision", "default", "name of this control plane, beside others in the cluster")
}

func (f *chartFlags) images(c *cobra.Command) {
	c.Flags().StringVar(&f.image, "image", "", "image of weft (default weft:VERSION)")
	c.Flags().StringVar(&f.proxyImage, "proxy-image", "", "image of weft-agent with Envoy, for pods (default weft-proxy:VERSION)")
	c.Flags().StringArrayVar(&f.files, "values", nil, "YAML `FILE` of values of the chart; may be repeated")
	c.Flags().StringArrayVar(&f.set, "set", nil, "`KEY=VALUE` of the chart, as replicas=3 or injection.failurePolicy=Fail; may be repeated")
}

func (f *chartFlags) plane() target.Plane {
	return target.Plane{Namespace: chart.Namespace, Name: chart.Name(f.revision), Revision: f.revision}
}

// objects are those of the chart.
func (f *chartFlags) objects() ([]*unstructured.Unstructured, error) {
	values := map[string]any{"revision": f.revision}
	for _, path := range f.files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, exitCode{exitUsage, err}
		}
		read := map[string]any{}
		if err := yaml.Unmarshal(text, &read); err != nil {
			return nil, exitCode{exitUsage, fmt.Errorf("--values %s: %w", path, err)}
		}
		chart.Merge(values, read)
	}
	if err := chart.Set(values, f.set); err != nil {
		return nil, exitCode{exitUsage, fmt.Errorf("--set: %w", err)}
	}
	for key, image := range map[string]string{"image": f.image, "proxyImage": f.proxyImage} {
		if image != "" {
			values[key] = image
		}
	}
	return chart.Render(chart.Options{Version: version(), Values: values})
}

func newInstall() *cobra.Command {
	var flags installFlags
	c := &cobra.Command{
		Use:   "install",
		Short: "Put the control plane into a Kubernetes cluster",
		Long: `Put the control plane into the cluster that the kubeconfig names, by server-side apply, and wait until it serves. Run
again it upgrades. Nothing of an application changes: pods get a proxy when they are made in a namespace that asks for it,

  kubectl label namespace NAME weft.dev/inject=enabled

CRDs that are there stay as they are, unless weft brought them. With -o the objects are printed instead, for a repository.`,
		Example: "  weft check --pre\n  weft install --image weft:1.0 --proxy-image weft-proxy:1.0\n  weft install --revision next --set replicas=3\n  weft install -o yaml > weft.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.output != "" {
				return printManifests(c.OutOrStdout(), flags)
			}
			ctx, cancel := context.WithTimeout(c.Context(), flags.timeout)
			defer cancel()
			return install(ctx, c, flags)
		},
	}
	flags.on(c)
	flags.images(c)
	c.Flags().BoolVar(&flags.dryRun, "dry-run", false, "have the API server check everything, and change nothing")
	c.Flags().StringVarP(&flags.output, "output", "o", "", "print the objects and change nothing: yaml or json")
	c.Flags().DurationVar(&flags.timeout, "timeout", 5*time.Minute, "how long to wait until it serves")
	return c
}

func install(ctx context.Context, c *cobra.Command, flags installFlags) error {
	objects, err := flags.objects()
	if err != nil {
		return err
	}
	to, err := connectCluster(c)
	if err != nil {
		return err
	}
	say := ticks(c.ErrOrStderr())
	crds, err := to.Wanted(ctx)
	if err != nil {
		return unreachable(to, err)
	}
	if err := to.Apply(ctx, crds, flags.dryRun, func(string) {}); err != nil {
		return err
	}
	say(fmt.Sprintf("%d CustomResourceDefinitions", len(crds)))
	if flags.dryRun { // kinds that are not served yet cannot be asked about
		objects = to.Served(objects)
	} else if err := to.AwaitCRDs(ctx, crds); err != nil {
		return err
	}
	if err := to.Apply(ctx, objects, flags.dryRun, say); err != nil || flags.dryRun {
		return err
	}
	if err := to.Await(ctx, flags.plane(), func(text string) { fmt.Fprintln(c.ErrOrStderr(), "  "+text) }); err != nil {
		return fmt.Errorf("%w; see kubectl -n %s get events, and weft check", err, chart.Namespace)
	}
	say("weft serves: kubectl label namespace NAME " + labelFor(flags.revision) + " gives the pods that start there their proxies")
	return nil
}

func labelFor(revision string) string {
	if revision == "default" {
		return model.InjectLabel + "=" + model.InjectEnabled
	}
	return model.RevisionLabel + "=" + revision
}

func printManifests(out io.Writer, flags installFlags) error {
	objects, err := flags.objects()
	if err != nil {
		return err
	}
	crds, err := target.CRDs()
	if err != nil {
		return err
	}
	all := append(crds, objects...)
	switch flags.output {
	case "json":
		items := make([]any, len(all))
		for i, o := range all {
			items[i] = o.Object
		}
		return printJSON(out, map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	case "yaml":
		for _, o := range all {
			text, err := yaml.Marshal(o.Object)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "---\n%s", text)
		}
		return nil
	}
	return exitCode{exitUsage, fmt.Errorf("output format %q: want yaml or json", flags.output)}
}

func newUninstall() *cobra.Command {
	var flags chartFlags
	var crds, authority bool
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Take the control plane out of a Kubernetes cluster; applications go on",
		Long: `Take the control plane and its injection out of the cluster. Pods go on with the proxies and the configuration that they
have; those that are made from now on get none. What was configured stays, and the certificate authority, so that
installing again goes on where this ended.`,
		Example: "  weft uninstall\n  weft uninstall --revision old\n  weft uninstall --crds --authority",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return uninstall(c, flags, crds, authority)
		},
	}
	flags.on(c)
	c.Flags().BoolVar(&crds, "crds", false, "also remove weft's own kinds, with all objects of them; those of Istio and the Gateway API stay")
	c.Flags().BoolVar(&authority, "authority", false, "also remove the namespace, with the certificate authority: proxies that run will not trust a new one")
	return c
}

func uninstall(c *cobra.Command, flags chartFlags, crds, authority bool) error {
	objects, err := flags.objects()
	if err != nil {
		return err
	}
	from, err := connectCluster(c)
	if err != nil {
		return err
	}
	others, err := from.Others(c.Context(), chart.Namespace, flags.revision)
	if err != nil {
		return unreachable(from, err)
	}
	if others && (crds || authority) {
		return exitCode{exitUsage, errors.New("another revision runs, which needs the kinds and the authority: uninstall it first, by --revision")}
	}
	say := ticks(c.ErrOrStderr())
	if err := from.Remove(c.Context(), chart.Removed(objects, others, authority), say); err != nil || !crds {
		return err
	}
	all, err := target.CRDs()
	if err != nil {
		return err
	}
	var ours []*unstructured.Unstructured
	for _, crd := range all {
		if target.IsOurs(crd) {
			ours = append(ours, crd)
		}
	}
	return from.Remove(c.Context(), ours, say)
}

func connectCluster(c *cobra.Command) (*target.Cluster, error) {
	config, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	return target.Connect(config)
}

func unreachable(c *target.Cluster, err error) error {
	return exitCode{exitNoServer, fmt.Errorf("API server %s: %w", c.Host, err)}
}

// ticks says what is done.
func ticks(out io.Writer) func(string) {
	return func(text string) { fmt.Fprintln(out, "  ✓ "+text) }
}
