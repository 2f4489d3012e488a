package main

import (
	"context"
	"errors"
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

func newApprove() *cobra.Command {
	var choice string
	c := newJudgment("approve", "Say that a run that waits for a person may go on", &choice)
	c.Flags().StringVar(&choice, "choice", "continue", "one of the options that the stage offers")
	return c
}

func newReject() *cobra.Command {
	choice := "stop"
	return newJudgment("reject", "Say that a run that waits for a person must not go on", &choice)
}

// newJudgment is a command that judges a stage which asks.
func newJudgment(verb, short string, choice *string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   verb + " RUN [STAGE]",
		Short: short,
		Long: short + `. What you say is written in your name; the server knows who you are and in which
groups, and refuses who started the run, unless the stage allows that, and who is in none of the groups that it names.
Without STAGE it is the one that asks.

Exit code 77 when it was refused.`,
		Example: "  weft " + verb + " ship-x7k2p\n  weft --kubeconfig bob.kubeconfig " + verb + " ship-x7k2p ask --reason 'looked at the graphs'",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			run, err := findRun(c, args[0])
			if err != nil {
				return err
			}
			stage, err := askingStage(run, args[1:])
			if err != nil {
				return err
			}
			return decide(c, run, v1alpha1.DecisionSpec{Verb: pipeline.Judge, Stage: stage.Name, Attempt: stage.Attempt, Choice: *choice, Reason: reason})
		},
	}
	namespaceFlag(c, "namespace of the run")
	reasonFlag(c, &reason)
	return c
}

func reasonFlag(c *cobra.Command, reason *string) {
	c.Flags().StringVar(reason, "reason", "", "why, for who reads the record")
}

func newPipelineCancel() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:     "cancel RUN",
		Short:   "End a run: what is half done is taken back",
		Example: "  weft pipeline cancel ship-x7k2p --reason 'wrong version'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			run, err := findRun(c, args[0])
			if err != nil {
				return err
			}
			return decide(c, run, v1alpha1.DecisionSpec{Verb: pipeline.Cancel, Reason: reason})
		},
	}
	reasonFlag(c, &reason)
	return c
}

// newStageDecision is a command that decides about a stage as it stands.
func newStageDecision(verb, short string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:     verb + " RUN STAGE",
		Short:   short,
		Example: "  weft pipeline " + verb + " ship-x7k2p call",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			run, err := findRun(c, args[0])
			if err != nil {
				return err
			}
			stage, err := stageOf(run, args[1])
			if err != nil {
				return err
			}
			return decide(c, run, v1alpha1.DecisionSpec{Verb: verb, Stage: stage.Name, Attempt: stage.Attempt, Reason: reason})
		},
	}
	reasonFlag(c, &reason)
	return c
}

func findRun(c *cobra.Command, name string) (*v1alpha1.PipelineRun, error) {
	runs, err := objectsOf[v1alpha1.PipelineRun](c, api.PipelineRun)
	if err != nil {
		return nil, err
	}
	return runs.get(c.Context(), name)
}

func stageOf(run *v1alpha1.PipelineRun, name string) (v1alpha1.StageStatus, error) {
	i := slices.IndexFunc(run.Status.Stages, func(s v1alpha1.StageStatus) bool { return s.Name == name })
	if i < 0 {
		return v1alpha1.StageStatus{}, fmt.Errorf("run %s: stage %q has not started, or there is none; weft pipeline show %s lists them", run.Name, name, run.Name)
	}
	return run.Status.Stages[i], nil
}

// askingStage is the named one, or the one that asks.
func askingStage(run *v1alpha1.PipelineRun, named []string) (v1alpha1.StageStatus, error) {
	if len(named) > 0 {
		return stageOf(run, named[0])
	}
	switch all := asking(run); len(all) {
	case 1:
		return stageOf(run, all[0])
	case 0:
		return v1alpha1.StageStatus{}, fmt.Errorf("run %s waits for nobody: it is %s", run.Name, run.Status.Phase)
	default:
		return v1alpha1.StageStatus{}, exitCode{exitUsage, fmt.Errorf("run %s waits for a person at several stages: name one of %s", run.Name, strings.Join(all, ", "))}
	}
}

// answerTime is how long the answer to a decision is waited for.
const answerTime = 5 * time.Second

// decide writes a decision, waits for what becomes of it, and says so.
func decide(c *cobra.Command, run *v1alpha1.PipelineRun, spec v1alpha1.DecisionSpec) error {
	if err := writeDecision(c, run, spec); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "pipelinerun/%s: %s accepted%s\n", run.Name, spec.Verb, undoOf(run, spec.Verb))
	return nil
}

// writeDecision returns once the decision counts; an error says why it does not.
func writeDecision(c *cobra.Command, run *v1alpha1.PipelineRun, spec v1alpha1.DecisionSpec) error {
	decisions, err := objectsOf[v1alpha1.Decision](c, api.Decision)
	if err != nil {
		return err
	}
	decisions.namespace = run.Namespace
	me, err := signature(c)
	if err != nil {
		return err
	}
	spec.Run, spec.RunUID, spec.By, spec.Groups = run.Name, string(run.UID), me.By, me.Groups
	made, err := decisions.create(c.Context(), &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, GenerateName: run.Name + "-" + spec.Verb + "-"}, Spec: spec,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), answerTime)
	defer cancel()
	var answer v1alpha1.DecisionStatus
	err = poll(ctx, func() (bool, error) {
		now, err := decisions.get(ctx, made.Name)
		if err != nil {
			return false, err
		}
		answer = now.Status
		return answer.Accepted != nil, nil
	})
	switch {
	case c.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return exitCode{exitNoServer, fmt.Errorf("decision %s is written, and nobody has looked at it yet; weft pipeline show %s says what becomes of the run", made.Name, run.Name)}
	case err != nil:
		return err
	case !*answer.Accepted:
		return exitCode{exitDenied, fmt.Errorf("run %s: %s refused: %s", run.Name, spec.Verb, answer.Why)}
	}
	return nil
}

// undoOf says how to take a decision back.
func undoOf(run *v1alpha1.PipelineRun, verb string) string {
	if verb == pipeline.Cancel {
		return fmt.Sprintf(" (a cancelled run stays so; start another: weft pipeline run %s)", run.Spec.Pipeline)
	}
	return fmt.Sprintf(" (undo: weft pipeline cancel %s)", run.Name)
}
