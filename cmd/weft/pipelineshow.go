package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/trigger"
)

// showPipeline shows what starts a pipeline by itself. It is NotFound where there is no such pipeline.
func showPipeline(c *cobra.Command, name, output string) error {
	pipelines, err := objectsOf[v1alpha1.Pipeline](c, api.Pipeline)
	if err != nil {
		return err
	}
	p, err := pipelines.get(c.Context(), name)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is neither a run nor a pipeline %s in namespace %s: see weft pipeline list, and runs", name, pipelines.namespace)
	}
	if err != nil {
		return err
	}
	t := table{header: []string{"TRIGGER", "KIND", "STATE", "NEXT", "RUN", "WHY"}, value: p, empty: "nothing starts it by itself"}
	for _, row := range triggerRows(p) {
		t.rows = append(t.rows, row[:])
	}
	return t.print(c, output)
}

// triggerRows are the triggers of a pipeline, with what the server says of each.
func triggerRows(p *v1alpha1.Pipeline) (rows [][6]string) {
	seen := map[string]v1alpha1.TriggerStatus{}
	for _, s := range p.Status.Triggers {
		seen[s.Name] = s
	}
	for i := range p.Spec.Triggers {
		t := &p.Spec.Triggers[i]
		s, known := seen[t.Name]
		state := "on"
		switch {
		case p.Spec.Disabled:
			state = "pipeline disabled"
		case t.Disabled:
			state = "disabled"
		case !known:
			state = "not looked at yet"
		}
		rows = append(rows, [6]string{t.Name, trigger.Kind(t), state, moment(s.Next), cmp.Or(s.Run, "-"), s.Why})
	}
	return rows
}
