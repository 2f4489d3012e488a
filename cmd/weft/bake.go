package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/bake"
	"weft.dev/release/bake/jail"
	baker "weft.dev/release/provider/bake"
	"weft.dev/source/git"
	"weft.dev/store"
)

// jailedFlag makes this binary the child that bakes.
const jailedFlag = "jailed"

func newJail(unconfined bool) jail.Jail {
	return jail.Jail{Args: []string{"bake", "--" + jailedFlag}, Unconfined: unconfined}
}

// bakeFlags are what bake stages of pipelines may do.
type bakeFlags struct {
	repositories []string
	unconfined   bool
}

func (f *bakeFlags) add(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.repositories, "bake-repository", nil, "URL of a repository that bake stages of pipelines may check out, with this server's credentials; one that ends with / is all below it (repeatable; default: none)")
	c.Flags().BoolVar(&f.unconfined, "bake-unconfined", false, "bake where the kernel has no Landlock, too")
}

// newBaker does what bake stages ask for.
func newBaker(client *store.Client, f bakeFlags) *baker.World {
	return baker.New(baker.Options{
		Checkout: readRepository,
		Render:   newJail(f.unconfined).Render,
		Blobs:    store.For[v1alpha1.Blob](client, api.Blob),
		Allowed:  f.repositories,
	})
}

// readRepository reads a folder of a repository into memory.
func readRepository(ctx context.Context, repository, revision, folder string) (bake.Tree, string, error) {
	c := jail.NewCollector()
	commit, err := git.Copy(ctx, git.Place{URL: repository, Revision: revision, Dir: folder}, os.TempDir(), jail.MaxFiles, c)
	return c.Tree, commit, err
}

func newBake() *cobra.Command {
	var r bake.Request
	var kind, output string
	var unconfined, jailed bool
	c := &cobra.Command{
		Use:   "bake DIR",
		Short: "Print the manifests that a chart, a kustomization or a Jsonnet program makes",
		Long: `Print the manifests that a Helm chart, a kustomization or a Jsonnet program in the folder DIR makes, as a pipeline's bake stage
does: nothing outside of DIR is read, no link is followed, nothing is fetched, and the work is done by a process that may open
no file and no connection. It gets 30 s, 512 MB of memory, 64 MB and 10,000 files to read, and may give 100 MB.

helm: as helm template; dependencies have to be in charts/. Hooks that only test are left out.
kustomize: as kustomize build; bases have to be in DIR, plugins and charts are off.
jsonnet: PATH is a file, or a folder with main.jsonnet; imports are relative, or in vendor/ or lib/ of DIR.`,
		Example: "  weft bake . --kind kustomize --path overlays/prod\n  weft bake ./chart --kind helm --name shop --namespace shop --values-file values-prod.yaml --set image.tag=v2",
		Args:    cobra.MaximumNArgs(1),
	}
	f := c.Flags()
	f.StringVar(&kind, "kind", "", "helm, kustomize or jsonnet")
	f.StringVar(&r.Path, "path", "", "what to bake in DIR (default: DIR itself)")
	f.StringVar(&r.Name, "name", "", "helm: name of the release (default: that of the chart)")
	f.StringVarP(&r.Namespace, "namespace", "n", "", `helm: namespace of the release (default "default")`)
	f.StringSliceVar(&r.ValuesFiles, "values-file", nil, "helm: values in DIR, relative to the chart; a later one wins (repeatable)")
	f.StringToStringVar(&r.Set, "set", nil, "helm: KEY=TEXT over all values (repeatable)")
	f.BoolVar(&r.CRDs, "crds", false, "helm: what is in crds/, too")
	f.StringToStringVar(&r.Variables, "var", nil, "jsonnet: NAME=TEXT for std.extVar (repeatable)")
	f.StringToStringVar(&r.Arguments, "arg", nil, "jsonnet: NAME=TEXT for the function at the top (repeatable)")
	f.BoolVar(&unconfined, "bake-unconfined", false, "bake where the kernel has no Landlock, too")
	f.StringVarP(&output, "output", "o", "yaml", "output format: yaml or json")
	f.BoolVar(&jailed, jailedFlag, false, "be the process that bakes")
	_ = f.MarkHidden(jailedFlag)
	c.RunE = func(c *cobra.Command, args []string) error {
		if jailed {
			return exitCode{jail.Child(os.Stdin, os.Stdout), errors.New("")}
		}
		if len(args) == 0 || kind == "" {
			return exitCode{exitUsage, fmt.Errorf("name the folder, and say --kind helm, kustomize or jsonnet (see %s --help)", c.CommandPath())}
		}
		r.Kind = bake.Kind(strings.ToLower(kind))
		return bakeFolder(c, args[0], r, newJail(unconfined), output)
	}
	return c
}

func bakeFolder(c *cobra.Command, dir string, r bake.Request, j jail.Jail, output string) error {
	if output != "yaml" && output != "json" {
		return exitCode{exitUsage, fmt.Errorf("output format %q: want yaml or json", output)}
	}
	tree, err := jail.Copy(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	manifests, err := j.Render(c.Context(), tree, r)
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(r.Path, dir), err)
	}
	if output == "json" {
		objects, err := bake.Objects(manifests)
		if err != nil {
			return err
		}
		return printJSON(c.OutOrStdout(), objects)
	}
	_, err = c.OutOrStdout().Write(manifests)
	return err
}
