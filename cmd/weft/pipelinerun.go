package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func newPipelineShow() *cobra.Command {
	var output *string
	c := &cobra.Command{
		Use:     "show RUN|PIPELINE",
		Short:   "Show the stages of a run, and what it waits for; or what starts a pipeline by itself, and when",
		Example: "  weft pipeline show ship-x7k2p\n  weft pipeline show ship",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			runs, err := objectsOf[v1alpha1.PipelineRun](c, api.PipelineRun)
			if err != nil {
				return err
			}
			run, err := runs.get(c.Context(), args[0])
			if apierrors.IsNotFound(err) {
				return showPipeline(c, args[0], *output)
			}
			if err != nil {
				return err
			}
			t := table{header: []string{"STAGE", "PHASE", "ATTEMPT", "STARTED", "TOOK", "WHY"}, value: run, empty: "no stage has started"}
			for _, s := range run.Status.Stages {
				t.rows = append(t.rows, []string{s.Name, s.Phase, fmt.Sprint(s.Attempt), moment(s.Started), took(s), s.Why})
			}
			if *output == "table" {
				fmt.Fprintln(c.OutOrStdout(), summary(run))
			}
			return t.print(c, *output)
		},
	}
	output = outputFlag(c)
	return c
}

// summary is a run in one line.
func summary(r *v1alpha1.PipelineRun) string {
	text := fmt.Sprintf("%s of %s: %s", r.Name, r.Spec.Pipeline, cmp.Or(string(r.Status.Phase), "not looked at yet"))
	if r.Spec.Trigger.By != "" {
		text += ", started by " + r.Spec.Trigger.By
	}
	if r.Status.Why != "" {
		text += ": " + r.Status.Why
	}
	return text
}

func took(s v1alpha1.StageStatus) string {
	if s.Started == nil || s.Ended == nil {
		return ""
	}
	return s.Ended.Sub(s.Started.Time).Round(time.Millisecond).String()
}

func newPipelineWatch() *cobra.Command {
	return &cobra.Command{
		Use:     "watch RUN",
		Short:   "Print what happens in a run until it ends or waits for a person",
		Long:    "Print what happens in a run until it ends or waits for a person. Exit code as for `weft pipeline run --wait`.",
		Example: "  weft pipeline watch ship-x7k2p",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			runs, err := objectsOf[v1alpha1.PipelineRun](c, api.PipelineRun)
			if err != nil {
				return err
			}
			return followRun(c, runs, args[0])
		},
	}
}

// followRun prints the events of a run, and what its stages say meanwhile, until it ends or waits for a person.
func followRun(c *cobra.Command, runs objects[v1alpha1.PipelineRun], name string) error {
	var printed int64
	said := map[string]string{}
	return poll(c.Context(), func() (bool, error) {
		run, err := runs.get(c.Context(), name)
		if err != nil {
			return false, err
		}
		printed = printEvents(c.OutOrStdout(), run.Status.Events, printed)
		printWhys(c.OutOrStdout(), run.Status.Stages, said)
		switch run.Status.Phase {
		case v1alpha1.RunSucceeded:
			return true, nil
		case v1alpha1.RunAsking:
			return true, exitCode{exitFindings, fmt.Errorf("run %s waits for a person at %s: weft approve %s", name, strings.Join(asking(run), ", "), name)}
		case v1alpha1.RunFailed, v1alpha1.RunCancelled:
			return true, exitCode{exitFindings, fmt.Errorf("run %s: %s: %s", name, run.Status.Phase, run.Status.Why)}
		}
		return false, nil
	})
}

// printEvents prints those after one, and says which the last one is.
func printEvents(out io.Writer, events []v1alpha1.RunEvent, after int64) int64 {
	for _, e := range events {
		if e.Seq <= after {
			continue
		}
		after = e.Seq
		words := slices.DeleteFunc([]string{e.Time.Local().Format("15:04:05.000"), e.Stage, e.Kind, e.Text}, func(s string) bool { return s == "" })
		fmt.Fprintln(out, strings.Join(words, "  "))
	}
	return after
}

// printWhys prints what stages go on with or wait for, each only where it says something new.
func printWhys(out io.Writer, stages []v1alpha1.StageStatus, said map[string]string) {
	for _, s := range stages {
		if s.Ended != nil || s.Phase == string(pipeline.Asking) || s.Why == "" || said[s.Name] == s.Why {
			continue
		}
		said[s.Name] = s.Why
		fmt.Fprintf(out, "%s  %s  %s\n", time.Now().Format("15:04:05.000"), s.Name, s.Why)
	}
}

// asking are the stages that wait for a person.
func asking(r *v1alpha1.PipelineRun) []string {
	var all []string
	for _, s := range r.Status.Stages {
		if s.Phase == string(pipeline.Asking) {
			all = append(all, s.Name)
		}
	}
	return all
}
