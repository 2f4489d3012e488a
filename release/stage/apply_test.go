package stage

import (
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestApply(t *testing.T) {
	in := input(t, &v1alpha1.ApplyStage{Manifests: "kind: ${params.version}", From: "bake"})
	want(t, apply{}.Next(in), "Failed: from: there is no stage bake before this one that has an output manifests: name it in after, too")
	in.Env["stages"].(map[string]any)["bake"] = map[string]any{"outputs": map[string]any{"manifests": []any{"b-1"}}}
	out := apply{}.Next(in)
	want(t, out, "Running: applies [objects/apply]")
	if work := dataOf[pipeline.ObjectsWork](t, out.Act.Data); work.Manifests != "kind: v2" || len(work.Blobs) != 1 || !out.Act.Safe {
		t.Errorf("%+v", work)
	}
	want(t, apply{}.Next(input(t, &v1alpha1.ApplyStage{Manifests: " "})), "Failed: it has nothing to apply: give manifests, or from, the stage that makes them")

	want(t, apply{}.Next(with(in, pipeline.ApplyObjects, nil)), "Running: applies [objects/apply]")
	want(t, apply{}.Next(with(in, pipeline.ApplyObjects, &pipeline.Result{Text: "no"})), "Failed: no")
	unknown := in
	unknown.Open = &pipeline.Open{Kind: pipeline.ApplyObjects, Unknown: true}
	want(t, apply{}.Next(unknown), "Failed: it is not known what was applied: retry it")
	want(t, apply{}.Next(with(in, pipeline.ApplyObjects, &pipeline.Result{OK: true})), "Failed: it is not known what to wait for: retry it")
}

// TestApplyWaits: it ends when all that has instances is ready, and no sooner.
func TestApplyWaits(t *testing.T) {
	web := pipeline.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	in := with(input(t, &v1alpha1.ApplyStage{}), pipeline.ApplyObjects, &pipeline.Result{
		OK: true, Text: "3 objects applied", Data: encode(pipeline.ObjectsDone{Count: 3, Wait: []pipeline.ObjectRef{web}}),
	})
	looks := apply{}.Looks(in)
	if len(looks) != 1 || dataOf[pipeline.ObjectLook](t, looks[0].Data).Object != web {
		t.Fatalf("%+v", looks)
	}
	want(t, apply{}.Next(in), "Running: does not see Deployment web yet")
	for text, seen := range map[string]pipeline.ObjectSeen{
		"Running: Deployment web: 1 of 2 instances are ready": {Objects: 1, Why: "1 of 2 instances are ready"},
		"Failed: Deployment web: no image":                    {Objects: 1, Why: "no image", Failed: true},
		"Failed: Deployment web was deleted":                  {},
		`Succeeded: 3 objects applied {"objects":3}`:          {Objects: 1, Ready: true},
	} {
		want(t, apply{}.Next(saw(in, looks[0].Key, seen)), text)
	}
	want(t, apply{}.Next(mustEnd(in)), "Cancelled: cancelled by bob; what was applied is not taken back")
}
