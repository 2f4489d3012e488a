package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
)

func newPipelineLock() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:     "lock PIPELINE",
		Short:   "Let no run of a pipeline begin; those that have go on",
		Example: "  weft pipeline lock ship --reason 'the load test runs'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if reason == "" {
				return exitCode{exitUsage, fmt.Errorf("--reason: say why, for those who want to run it")}
			}
			return setLocked(c, args[0], reason, "is locked (undo: weft pipeline unlock "+args[0]+")")
		},
	}
	reasonFlag(c, &reason)
	return c
}

func newPipelineUnlock() *cobra.Command {
	return &cobra.Command{
		Use:     "unlock PIPELINE",
		Short:   "Let runs of a pipeline begin again",
		Example: "  weft pipeline unlock ship",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return setLocked(c, args[0], nil, "is not locked (undo: weft pipeline lock "+args[0]+" --reason ...)")
		},
	}
}

// setLocked sets spec.locked to a text, or to nil: not locked.
func setLocked(c *cobra.Command, name string, locked any, done string) error {
	pipelines, err := objectsOf[v1alpha1.Pipeline](c, api.Pipeline)
	if err != nil {
		return err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"locked": locked}})
	if err != nil {
		return err
	}
	if err := pipelines.patch(c.Context(), name, patch); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "pipeline/%s %s\n", name, done)
	return nil
}
