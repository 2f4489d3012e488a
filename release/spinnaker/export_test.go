package spinnaker

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"weft.dev/api/v1alpha1"
)

// pipelinesIn are those of a document that an export can give back as they came.
func pipelinesIn(value any) (out []object) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			out = append(out, pipelinesIn(element)...)
		}
	case object:
		list, isList := v["pipelines"].([]any)
		switch {
		case isTemplate(v), isCanaryConfig(v) && v["stages"] == nil:
		case isExecution(v):
			out = append(out, pipelineOf(v))
		case isPipeline(v):
			out = append(out, v)
		case isList:
			return pipelinesIn(list)
		}
	}
	return out
}

// checkRoundTrip holds the laws of an import: two are equal; the export gives what
// came in, also after an API server had it; no name is there twice.
func checkRoundTrip(t *testing.T, data []byte) {
	files := []File{{Name: "f.json", Data: data}}
	first, err := Import(files)
	if err != nil {
		return
	}
	second, err := Import(files)
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Fatalf("two imports differ (%v)", err)
	}
	value, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	came := pipelinesIn(value)
	if len(came) != len(first.Pipelines) {
		t.Fatalf("%d pipelines came in, %d are there", len(came), len(first.Pipelines))
	}
	for i, p := range first.Pipelines {
		checkNames(t, p)
		out, err := Export(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(out)
		if err != nil || !reflect.DeepEqual(back, any(came[i])) {
			t.Fatalf("came in:\n%s\ncame out (%v):\n%s", encode(came[i]), err, out)
		}
	}
}

func checkNames(t *testing.T, p *v1alpha1.Pipeline) {
	names := map[string]bool{p.Name: true}
	delete(names, p.Name)
	for _, s := range p.Spec.Stages {
		if names[s.Name] || label(s.Name, maxStageName) != s.Name || s.Name == "" {
			t.Fatalf("stage %q: no label, or there twice", s.Name)
		}
		names[s.Name] = true
		for _, after := range s.After {
			if after == "" {
				t.Fatalf("stage %s follows nothing", s.Name)
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	checkRoundTrip(t, []byte(read(t, "shop.json")))
	checkRoundTrip(t, []byte(`{"application":"a","name":"odd","stages":[null,"x",7,{"type":"new","n":1.50,"big":123456789012345678901234567890,"e":1E400},{},{"type":"wait","waitTime":1,"<&>":" "}]}`))
	checkRoundTrip(t, []byte(`{"application":"a","name":"legacy","stages":[{"type":"x"},{"type":"y"}]}`))
	checkRoundTrip(t, []byte(`[{"application":"a","name":"none"},{"application":"a","name":"none","stages":null},{"application":"a","name":"none","stages":[]}]`))
	checkRoundTrip(t, []byte(`{"application":"a","name":"ring","stages":[{"refId":"1","requisiteStageRefIds":["2"],"type":"wait","waitTime":1},{"refId":"2","requisiteStageRefIds":["1"],"type":"wait","waitTime":1}]}`))
}

// TestStored: an API server writes numbers and keys its own way, and that is no change.
func TestStored(t *testing.T) {
	for _, p := range mustImport(t, read(t, "shop.json")).Pipelines {
		var stored v1alpha1.Pipeline
		var plain any
		if err := json.Unmarshal(encode(p), &plain); err != nil { // numbers are floats now
			t.Fatal(err)
		}
		if err := json.Unmarshal(encode(plain), &stored); err != nil {
			t.Fatal(err)
		}
		if _, err := Export(&stored); err != nil {
			t.Error(err)
		}
	}
}

// TestChanged: an export never gives back what is no longer so.
func TestChanged(t *testing.T) {
	for what, change := range map[string]func(p *v1alpha1.Pipeline){
		"stage soak":           func(p *v1alpha1.Pipeline) { p.Spec.Stages[2].Wait.For = "1s" },
		"stage look":           func(p *v1alpha1.Pipeline) { p.Spec.Stages[3].Name = "other" },
		"stage names":          func(p *v1alpha1.Pipeline) { p.Spec.Stages = p.Spec.Stages[1:] },
		"stage extra":          func(p *v1alpha1.Pipeline) { p.Spec.Stages = append(p.Spec.Stages, v1alpha1.Stage{Name: "extra"}) },
		"stage deploy-canary":  func(p *v1alpha1.Pipeline) { p.Spec.Stages[1].Apply.From = "x" },
		"stage count":          func(p *v1alpha1.Pipeline) { p.Spec.Stages[7].Unsupported.Original.Raw = []byte(`{"type":"x"}`) },
		"its parameters":       func(p *v1alpha1.Pipeline) { p.Spec.Parameters[0].Required = false },
		"not imported":         func(p *v1alpha1.Pipeline) { p.Spec.Imported = nil },
		"spec.imported is not": func(p *v1alpha1.Pipeline) { p.Spec.Imported.Raw = []byte(`{}`) },
	} {
		p := mustImport(t, read(t, "shop.json")).Pipelines[0]
		change(p)
		if out, err := Export(p); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %s, error %v", what, out, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"application":"a","name":"p","stages":[{"refId":1,"type":"wait","waitTime":"${parameters.x ?: '}'}"}],"parameterConfig":[{"name":"x"}]}`))
	f.Add([]byte(`{"name":"i","application":"a","template":{"reference":"spinnaker://t"},"variables":{}}`))
	f.Add([]byte(stageJSON(`"type":"checkPreconditions","preconditions":[{"type":"expression","context":{"expression":"x.?[y == 1][0].matches('a')"}}]`)))
	f.Add([]byte(stageJSON(`"type":"webhook","url":"http://h","payload":{"a":["${x}"]},"waitForCompletion":true,"statusJsonPath":"$.a[0]","successStatuses":"a"`)))
	f.Add([]byte(stageJSON(webOf("ReplicaSet", managed))))
	f.Add([]byte(stageJSON(`"type":"deployManifest","namespaceOverride":"n","manifests":[{"kind":"Job","metadata":{"name":"a","annotations":{"strategy.spinnaker.io/recreate":"false"}}}]`)))
	f.Add([]byte(stageJSON(`"type":"deleteManifest","mode":"label","kinds":["job"],"labelSelectors":{"selectors":[{"kind":"EQUALS","key":"a","values":["b"]}]}`)))
	f.Add([]byte(stageJSON(`"type":"deploy","clusters":[{"application":"a","strategy":"monitored","imageId":"a:${x}","deploySteps":[1]}]`)))
	f.Add([]byte(stageJSON(`"type":"enableManifest","manifestName":"x a-v1","restrictExecutionDuringTimeWindow":true,"restrictedExecutionWindow":{"days":[1],"whitelist":[{"startHour":23,"endHour":1}]}`)))
	f.Add([]byte("[" + canaryConfigJSON + "," + stageJSON(`"type":"kayentaCanary","canaryConfig":{"canaryConfigId":"c","lifetimeDuration":"PT1H","scopes":[{"step":60}]}`) + "]"))
	f.Fuzz(func(t *testing.T, data []byte) { checkRoundTrip(t, data) })
}
