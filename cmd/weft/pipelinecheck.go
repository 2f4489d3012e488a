package main

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/release/guard"
	"weft.dev/release/pipeline"
	"weft.dev/release/trigger"
	"weft.dev/web"
)

func newPipelineCheck() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Say what is wrong with the pipelines of a folder, before anybody runs them",
		Long: `Read a folder (*.yaml, *.yml, *.json, *.jsonnet) and say what would stop a run of its pipelines: fields that there are not,
stages that wait for each other, kinds that do not run, expressions that are none, triggers that would start nothing. No server is
asked, so whether the Secrets of triggers are there, ` + "`weft pipeline show`" + ` says.

Exit code 2 if something is wrong.`,
		Example: "  weft pipeline check examples/pipelines",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pipelines, found, err := checkPipelines(c, args[0])
			if err != nil {
				return err
			}
			t := table{header: []string{"OBJECT", "CODE", "WHERE", "PROBLEM"}, value: found, empty: fmt.Sprintf("%d pipelines, no problems", pipelines)}
			for _, p := range found {
				t.rows = append(t.rows, []string{objectName(p), p.Code, p.Path, p.Message})
			}
			if err := t.print(c, *output); err != nil || len(found) == 0 {
				return err
			}
			return exitCode{exitFindings, fmt.Errorf("%d problems", len(found))}
		},
	}
	output = outputFlag(c)
	return c
}

// checkPipelines says how many there are, and what is wrong with them and the folder.
func checkPipelines(c *cobra.Command, dir string) (pipelines int, found []web.Problem, err error) {
	with, err := newMachine()
	if err != nil {
		return 0, nil, err
	}
	objects, problems, err := readFolder(c.Context(), dir, slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil)))
	if err != nil {
		return 0, nil, err
	}
	for _, o := range objects {
		spec, isPipeline := o.Spec.(*v1alpha1.PipelineSpec)
		if !isPipeline {
			continue
		}
		pipelines++
		problems = append(problems, wrongWith(o.Namespace, o.Name, spec, with)...)
	}
	return pipelines, web.Problems(problems), nil
}

// wrongWith is what would stop a run of a pipeline.
func wrongWith(namespace, name string, spec *v1alpha1.PipelineSpec, with pipeline.With) (problems []model.Problem) {
	object := model.Key{Kind: string(api.Pipeline), Namespace: namespace, Name: name}
	for _, p := range slices.Concat(pipeline.Check(spec, with), trigger.Check(spec, with.Eval), guard.Check(spec)) {
		problems = append(problems, model.Problem{Object: object, Code: p.Code, Path: p.Path, Message: p.Message})
	}
	return problems
}
