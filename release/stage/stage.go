// Package stage has the kinds of stages of a pipeline, one file a kind: what each
// waits for, does next, and when it has ended.
//
// A kind decides from what it is given and acts by nothing but an action that it
// returns, so it decides the same after a crash. Input: pipeline.StageInput.
// Output: pipeline.StageOutcome. It must not know who stores runs, who does its
// actions, or what other stages do.
package stage

import (
	"encoding/json"

	"weft.dev/release/pipeline"
)

// All are the kinds that have code, by their JSON names. A pipeline with another one cannot begin.
func All() map[string]pipeline.Stage {
	return map[string]pipeline.Stage{
		"wait":         wait{},
		"judgment":     judgment{},
		"check":        check{},
		"variables":    variables{},
		"webhook":      webhook{},
		"pipeline":     call{},
		"release":      shift{},
		"analysis":     analysis{},
		"notify":       tell{},
		"deploy":       deploy{},
		"scale":        scale{},
		"restart":      restart{},
		"delete":       remove{},
		"enable":       enable{},
		"disable":      disable{},
		"undo":         undo{},
		"bake":         render{},
		"apply":        apply{},
		"patch":        patch{},
		"runJob":       runJob{},
		"findArtifact": find{},
		"unsupported":  unsupported{},
	}
}

// blind is a kind that has to see nothing.
type blind struct{}

func (blind) Looks(pipeline.StageInput) []pipeline.Look { return nil }

func failed(why string) pipeline.StageOutcome {
	return pipeline.StageOutcome{Phase: pipeline.Failed, Why: why}
}

func cancelled(why string) pipeline.StageOutcome {
	return pipeline.StageOutcome{Phase: pipeline.Cancelled, Why: why}
}

func accepted(d pipeline.Decision) pipeline.Answer {
	return pipeline.Answer{Decision: d.Name, Accepted: true}
}

func refused(d pipeline.Decision, why string) pipeline.Answer {
	return pipeline.Answer{Decision: d.Name, Why: why}
}

// pending reports whether nobody knows yet how the action went.
func pending(o *pipeline.Open) bool { return o != nil && o.Result == nil && !o.Unknown }

// encode is for values that have a JSON form: another one is our own mistake.
func encode(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		panic("stage: " + err.Error())
	}
	return out
}
