package stage

import (
	"fmt"

	"weft.dev/release/pipeline"
)

// deed is one change that is safe to repeat. The stage ends when it is to be seen, and does not take it back.
type deed struct {
	what string // "scale of reviews v2"
	kind string // of the action
	data any
	see  func(pipeline.StageInput) pipeline.StageOutcome // how the stage stands after it
}

func (d deed) next(in pipeline.StageInput) pipeline.StageOutcome {
	switch open := in.Open; {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case in.Cancel != "":
		return cancelled(fmt.Sprintf("%s; %s is not taken back", in.Cancel, d.what))
	case open == nil || pending(open):
		return d.act()
	case open.Result != nil && !open.Result.OK:
		return failed(open.Result.Text)
	}
	return d.see(in)
}

func (d deed) act() pipeline.StageOutcome {
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: d.what, Act: &pipeline.Action{Kind: d.kind, Safe: true, Data: encode(d.data)}}
}
