package stage

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"weft.dev/release/pipeline"
)

// watched is the key of the look at a child, seen so often.
const (
	watched    = "child"
	watchEvery = 2 * time.Second
)

// child is an object that a stage makes once, and that ends by itself: how to make
// and see one, and how to end it early. It is taken back when the stage has to end.
type child struct {
	noun              string
	create, end, look string // kinds of actions and looks
	read              func(json.RawMessage) (sight, error)
}

// sight is what there is of a child.
type sight struct {
	missing bool
	phase   pipeline.StagePhase // as the stage would be
	why     string
}

func (c child) looks(in pipeline.StageInput) []pipeline.Look {
	if !c.made(in.Open) {
		return nil
	}
	return []pipeline.Look{{Key: watched, Kind: c.look, Data: encode(pipeline.Child{Name: nameOf(in)}), Every: watchEvery}}
}

// made reports whether there may be a child to look at.
func (c child) made(open *pipeline.Open) bool {
	return open != nil && (open.Kind != c.create || open.Unknown || open.Result != nil && open.Result.OK)
}

func nameOf(in pipeline.StageInput) string { return pipeline.ChildName(in.Run, in.Name, in.Attempt) }

// next makes the child from work, and ends as it does.
func (c child) next(in pipeline.StageInput, work any) pipeline.StageOutcome {
	open := in.Open
	switch {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case open == nil || open.Kind == c.create && pending(open) && in.Cancel == "":
		return pipeline.StageOutcome{
			Phase: pipeline.Running, Why: fmt.Sprintf("makes %s %s", c.noun, nameOf(in)),
			Act: &pipeline.Action{Kind: c.create, Safe: true, Data: encode(work)},
		}
	case open.Kind == c.create && open.Result != nil && !open.Result.OK:
		return failed(fmt.Sprintf("%s is not made: %s", c.noun, open.Result.Text))
	}
	fact, known := in.Facts[watched]
	if !known || fact.Err != "" {
		why := fmt.Sprintf("does not see %s %s yet %s", c.noun, nameOf(in), fact.Err)
		return c.back(in, pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace(why)})
	}
	seen, err := c.read(fact.Data)
	if err != nil {
		return failed(fmt.Sprintf("%s %s: %v", c.noun, nameOf(in), err))
	}
	return c.follow(in, seen)
}

// follow is how the stage stands when its child stands so.
func (c child) follow(in pipeline.StageInput, seen sight) pipeline.StageOutcome {
	out := pipeline.StageOutcome{Phase: seen.phase, Why: fmt.Sprintf("%s %s: %s", c.noun, nameOf(in), seen.why)}
	switch {
	case seen.missing && in.Cancel != "":
		return cancelled(fmt.Sprintf("%s; there is no %s %s", in.Cancel, c.noun, nameOf(in)))
	case seen.missing:
		return failed(fmt.Sprintf("%s %s was deleted", c.noun, nameOf(in)))
	case seen.phase.Live():
		return c.back(in, out)
	case in.Cancel != "" && seen.phase != pipeline.Succeeded:
		out.Phase = pipeline.Cancelled
	}
	return out
}

// back is out, with the action that ends the child where the stage has to end.
func (c child) back(in pipeline.StageInput, out pipeline.StageOutcome) pipeline.StageOutcome {
	if in.Cancel == "" {
		return out
	}
	out.Phase = pipeline.Running
	if in.Open.Kind != c.end || pending(in.Open) {
		out.Act = &pipeline.Action{Kind: c.end, Safe: true, Data: encode(pipeline.Child{Name: nameOf(in)})}
	} else if in.Open.Result != nil && !in.Open.Result.OK {
		out.Why = fmt.Sprintf("%s %s cannot be ended: %s", c.noun, nameOf(in), in.Open.Result.Text)
	}
	return out
}
