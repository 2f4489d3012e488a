package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func newPipeline() *cobra.Command {
	c := &cobra.Command{
		Use:   "pipeline",
		Short: "Run pipelines, see how they go, and decide in them",
		Example: `  weft pipeline run ship -p version=v2 --wait
  weft approve ship-x7k2p`,
	}
	namespaceFlag(c, "namespace of the pipeline")
	c.AddCommand(newPipelineCheck(), newPipelineRun(), newPipelineList(), newPipelineRuns(), newPipelineShow(), newPipelineWatch(), newPipelineCancel(), newPipelineLock(), newPipelineUnlock(),
		newStageDecision(pipeline.Retry, "Try a stage again that failed, or of which nobody knows whether it acted"),
		newStageDecision(pipeline.Skip, "Let a stage that waits wait no more"))
	return c
}

func newPipelineRun() *cobra.Command {
	var given []string
	var name string
	var wait bool
	c := &cobra.Command{
		Use:   "run PIPELINE",
		Short: "Start a run of a pipeline",
		Long: `Start a run of a pipeline. It keeps the pipeline as it is when its turn comes.

With --wait: exit code 0 when the run has succeeded, 2 when it failed, was cancelled or waits for a person.`,
		Example: "  weft pipeline run ship -p version=v2 -p region=eu --wait",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			parameters, err := parseParameters(given)
			if err != nil {
				return err
			}
			runs, err := objectsOf[v1alpha1.PipelineRun](c, api.PipelineRun)
			if err != nil {
				return err
			}
			made, err := startRun(c, runs, name, v1alpha1.PipelineRunSpec{Pipeline: args[0], Parameters: parameters})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "pipelinerun/%s started (undo: weft pipeline cancel %s)\n", made.Name, made.Name)
			if !wait {
				return nil
			}
			return followRun(c, runs, made.Name)
		},
	}
	c.Flags().StringArrayVarP(&given, "parameter", "p", nil, "NAME=VALUE of a parameter (repeatable)")
	c.Flags().StringVar(&name, "name", "", "name of the run, of which there is one (default: the pipeline's, with some letters)")
	c.Flags().BoolVar(&wait, "wait", false, "print what happens until the run ends or waits for a person")
	return c
}

// startRun makes a run in the name of who asks; without a name it gets one.
func startRun(c *cobra.Command, runs objects[v1alpha1.PipelineRun], name string, spec v1alpha1.PipelineRunSpec) (*v1alpha1.PipelineRun, error) {
	me, err := signature(c)
	if err != nil {
		return nil, err
	}
	spec.Trigger = v1alpha1.TriggerFact{Type: pipeline.Manual, By: me.By, Groups: me.Groups}
	return runs.create(c.Context(), &v1alpha1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: runs.namespace, Name: name, GenerateName: spec.Pipeline + "-"}, Spec: spec,
	})
}

func parseParameters(given []string) (map[string]v1alpha1.Value, error) {
	all := map[string]v1alpha1.Value{}
	for _, one := range given {
		name, value, ok := strings.Cut(one, "=")
		if _, twice := all[name]; !ok || name == "" || twice {
			return nil, exitCode{exitUsage, fmt.Errorf("-p %s: want NAME=VALUE, each name once", one)}
		}
		all[name] = v1alpha1.Value(value)
	}
	return all, nil
}

// pipelineRow is a pipeline and its newest run.
type pipelineRow struct {
	Pipeline    string            `json:"pipeline"`
	Application string            `json:"application,omitempty"`
	Stages      int               `json:"stages"`
	Run         string            `json:"run,omitempty"`
	Phase       v1alpha1.RunPhase `json:"phase,omitempty"`
	Why         string            `json:"why,omitempty"`
}

func newPipelineList() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the pipelines and their newest run",
		Example: "  weft pipeline list -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := pipelineRows(c)
			if err != nil {
				return err
			}
			t := table{header: []string{"PIPELINE", "APPLICATION", "STAGES", "RUN", "PHASE", "WHY"}, value: rows, empty: "no pipelines"}
			for _, r := range rows {
				t.rows = append(t.rows, []string{r.Pipeline, r.Application, fmt.Sprint(r.Stages), r.Run, string(r.Phase), r.Why})
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

func pipelineRows(c *cobra.Command) ([]pipelineRow, error) {
	pipelines, err := objectsOf[v1alpha1.Pipeline](c, api.Pipeline)
	if err != nil {
		return nil, err
	}
	all, err := pipelines.list(c.Context())
	if err != nil {
		return nil, err
	}
	runs, err := runsOf(c, "")
	if err != nil {
		return nil, err
	}
	rows := make([]pipelineRow, 0, len(all))
	for _, p := range all {
		row := pipelineRow{Pipeline: p.Name, Application: p.Spec.Application, Stages: len(p.Spec.Stages)}
		newest := slices.IndexFunc(runs, func(r *v1alpha1.PipelineRun) bool { return r.Spec.Pipeline == p.Name })
		if newest >= 0 {
			row.Run, row.Phase, row.Why = runs[newest].Name, runs[newest].Status.Phase, runs[newest].Status.Why
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// runsOf are those of a pipeline, or of all, newest first.
func runsOf(c *cobra.Command, name string) ([]*v1alpha1.PipelineRun, error) {
	runs, err := objectsOf[v1alpha1.PipelineRun](c, api.PipelineRun)
	if err != nil {
		return nil, err
	}
	all, err := runs.list(c.Context())
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r *v1alpha1.PipelineRun) bool { return name != "" && r.Spec.Pipeline != name })
	slices.SortFunc(all, func(a, b *v1alpha1.PipelineRun) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func newPipelineRuns() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "runs [PIPELINE]",
		Short:   "List the runs, newest first",
		Example: "  weft pipeline runs ship",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := runsOf(c, strings.Join(args, ""))
			if err != nil {
				return err
			}
			t := table{header: []string{"RUN", "PIPELINE", "BY", "STARTED", "PHASE", "WHY"}, value: all, empty: "no runs"}
			for _, r := range all {
				t.rows = append(t.rows, []string{
					r.Name, r.Spec.Pipeline, r.Spec.Trigger.By, moment(r.Status.Started), string(r.Status.Phase), r.Status.Why,
				})
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

// moment is a time as people here read it; "" for none.
func moment(t *metav1.MicroTime) string {
	if t == nil {
		return ""
	}
	return date(&t.Time)
}

// date is the same of another kind of time.
func date(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
