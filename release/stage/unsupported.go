package stage

import (
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// unsupported fails: an importer kept the stage, and nobody knows how to run it.
// Failing is honest where skipping it would release what was never tested.
type unsupported struct{ blind }

func (unsupported) Next(in pipeline.StageInput) pipeline.StageOutcome {
	if in.Cancel != "" {
		return cancelled(in.Cancel)
	}
	return failed(fmt.Sprintf("stages of type %q cannot run here: replace it, or take it out", in.Config.(*v1alpha1.UnsupportedStage).Type))
}
