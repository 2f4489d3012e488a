package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/spinnaker"
	"weft.dev/source/folder"
)

func newImport() *cobra.Command {
	c := &cobra.Command{
		Use:     "import",
		Short:   "Make pipelines of another system's",
		Example: "  weft import spinnaker shop.json --dry-run",
	}
	c.AddCommand(newImportSpinnaker())
	return c
}

// imported is what an import prints with -o json.
type imported struct {
	spinnaker.Result
	Coverage spinnaker.Coverage `json:"coverage"`
}

func newImportSpinnaker() *cobra.Command {
	var dryRun bool
	var output, namespace string
	c := &cobra.Command{
		Use:   "spinnaker FILE...",
		Short: "Make pipelines of Spinnaker's",
		Long: `Make pipelines of Spinnaker's JSON (- is stdin): pipelines, lists of them, applications with their pipelines, executions, and
templates and canary configurations beside the pipelines that use them. Files that name each other's pipelines are imported together.

A stage is converted whole or kept whole: one that weft has no equal for becomes an unsupported stage, and a run that reaches it
fails. The report on stdout has a line for each stage and each difference: Exact, Changed, Kept, Ignored or Missing.

With --dry-run nothing is applied and no server is needed; -o yaml prints the resources, to keep in Git. It ends with code 2
where a stage is kept, or something is missing.`,
		Example: "  weft import spinnaker shop.json --dry-run\n  weft import spinnaker shop.json templates.json -n shop\n  weft import spinnaker shop.json --dry-run -o yaml > pipelines.yaml",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would become of it")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, json, or yaml (the resources alone)")
	c.Flags().StringVarP(&namespace, "namespace", "n", "default", "namespace of the pipelines")
	c.RunE = func(c *cobra.Command, args []string) error {
		result, err := importFiles(args, c.InOrStdin())
		if err != nil {
			return err
		}
		if !dryRun {
			if err := applyImported(c, result, namespace, strings.Join(args, ", ")); err != nil {
				return err
			}
		}
		if err := printImported(c, result, output); err != nil {
			return err
		}
		return findings(result.Report)
	}
	return c
}

func importFiles(paths []string, stdin io.Reader) (spinnaker.Result, error) {
	var files []spinnaker.File
	for _, path := range paths {
		read := func() ([]byte, error) { return os.ReadFile(path) }
		if path == "-" {
			read = func() ([]byte, error) { return io.ReadAll(stdin) }
		}
		data, err := read()
		if err != nil {
			return spinnaker.Result{}, err
		}
		files = append(files, spinnaker.File{Name: path, Data: data})
	}
	return spinnaker.Import(files)
}

// resources are what was imported, applications first.
func resources(result spinnaker.Result) (all []any) {
	for _, a := range result.Applications {
		all = append(all, a)
	}
	for _, p := range result.Pipelines {
		all = append(all, p)
	}
	return all
}

// applyImported applies what was imported, as the objects of one place.
func applyImported(c *cobra.Command, result spinnaker.Result, namespace, place string) error {
	config, err := restConfig(c)
	if err != nil {
		return err
	}
	applier, err := newApplier(config, namespace)
	if err != nil {
		return err
	}
	var documents []folder.Document
	for _, o := range resources(result) {
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		d := folder.Document{File: place, Line: 1}
		if err := json.Unmarshal(text, &d.Object); err != nil {
			return err
		}
		delete(d.Object, "status")
		documents = append(documents, d)
	}
	err = applier.all(c.Context(), documents, c.ErrOrStderr())
	for _, p := range result.Pipelines {
		fmt.Fprintf(c.ErrOrStderr(), "(undo: kubectl delete pipelines.weft.dev -n %s %s)\n", namespace, p.Name)
	}
	return answered(err)
}

func printImported(c *cobra.Command, result spinnaker.Result, output string) error {
	coverage := result.Report.Coverage()
	if output == "yaml" {
		for _, o := range resources(result) {
			text, err := yaml.Marshal(o)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "---\n%s", text)
		}
		return nil
	}
	t := table{header: []string{"PIPELINE", "STAGE", "FIELD", "RESULT", "WHY"}, value: imported{result, coverage}, empty: "nothing was found"}
	for _, i := range result.Report.Items {
		t.rows = append(t.rows, []string{dash(i.Pipeline), dash(i.Stage), dash(i.Path), string(i.Code), i.Text})
	}
	fmt.Fprintln(c.ErrOrStderr(), coverage)
	return t.print(c, output)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// findings is the error of an import that runs cannot do all of.
func findings(report spinnaker.Report) error {
	missing := 0
	for _, i := range report.Items {
		if i.Code == spinnaker.Missing {
			missing++
		}
	}
	kept := report.Coverage().Kept
	if kept+missing == 0 {
		return nil
	}
	return exitCode{exitFindings, fmt.Errorf("%d stages are kept as they are, and fail a run that reaches them; %d things are missing", kept, missing)}
}

func newExport() *cobra.Command {
	c := &cobra.Command{
		Use:     "export",
		Short:   "Give pipelines back to the system that they came from",
		Example: "  weft export spinnaker pipelines.yaml",
	}
	c.AddCommand(newExportSpinnaker())
	return c
}

func newExportSpinnaker() *cobra.Command {
	return &cobra.Command{
		Use:   "spinnaker PIPELINE-FILE",
		Short: "Print the Spinnaker pipelines that pipelines were imported from",
		Long: `Print, as JSON, the Spinnaker pipeline that the Pipeline in a file (- is stdin) was imported from, or a list where the file has more
than one. It gives back what came in: a pipeline that was changed since is refused.`,
		Example: "  weft export spinnaker pipelines.yaml\n  kubectl get pipelines.weft.dev shop-ship -o json | weft export spinnaker -",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			documents, err := readAll(args, c.InOrStdin())
			if err != nil {
				return err
			}
			var all []json.RawMessage
			for _, d := range documents {
				out, err := exported(d)
				if err != nil {
					return fmt.Errorf("%s: %w", d.At(""), err)
				}
				if out != nil {
					all = append(all, out)
				}
			}
			switch len(all) {
			case 0:
				return errors.New(args[0] + ": no Pipeline is in it")
			case 1:
				return printJSON(c.OutOrStdout(), all[0])
			}
			return printJSON(c.OutOrStdout(), all)
		},
	}
}

// exported is Spinnaker's JSON of a document; nil: it is no Pipeline.
func exported(d folder.Document) (json.RawMessage, error) {
	if d.Object["kind"] != "Pipeline" {
		return nil, nil
	}
	text, err := json.Marshal(d.Object)
	if err != nil {
		return nil, err
	}
	p := &v1alpha1.Pipeline{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	return spinnaker.Export(p)
}
