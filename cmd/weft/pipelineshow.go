package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/web"
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
	for _, one := range web.TriggersOf(p) {
		t.rows = append(t.rows, []string{one.Name, one.Kind, one.State, date(one.Next), cmp.Or(one.Run, "-"), one.Why})
	}
	return t.print(c, output)
}
