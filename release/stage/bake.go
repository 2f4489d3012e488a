package stage

import (
	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// render makes manifests of what is in Git. Outputs: pipeline.Made.
type render struct{ blind }

func (render) Next(in pipeline.StageInput) pipeline.StageOutcome {
	switch open := in.Open; {
	case in.Cancel != "": // a bake that goes on changes nothing
		return cancelled(in.Cancel)
	case open == nil || pending(open):
		c := in.Config.(*v1alpha1.BakeStage)
		return pipeline.StageOutcome{
			Phase: pipeline.Running, Why: "bakes " + c.Kind + " of " + hostOf(c.Repository) + " at " + c.Revision,
			Act: &pipeline.Action{Kind: pipeline.Bake, Safe: true, Data: encode(c)},
		}
	case open.Unknown:
		return failed("it is not known what the bake gave: retry it")
	case !open.Result.OK:
		return failed(open.Result.Text)
	default:
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: open.Result.Text, Outputs: open.Result.Data}
	}
}
