package stage

import (
	"encoding/json"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// apply makes objects have the fields that manifests say, and waits until their instances
// are ready. What was applied is not taken back. Outputs: objects.
type apply struct{}

// applied is what the action made so; false: it is not known to have been done.
func applied(in pipeline.StageInput) (done pipeline.ObjectsDone, ok bool) {
	if in.Open == nil || in.Open.Result == nil || !in.Open.Result.OK {
		return done, false
	}
	return done, json.Unmarshal(in.Open.Result.Data, &done) == nil
}

func (apply) Looks(in pipeline.StageInput) (all []pipeline.Look) {
	done, _ := applied(in)
	for _, ref := range done.Wait {
		all = append(all, pipeline.Look{Key: keyOf(ref), Kind: pipeline.SeeObject, Data: encode(pipeline.ObjectLook{Object: ref}), Every: seesEvery})
	}
	return all
}

func keyOf(ref pipeline.ObjectRef) string { return ref.APIVersion + " " + ref.Kind + " " + ref.Name }

func (k apply) Next(in pipeline.StageInput) pipeline.StageOutcome {
	open := in.Open
	switch {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case in.Cancel != "":
		return cancelled(in.Cancel + "; what was applied is not taken back")
	case open == nil || pending(open):
		return k.begin(in)
	case open.Unknown:
		return failed("it is not known what was applied: retry it")
	case !open.Result.OK:
		return failed(open.Result.Text)
	}
	done, ok := applied(in)
	if !ok {
		return failed("it is not known what to wait for: retry it")
	}
	for _, ref := range done.Wait {
		if out := stood(in, ref); out.Phase != pipeline.Succeeded {
			return out
		}
	}
	return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: open.Result.Text, Outputs: encode(map[string]int{"objects": done.Count})}
}

func (apply) begin(in pipeline.StageInput) pipeline.StageOutcome {
	c := in.Config.(*v1alpha1.ApplyStage)
	blobs, err := manifestsOf(in.Env, c.From)
	switch {
	case err != nil:
		return failed(err.Error())
	case len(blobs) == 0 && strings.TrimSpace(c.Manifests) == "":
		return failed("it has nothing to apply: give manifests, or from, the stage that makes them")
	}
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: "applies", Act: &pipeline.Action{
		Kind: pipeline.ApplyObjects, Safe: true, Data: encode(pipeline.ObjectsWork{Manifests: c.Manifests, Blobs: blobs}),
	}}
}

// stood is how the stage stands by what is seen of one object.
func stood(in pipeline.StageInput, ref pipeline.ObjectRef) pipeline.StageOutcome {
	name := ref.Kind + " " + ref.Name
	fact, known := in.Facts[keyOf(ref)]
	var seen pipeline.ObjectSeen
	switch {
	case !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace(fmt.Sprintf("does not see %s yet %s", name, fact.Err))}
	case seen.Objects == 0:
		return failed(name + " was deleted")
	case seen.Failed:
		return failed(name + ": " + seen.Why)
	case !seen.Ready:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: name + ": " + seen.Why}
	}
	return pipeline.StageOutcome{Phase: pipeline.Succeeded}
}
