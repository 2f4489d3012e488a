package stage

import (
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// wait lets time pass, from the start of the stage on. A person may skip it.
type wait struct{ blind }

func (wait) Next(in pipeline.StageInput) pipeline.StageOutcome {
	length := in.Config.(*v1alpha1.WaitStage).For
	d, err := time.ParseDuration(length)
	until := in.Started.Add(d)
	switch {
	case in.Cancel != "":
		return cancelled(in.Cancel)
	case err != nil || d < 0:
		return failed(fmt.Sprintf("for: %q is no duration: write it as 90s, 10m or 1h30m", length))
	case !in.Now.Before(until):
		return pipeline.StageOutcome{Phase: pipeline.Succeeded}
	}
	for _, decision := range in.Decisions {
		if decision.Verb == pipeline.Skip {
			return pipeline.StageOutcome{
				Phase: pipeline.Succeeded, Why: "skipped by " + decision.By, Answers: []pipeline.Answer{accepted(decision)},
			}
		}
	}
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: "waits until " + until.UTC().Format(time.RFC3339), Wake: until}
}
