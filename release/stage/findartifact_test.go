package stage

import (
	"encoding/json"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestFindArtifact(t *testing.T) {
	in := input(t, &v1alpha1.FindArtifactStage{Image: &v1alpha1.FindImage{Repository: "r.example.com/shop", Tag: "${params.version}.*"}})
	run := input(t, &v1alpha1.FindArtifactStage{Run: &v1alpha1.FindRun{Pipeline: "build", Stage: "image"}})
	outputs := map[string]json.RawMessage{"tag": json.RawMessage(`"v2"`), "n": json.RawMessage("7")}
	for what, c := range map[string]struct {
		in   pipeline.StageInput
		want string
	}{
		"first":     {in, "Running: looks for a tag of r.example.com/shop"},
		"of a run":  {run, "Running: looks for a run of build"},
		"no answer": {blinded(in, found), "Running: looks for a tag of r.example.com/shop refused"},
		"none":      {saw(in, found, pipeline.ArtifactSeen{Refused: "no tag matches"}), "Failed: no tag matches"},
		"found":     {saw(in, found, pipeline.ArtifactSeen{Text: "shop:v2", Outputs: outputs}), `Succeeded: shop:v2 {"n":7,"tag":"v2"}`},
		"end":       {mustEnd(in), "Cancelled: cancelled by bob"},
	} {
		t.Run(what, func(t *testing.T) { want(t, find{}.Next(c.in), c.want) })
	}
	look := find{}.Looks(in)[0]
	if c := dataOf[v1alpha1.FindArtifactStage](t, look.Data); look.Kind != pipeline.SeeArtifact || look.Key != found || c.Image.Tag != "v2.*" {
		t.Errorf("%+v %+v", look, c)
	}
}
