package stage

import (
	"encoding/json"
	"strings"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func named(kind, name string) v1alpha1.ObjectTarget {
	return v1alpha1.ObjectTarget{Kind: kind, Name: name}
}

func pointer[T any](v T) *T { return &v }

func TestTouch(t *testing.T) {
	patched := input(t, &v1alpha1.PatchStage{Object: named("ConfigMap", "settings-${params.version}"), Patch: "data: {a: ${params.version}}"})
	scaled := input(t, &v1alpha1.ScaleStage{Object: pointer(named("Deployment", "web")), Replicas: "3"})
	restarted := input(t, &v1alpha1.RestartStage{Object: &v1alpha1.ObjectTarget{Kind: "Deployment", Selector: "app=web"}})
	thing := input(t, &v1alpha1.DeleteStage{Object: &v1alpha1.ObjectTarget{APIVersion: "example.com/v1beta1", Kind: "Thing", Namespace: "shop", Name: "t"}})
	seen := func(in pipeline.StageInput, kind string, s pipeline.ObjectSeen) pipeline.StageInput {
		return saw(with(in, kind, done), after, s)
	}
	unknown := with(scaled, pipeline.ScaleObject, nil)
	unknown.Open.Unknown = true
	lost := with(thing, pipeline.DeleteObject, nil)
	lost.Open.Unknown = true
	gone := &pipeline.Result{OK: true, Data: encode(pipeline.ObjectsGone{UIDs: []string{"a", "b"}})}
	for what, c := range map[string]struct {
		kind  pipeline.Stage
		in    pipeline.StageInput
		looks bool
		want  string
	}{
		"patch":          {patch{}, patched, false, "Running: patch of ConfigMap settings-v2 [objects/patch]"},
		"under way":      {patch{}, with(patched, pipeline.PatchObject, nil), false, "Running: patch of ConfigMap settings-v2 [objects/patch]"},
		"refused":        {patch{}, with(patched, pipeline.PatchObject, bad), true, "Failed: no runs"},
		"not seen":       {patch{}, with(patched, pipeline.PatchObject, done), true, "Running: does not see ConfigMap settings-v2 yet"},
		"patched":        {patch{}, seen(patched, pipeline.PatchObject, pipeline.ObjectSeen{Objects: 1, Ready: true}), true, `Succeeded: patch of ConfigMap settings-v2 {"kind":"ConfigMap","name":"settings-v2","objects":1}`},
		"gone meanwhile": {patch{}, seen(patched, pipeline.PatchObject, pipeline.ObjectSeen{}), true, "Failed: ConfigMap settings-v2: it was deleted meanwhile"},
		"end":            {patch{}, mustEnd(with(patched, pipeline.PatchObject, done)), true, "Cancelled: cancelled by bob; patch of ConfigMap settings-v2 is not taken back"},
		"scale":          {scale{}, scaled, false, "Running: scale of Deployment web [objects/scale]"},
		"growing":        {scale{}, seen(scaled, pipeline.ScaleObject, pipeline.ObjectSeen{Objects: 1, Why: "1 of 3 instances are ready"}), true, "Running: Deployment web: 1 of 3 instances are ready"},
		"hopeless":       {scale{}, seen(scaled, pipeline.ScaleObject, pipeline.ObjectSeen{Objects: 1, Failed: true, Why: "no image"}), true, "Failed: Deployment web: no image"},
		"scaled":         {scale{}, seen(scaled, pipeline.ScaleObject, pipeline.ObjectSeen{Objects: 1, Ready: true}), true, `Succeeded: scale of Deployment web {"kind":"Deployment","name":"web","objects":1}`},
		"unknown":        {scale{}, unknown, true, "Running: does not see Deployment web yet"},
		"restart":        {restart{}, restarted, false, "Running: restart of Deployment with app=web [objects/restart]"},
		"restarted":      {restart{}, seen(restarted, pipeline.RestartObject, pipeline.ObjectSeen{Objects: 2, Ready: true}), true, `Succeeded: restart of Deployment with app=web {"kind":"Deployment","objects":2,"selector":"app=web"}`},
		"delete":         {remove{}, thing, false, "Running: delete of Thing t [objects/delete]"},
		"delete unknown": {remove{}, lost, false, "Failed: it is not known what was deleted: retry it"},
		"none to delete": {remove{}, with(thing, pipeline.DeleteObject, &pipeline.Result{OK: true, Data: encode(pipeline.ObjectsGone{})}), false, `Succeeded: delete of Thing t {"kind":"Thing","name":"t","objects":0}`},
		"deletes":        {remove{}, with(thing, pipeline.DeleteObject, gone), true, "Running: does not see Thing t yet"},
		"deleting":       {remove{}, saw(with(thing, pipeline.DeleteObject, gone), after, pipeline.ObjectSeen{Objects: 1, Ready: true}), true, "Running: Thing t: 1 of 2 are still there"},
		"deleted":        {remove{}, saw(with(thing, pipeline.DeleteObject, gone), after, pipeline.ObjectSeen{}), true, `Succeeded: delete of Thing t {"kind":"Thing","name":"t","objects":2}`},
		"end of none":    {remove{}, mustEnd(thing), false, "Cancelled: cancelled by bob"},
	} {
		t.Run(what, func(t *testing.T) {
			want(t, c.kind.Next(c.in), c.want)
			looks := c.kind.Looks(c.in)
			if len(looks) == 1 != c.looks || c.looks && (looks[0].Key != after || looks[0].Kind != pipeline.SeeObject) {
				t.Fatalf("%+v", looks)
			}
			if _, deletes := c.kind.(remove); c.looks && (len(dataOf[pipeline.ObjectLook](t, looks[0].Data).UIDs) == 2) != deletes {
				t.Errorf("%s", looks[0].Data)
			}
		})
	}
	if w := dataOf[pipeline.ObjectPatch](t, patch{}.Next(patched).Act.Data); w.Type != "strategic" || string(w.Patch) != `{"data":{"a":"v2"}}` || w.Object.APIVersion != "v1" {
		t.Errorf("%+v", w)
	}
	if w := dataOf[pipeline.ObjectScale](t, scale{}.Next(scaled).Act.Data); w.Replicas != 3 || w.Object.APIVersion != "apps/v1" {
		t.Errorf("%+v", w)
	}
	if ref := dataOf[pipeline.ObjectRef](t, remove{}.Next(thing).Act.Data); ref.APIVersion != "example.com/v1beta1" {
		t.Errorf("%+v", ref)
	}
}

// What no run may change, or nobody can mean, is refused before anything is done.
func TestTargets(t *testing.T) {
	deletes := func(target v1alpha1.ObjectTarget) any { return &v1alpha1.DeleteStage{Object: &target} }
	patches := func(kind, text string) any {
		return &v1alpha1.PatchStage{Object: named("ConfigMap", "a"), Type: kind, Patch: text}
	}
	selects := func(selector string) any {
		return deletes(v1alpha1.ObjectTarget{Kind: "Pod", Selector: selector})
	}
	for want, config := range map[string]any{
		`object.name: "a/status" is none`:                deletes(named("Pod", "a/status")),
		`object.name: ".." is none`:                      deletes(named("Pod", "..")),
		`object.name: "a%2fb" is none`:                   deletes(named("Pod", "a%2fb")),
		`object.name: "aaa`:                              deletes(named("Pod", strings.Repeat("a", 254))),
		"object: give it a name or a selector":           deletes(named("Pod", "")),
		"a selector, one of them":                        deletes(v1alpha1.ObjectTarget{Kind: "Pod", Name: "a", Selector: "b=c"}),
		`"!b" takes what has no such label`:              selects("!b"),
		`"b!=c,d notin (e)" takes what has no such`:      selects("b!=c,d notin (e)"),
		`object.selector: ",": `:                         selects(","),
		`object.selector: "b in c": `:                    selects("b in c"),
		"make a pipeline there":                          deletes(v1alpha1.ObjectTarget{Kind: "Pod", Name: "a", Namespace: "kube-system"}),
		`object.kind: "pods" is none`:                    deletes(named("pods", "a")),
		`object.kind: "Pod/exec" is none`:                deletes(named("Pod/exec", "a")),
		"object.apiVersion: it is not known for Thing":   deletes(named("Thing", "a")),
		`object.apiVersion: "../v1" is none`:             deletes(v1alpha1.ObjectTarget{APIVersion: "../v1", Kind: "Pod", Name: "a"}),
		"only with Deployment and StatefulSet":           &v1alpha1.RestartStage{Object: pointer(named("ConfigMap", "a"))},
		`replicas: "many" is no number`:                  &v1alpha1.ScaleStage{Object: pointer(named("Deployment", "a")), Replicas: "many"},
		"cannot be done with Job":                        &v1alpha1.ScaleStage{Object: pointer(named("Job", "a")), Replicas: "1"},
		"a patch is of one object":                       &v1alpha1.PatchStage{Object: v1alpha1.ObjectTarget{Kind: "Pod", Selector: "a=b"}, Patch: "{}"},
		"patch: it has 65537 bytes, at most 65536":       patches("merge", strings.Repeat("#", 65537)),
		"patch: it is neither JSON nor YAML":             patches("merge", "{"),
		"patch: one of type json is a list":              patches("json", "a: b"),
		"patch: one of type strategic is fields":         patches("", "[]"),
		"patch: one of type merge is fields, such as {d": patches("merge", ""),
	} {
		in := input(t, config)
		kind := map[bool]pipeline.Stage{true: patch{}, false: remove{}}[strings.Contains(want, "patch")]
		switch config.(type) {
		case *v1alpha1.ScaleStage:
			kind = scale{}
		case *v1alpha1.RestartStage:
			kind = restart{}
		}
		if out := kind.Next(in); out.Phase != pipeline.Failed || out.Act != nil || !strings.Contains(out.Why, want) {
			t.Errorf("%s, want %q", shown(out), want)
		}
		if looks := kind.Looks(with(in, "", done)); looks != nil {
			t.Errorf("%s: %+v", want, looks)
		}
	}
	if body, err := patchOf("json", `[{op: add, path: /a, value: 1}]`); err != nil || !json.Valid(body) {
		t.Errorf("%s %v", body, err)
	}
}
