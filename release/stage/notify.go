package stage

import (
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// tell has people told something. Where nobody knows whether they were, they are told again.
type tell struct{ blind }

func (tell) Next(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.NotifyStage)
	switch open := in.Open; {
	case open != nil && open.Result != nil && open.Result.OK:
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: open.Result.Text}
	case open != nil && open.Result != nil:
		return failed(open.Result.Text)
	case in.Cancel != "":
		return cancelled(in.Cancel)
	}
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: "tells", Act: &pipeline.Action{
		Kind: pipeline.Notify, Safe: true,
		Data: encode(pipeline.NotifyWork{Pipeline: in.Run.Pipeline, To: c.To, Title: fmt.Sprintf("%s, %s", in.Run.Name, in.Name), Text: c.Text}),
	}}
}
