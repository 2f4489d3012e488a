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
		if what.UIDs = deleted(in); len(what.UIDs) == 0 {
			return nil
		}
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

// deleted are the objects that the action did.
func deleted(in pipeline.StageInput) []string {
	var gone pipeline.ObjectsGone
	if in.Open.Result != nil {
		_ = json.Unmarshal(in.Open.Result.Data, &gone) // one that was refused has none
	}
	return gone.UIDs
}

// see is how the stage stands by what is seen after the action.
func (t touch) see(in pipeline.StageInput, ref pipeline.ObjectRef) pipeline.StageOutcome {
	if t.gone {
		return t.seeGone(in, ref)
	}
	seen, why := objectsSeen(in, ref)
	switch {
	case seen == nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	case seen.Objects == 0:
		return failed(fmt.Sprintf("%s: it was deleted meanwhile", ref))
	case seen.Failed:
		return failed(fmt.Sprintf("%s: %s", ref, seen.Why))
	case !seen.Ready:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: fmt.Sprintf("%s: %s", ref, seen.Why)}
	}
	return t.done(ref, seen.Objects)
}

// seeGone is see for what was deleted.
func (t touch) seeGone(in pipeline.StageInput, ref pipeline.ObjectRef) pipeline.StageOutcome {
	if in.Open.Result == nil {
		return failed("it is not known what was deleted: retry it")
	}
	all := deleted(in)
	if len(all) == 0 {
		return t.done(ref, 0)
	}
	seen, why := objectsSeen(in, ref)
	switch {
	case seen == nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	case seen.Objects > 0:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: fmt.Sprintf("%s: %d of %d are still there", ref, seen.Objects, len(all))}
	}
	return t.done(ref, len(all))
}

func (t touch) done(ref pipeline.ObjectRef, n int) pipeline.StageOutcome {
	return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: t.verb + " of " + ref.String(), Outputs: outputs(ref, n)}
}

// objectsSeen is what there is of the objects; nil: why that is not known.
func objectsSeen(in pipeline.StageInput, ref pipeline.ObjectRef) (*pipeline.ObjectSeen, string) {
	fact, known := in.Facts[after]
	var seen pipeline.ObjectSeen
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil {
		return nil, strings.TrimSpace(fmt.Sprintf("does not see %s yet %s", ref, fact.Err))
	}
	return &seen, ""
}

// outputs are which objects, and how many.
func outputs(ref pipeline.ObjectRef, n int) json.RawMessage {
	outputs := map[string]any{"kind": ref.Kind, "objects": n}
	if ref.Name != "" {
		outputs["name"] = ref.Name
	} else {
		outputs["selector"] = ref.Selector
	}
	return encode(outputs)
}
