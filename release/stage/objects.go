package stage

import (
	"encoding/json"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// scalable are the kinds of objects that have instances.
var scalable = []string{"Deployment", "StatefulSet"}

// touch changes objects, and ends when they are as they were told to be. Outputs: kind, name or selector, objects.
type touch struct {
	verb, kind string // of the action
	target     v1alpha1.ObjectTarget
	kinds      []string                     // that can be; none: all
	gone       bool                         // they have ended then
	data       func(pipeline.ObjectRef) any // nil: the ref
	wrong      error                        // with what the stage says besides
}

func (t touch) ref(in pipeline.StageInput) (pipeline.ObjectRef, error) {
	ref, err := refOf(in.Run.Namespace, t.target, t.kinds...)
	if err == nil {
		err = t.wrong
	}
	return ref, err
}

func (t touch) looks(in pipeline.StageInput) []pipeline.Look {
	ref, err := t.ref(in)
	if err != nil || in.Open == nil || pending(in.Open) {
		return nil // Next says so
	}
	what := pipeline.ObjectLook{Object: ref}
	if t.gone {
		what.Before = in.Open.At
	}
	return []pipeline.Look{{Key: after, Kind: pipeline.SeeObject, Data: encode(what), Every: seesEvery}}
}

func (t touch) next(in pipeline.StageInput) pipeline.StageOutcome {
	ref, err := t.ref(in)
	if err != nil && in.Cancel == "" {
		return failed(err.Error())
	}
	d := deed{what: t.verb + " of " + ref.String(), kind: t.kind, data: ref, see: func(in pipeline.StageInput) pipeline.StageOutcome { return t.see(in, ref) }}
	if t.data != nil {
		d.data = t.data(ref)
	}
	return d.next(in)
}

// see is how the stage stands by what is seen after the action.
func (t touch) see(in pipeline.StageInput, ref pipeline.ObjectRef) pipeline.StageOutcome {
	fact, known := in.Facts[after]
	var seen pipeline.ObjectSeen
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil {
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace(fmt.Sprintf("does not see %s yet %s", ref, fact.Err))}
	}
	out := pipeline.StageOutcome{Phase: pipeline.Running, Why: fmt.Sprintf("%s: %d are there", ref, seen.Objects)}
	switch {
	case t.gone && seen.Objects > 0:
		return out
	case !t.gone && seen.Objects == 0:
		return failed(fmt.Sprintf("%s: it was deleted meanwhile", ref))
	case !t.gone && seen.Failed:
		return failed(fmt.Sprintf("%s: %s", ref, seen.Why))
	case !t.gone && !seen.Ready:
		out.Why = fmt.Sprintf("%s: %s", ref, seen.Why)
		return out
	}
	out.Phase, out.Why, out.Outputs = pipeline.Succeeded, t.verb+" of "+ref.String(), t.outputs(in, ref, seen)
	return out
}

func (t touch) outputs(in pipeline.StageInput, ref pipeline.ObjectRef, seen pipeline.ObjectSeen) json.RawMessage {
	outputs := map[string]any{"kind": ref.Kind, "objects": seen.Objects}
	if ref.Name != "" {
		outputs["name"] = ref.Name
	} else {
		outputs["selector"] = ref.Selector
	}
	return encode(outputs)
}
