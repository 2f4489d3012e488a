package stage

import (
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestBake(t *testing.T) {
	in := input(t, &v1alpha1.BakeStage{
		Kind: "helm", Repository: "https://git.example/${params.version}.git", Revision: "${params.version}",
		Values: "tag: ${params.version}", Set: map[string]v1alpha1.Value{"a": "${params.version}"},
	})
	made := &pipeline.Result{OK: true, Text: "2 objects", Data: encode(pipeline.Made{Manifests: []string{"b-1"}, Objects: 2, Images: []string{"shop:v2"}, Revision: "c0ffee"})}
	unknown := with(in, pipeline.Bake, nil)
	unknown.Open.Unknown = true
	for what, c := range map[string]struct {
		in   pipeline.StageInput
		want string
	}{
		"first":       {in, "Running: bakes helm of git.example at v2 [bake/render]"},
		"under way":   {with(in, pipeline.Bake, nil), "Running: bakes helm of git.example at v2 [bake/render]"},
		"made":        {with(in, pipeline.Bake, made), `Succeeded: 2 objects {"manifests":["b-1"],"objects":2,"images":["shop:v2"],"revision":"c0ffee"}`},
		"refused":     {with(in, pipeline.Bake, &pipeline.Result{Text: "no chart"}), "Failed: no chart"},
		"end":         {mustEnd(in), "Cancelled: cancelled by bob"},
		"end, baking": {mustEnd(with(in, pipeline.Bake, nil)), "Cancelled: cancelled by bob"},
		"unknown":     {unknown, "Failed: it is not known what the bake gave: retry it"},
	} {
		t.Run(what, func(t *testing.T) { want(t, render{}.Next(c.in), c.want) })
	}
	act := render{}.Next(in).Act
	if c := dataOf[v1alpha1.BakeStage](t, act.Data); !act.Safe || c.Repository != "https://git.example/v2.git" || c.Revision != "v2" || c.Values != "tag: v2" || c.Set["a"] != "v2" {
		t.Errorf("%+v %+v", act, c)
	}
}
