package stage

import (
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// check fails where its expression is not true. It is over at once.
type check struct{ blind }

func (check) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.CheckStage)
	if in.Cancel != "" {
		return cancelled(in.Cancel)
	}
	yes, err := in.Eval.Bool(c.Expression, in.Env)
	switch {
	case err != nil:
		return failed(err.Error())
	case yes:
		return pipeline.StageOutcome{Phase: pipeline.Succeeded}
	case c.Message != "":
		return failed(c.Message)
	}
	return failed(fmt.Sprintf("it is not true: %s", c.Expression))
}
