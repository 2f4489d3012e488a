package spinnaker

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weft.dev/api/v1alpha1"
)

var update = flag.Bool("update", false, "rewrite the golden")

func mustImport(t *testing.T, documents ...string) Result {
	t.Helper()
	var files []File
	for _, d := range documents {
		files = append(files, File{Name: "f.json", Data: []byte(d)})
	}
	result, err := Import(files)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestGolden holds the whole of what an application's export becomes.
func TestGolden(t *testing.T) {
	result := mustImport(t, read(t, "shop.json"))
	for _, p := range result.Pipelines {
		p.Spec.Imported = nil // TestRoundTrip has it
	}
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(result); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/shop.golden.json", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, "shop.golden.json"); got.String() != want {
		t.Errorf("it became\n%s\ngo test -update writes that down", got.String())
	}
	if c := result.Report.Coverage().String(); c != "9 stages: 5 exact, 3 changed, 1 kept (jenkins 1)" {
		t.Error(c)
	}
}

// stageJSON is a pipeline of one stage under test, after stage 1, which sets x.
func stageJSON(stage string) string {
	return `{"application":"a","name":"p","parameterConfig":[{"name":"n"}],"stages":[` +
		`{"refId":"1","type":"evaluateVariables","name":"vars","variables":[{"key":"x","value":"1"}]},` +
		`{"refId":"2","name":"it","requisiteStageRefIds":["1"],` + stage + `}]}`
}

// bakeOf is a stage that bakes a repository.
func bakeOf(how, artifact string) string {
	return `"type":"bakeManifest",` + how + `,"inputArtifact":{"account":"git","artifact":{"type":"git/repo","reference":"https://git.example/a.git",` + artifact + `}}`
}

func TestStages(t *testing.T) {
	for stage, want := range map[string]string{
		`"type":"wait","waitTime":30`:                                                                                           `{"wait":{"for":"30s"}}`,
		`"type":"wait","waitTime":"0"`:                                                                                          `{"wait":{"for":"0s"}}`,
		`"type":"wait","waitTime":7200`:                                                                                         `{"wait":{"for":"2h0m0s"}}`,
		`"type":"wait","waitTime":"${parameters.n}"`:                                                                            `{"wait":{"for":"${params.n}s"}}`,
		`"type":"wait","waitTime":7200,"overrideTimeout":true,"stageTimeoutMs":"60000"`:                                         `{"timeout":"1m0s","wait":{"for":"2h0m0s"}}`,
		`"type":"wait","waitTime":1,"failPipeline":false`:                                                                       `{"onFailure":"stop","wait":{"for":"1s"}}`,
		`"type":"wait","waitTime":1,"failPipeline":"false","completeOtherBranchesThenFail":true`:                                `{"onFailure":"failLater","wait":{"for":"1s"}}`,
		`"type":"wait","waitTime":1,"failPipeline":false,"continuePipeline":true`:                                               `{"onFailure":"continue","wait":{"for":"1s"}}`,
		`"type":"wait","waitTime":1,"failPipeline":true,"completeOtherBranchesThenFail":true`:                                   `{"wait":{"for":"1s"}}`,
		`"type":"wait","waitTime":1,"stageEnabled":{"type":"expression","expression":""}`:                                       `{"wait":{"for":"1s"}}`,
		`"type":"wait","waitTime":1,"stageEnabled":{"type":"expression","expression":"x == '1'"}`:                               `{"wait":{"for":"1s"},"when":"stages.vars.outputs.x == \"1\""}`,
		`"type":"manualJudgment"`:                                                                                               `{"judgment":{"allowSelf":true}}`,
		`"type":"manualJudgment","requiredJudgmentRoles":["a","a"],"preventSelfApproval":"true"`:                                `{"judgment":{"roles":["a"]}}`,
		`"type":"checkPreconditions","preconditions":[{"type":"expression","context":{"expression":"x"},"failPipeline":false}]`: `{"check":{"expression":"(string(stages.vars.outputs.x) == \"true\")"},"onFailure":"stop"}`,
		`"type":"evaluateVariables","variables":[{"key":"a-b","value":true},{"key":"c","value":"${#toJson(x)}"}]`:               `{"variables":{"set":[{"name":"a_b","value":"${true}"},{"name":"c","value":"${toJson(stages.vars.outputs.x)}"}]}}`,
		bakeOf(`"templateRenderer":"HELM3","outputName":"web","namespace":"${x}","helmChartFilePath":"deploy/chart","overrides":{"image.tag":"v1","n":3,"on":true}`, `"version":"v1"`): `{"bake":{"kind":"helm","name":"web","namespace":"${stages.vars.outputs.x}","path":"deploy/chart","repository":"https://git.example/a.git","revision":"v1","set":{"image.tag":"v1","n":"3","on":"true"}}}`,
		bakeOf(`"templateRenderer":"HELM2","includeCRDs":true,"evaluateOverrideExpressions":true,"overrides":{"a":"${x}"}`, `"metadata":{"subPath":"chart"}`):                          `{"bake":{"crds":true,"folder":"chart","kind":"helm","repository":"https://git.example/a.git","revision":"master","set":{"a":"${stages.vars.outputs.x}"}}}`,
		bakeOf(`"templateRenderer":"KUSTOMIZE4","kustomizeFilePath":"k/prod/kustomization.yml"`, `"version":"main","metadata":{"subPath":"k/"}`):                                       `{"bake":{"folder":"k","kind":"kustomize","path":"prod","repository":"https://git.example/a.git","revision":"main"}}`,
		`"type":"webhook","url":"http://h/","method":"GET"`:                                                                                      `{"webhook":{"method":"GET","url":"http://h/"}}`,
		`"type":"webhook","url":"http://h/","payload":{"a":["${x}","b ${x}",null,"\"<"]}`:                                                        `{"webhook":{"body":"{\"a\":[${toJson(stages.vars.outputs.x)},${toJson(\"b \" + string(stages.vars.outputs.x))},null,\"\\\"<\"]}","headers":[{"name":"Content-Type","value":"application/json"}],"method":"POST","url":"http://h/"}}`,
		`"type":"webhook","url":"http://h/","method":"PUT","payload":"<x>","customHeaders":{"content-type":"text/xml"},"waitForCompletion":true`: `{"timeout":"1h0m0s","webhook":{"body":"<x>","headers":[{"name":"content-type","value":"text/xml"}],"method":"PUT","poll":{"succeeded":"status >= 200 \u0026\u0026 status < 300"},"url":"http://h/"}}`,
	} {
		if got := converted(t, stage); !sameJSON(t, got, want) {
			t.Errorf("%s:\n got %s\nwant %s", stage, got, want)
		}
	}
}

// converted is what a stage became, without what all have.
func converted(t *testing.T, stage string) string {
	t.Helper()
	p := mustImport(t, stageJSON(stage)).Pipelines[0]
	s := p.Spec.Stages[1]
	if s.Name != "it" || !slices.Equal(s.After, []string{"vars"}) {
		t.Errorf("%s: stage %s after %v", stage, s.Name, s.After)
	}
	s.Name, s.After = "", nil
	out, err := parse(encode(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(encode(without(out.(object), "name")))
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := parse([]byte(a))
	y, errY := parse([]byte(b))
	if errX != nil || errY != nil {
		t.Fatal(errX, errY)
	}
	return reflect.DeepEqual(x, y)
}

// TestKept: what cannot be converted whole is kept whole, and the report says why.
func TestKept(t *testing.T) {
	for stage, why := range map[string]string{
		`"type":"jenkins"`: "weft has no stage for it: have a webhook stage",
		bakeOf(`"templateRenderer":"HELMFILE"`, `"version":"v1"`):                                                            "weft bakes with helm and kustomize",
		bakeOf(`"templateRenderer":"HELM3","kubeVersion":"1.20"`, `"version":"v1"`):                                          "one version of Kubernetes",
		bakeOf(`"templateRenderer":"HELM3"`, `"type":"helm/chart"`):                                                          "is no repository of Git",
		bakeOf(`"templateRenderer":"HELM3","inputArtifacts":[{"id":"v"}]`, `"version":"v1"`):                                 "there are 2",
		`"type":"bakeManifest","templateRenderer":"HELM3","inputArtifacts":[{"id":"x"}]`:                                     "something else brings",
		bakeOf(`"templateRenderer":"HELM3","rawOverrides":true,"overrides":{"a":"1"}`, `"version":"v1"`):                     "helm reads types",
		bakeOf(`"templateRenderer":"HELM3","overrides":{"a":"b,c=d"}`, `"version":"v1"`):                                     "helm takes it apart",
		bakeOf(`"templateRenderer":"HELM3","overrides":{"a":"${x}"}`, `"version":"v1"`):                                      "evaluateOverrideExpressions is off",
		bakeOf(`"templateRenderer":"HELM3","overrides":{"a":["b"]}`, `"version":"v1"`):                                       "a list or an object",
		bakeOf(`"templateRenderer":"KUSTOMIZE"`, `"version":"v1"`):                                                           "does not say what to build",
		bakeOf(`"templateRenderer":"KUSTOMIZE","kustomizeFilePath":"b/k.yaml"`, `"version":"v1","metadata":{"subPath":"a"}`): "is not below the subPath",
		`"type":7`:                             "weft has no stage for it",
		`"no":"type"`:                          "weft has no stage for it",
		`"type":"wait"`:                        "does not say how long",
		`"type":"wait","waitTime":-1`:          "no number of seconds",
		`"type":"wait","waitTime":"1e99"`:      "no number of seconds",
		`"type":"wait","waitTime":"NaN"`:       "no number of seconds",
		`"type":"wait","waitTime":"soon"`:      "no number of seconds",
		`"type":"wait","waitTime":"${nobody}"`: "nobody is no parameter",
		`"type":"wait","waitTime":1,"overrideTimeout":true,"stageTimeoutMs":"x"`:     "stageTimeoutMs",
		`"type":"wait","waitTime":1,"requisiteStageRefIds":["1","9"]`:                "nobody knows when it may start",
		`"type":"wait","waitTime":1,"stageEnabled":{"expression":"T(x)"}`:            "types of Java",
		`"type":"manualJudgment","judgmentInputs":[{"value":"${x}"}]`:                "is an expression",
		`"type":"manualJudgment","judgmentInputs":[{"value":"stop"}]`:                "another name",
		`"type":"manualJudgment","instructions":"` + strings.Repeat("x", 4097) + `"`: "4097 bytes, at most 4096",
		`"type":"checkPreconditions"`:                                                "there are none",
		`"type":"checkPreconditions","preconditions":[{"type":"clusterSize"}]`:       `no precondition "clusterSize"`,
		`"type":"checkPreconditions","preconditions":[{"type":"expression","context":{"expression":"true"}},{"type":"expression","failPipeline":false,"context":{"expression":"true"}}]`: "make two stages",
		`"type":"evaluateVariables"`: "there are 0",
		`"type":"evaluateVariables","variables":[{"key":"a-b","value":""},{"key":"a_b","value":""}]`:               "no name of its own",
		`"type":"evaluateVariables","variables":[{"key":"a","value":{}}]`:                                          "a list, an object or null",
		`"type":"pipeline","pipeline":"gone"`:                                                                      "not among the files (gone)",
		`"type":"webhook"`:                                                                                         "does not say what to call",
		`"type":"webhook","url":"http://h","method":"TRACE"`:                                                       "does not say what to call",
		`"type":"webhook","url":"http://h","cancelEndpoint":"http://c"`:                                            "cancelEndpoint",
		`"type":"webhook","url":"http://h","waitForCompletion":true,"statusUrlResolution":"locationHeader"`:        "locationHeader",
		`"type":"webhook","url":"http://h","waitForCompletion":true,"statusJsonPath":"$..x","successStatuses":"a"`: "fields and indexes alone",
		`"type":"webhook","url":"http://h","waitForCompletion":true,"statusJsonPath":"$.x"`:                        "successStatuses",
	} {
		result := mustImport(t, stageJSON(stage))
		s := result.Pipelines[0].Spec.Stages[1]
		if s.Unsupported == nil || s.Wait != nil {
			t.Errorf("%.80s: became %s", stage, encode(s))
			continue
		}
		i := slices.IndexFunc(result.Report.Items, func(i Item) bool { return i.Stage == "it" && i.Path == "" })
		if item := result.Report.Items[i]; item.Code != Kept || !strings.Contains(item.Text, why) {
			t.Errorf("%.80s: %s: %s; want one with %q", stage, item.Code, item.Text, why)
		}
	}
}

// TestKeptConditions: a stage that is kept is still skipped where it was.
func TestKeptConditions(t *testing.T) {
	s := mustImport(t, stageJSON(`"type":"deploy","stageEnabled":{"expression":"x == '1'"},"failPipeline":false`)).Pipelines[0].Spec.Stages[1]
	if s.When != `stages.vars.outputs.x == "1"` || s.OnFailure != v1alpha1.FailStop || s.Unsupported == nil {
		t.Errorf("it became %s", encode(s))
	}
}

func TestShapes(t *testing.T) {
	const one = `{"application":"a","name":"p","stages":[{"refId":"1","type":"wait","waitTime":1}]}`
	for document, want := range map[string]string{
		one: "a-p: unsupported=0 stages=1",
		`{"stages":[{"refId":"1","type":"wait","waitTime":1}]}`: "f: unsupported=0 stages=1",
		"[" + one + "]":               "a-p: unsupported=0 stages=1",
		`{"pipelines":[` + one + `]}`: "a-p: unsupported=0 stages=1",
		`{"application":"a","name":"old","stages":[{"type":"wait","waitTime":1},{"type":"wait","waitTime":2}]}`: "a-old: unsupported=0 stages=2 wait-2<wait",
		`{"application":"a","name":"run","pipelineConfigId":"u","trigger":{"parameters":{"n":"1"}},"stages":[{"refId":"1","type":"wait","name":"w","context":{"waitTime":3},"outputs":{"big":1}},{"refId":"1<1","type":"x","context":{},"syntheticStageOwner":"STAGE_BEFORE","parentStageId":"i"},"01F5"]}`: "a-run: unsupported=0 stages=1",
		`{"application":"a","name":"v1","type":"templatedPipeline","config":{"schema":"1"}}`: "a-v1: unsupported=1 stages=1",
		`{"application":"a","name":"a-pre","stages":[]}`:                                     "a-pre: unsupported=0 stages=0",
		`{"application":"a","name":"全部","stages":[7]}`:                                       "a-f40db9: unsupported=0 stages=0",
		`[{"schema":"v2","id":"t","variables":[{"name":"n","defaultValue":5},{"name":"m"}],"pipeline":{"stages":[{"refId":"1","type":"wait","waitTime":"${ templateVariables.n }"},{"refId":"2","type":"wait","waitTime":"${templateVariables.m}","requisiteStageRefIds":["1"]}]}},` +
			`{"schema":"v2","application":"a","name":"i","template":{"reference":"spinnaker://t:latest"},"variables":{"m":"7"},"stages":[]}]`: "a-i: unsupported=0 stages=2 wait-2<wait",
	} {
		p := mustImport(t, document).Pipelines[0]
		if got := sketch(p); got != want {
			t.Errorf("%s:\n got %s\nwant %s", document, got, want)
		}
	}
	for _, document := range []string{``, `{`, `7`, `[]`, `{}`, `[7]`, `{"kind":"Deployment"}`, `{} {}`, `local x = 1; x`} {
		if result, err := Import([]File{{Name: "f.json", Data: []byte(document)}}); err == nil || !strings.HasPrefix(err.Error(), "f.json: ") {
			t.Errorf("%s: %v (%v), want an error that names the file", document, result, err)
		}
	}
}

func sketch(p *v1alpha1.Pipeline) string {
	unsupported, edges := 0, ""
	for _, s := range p.Spec.Stages {
		if s.Unsupported != nil {
			unsupported++
		}
		for _, a := range s.After {
			edges += " " + s.Name + "<" + a
		}
	}
	return p.Name + ": unsupported=" + string(rune('0'+unsupported)) + " stages=" + string(rune('0'+len(p.Spec.Stages))) + edges
}

func TestParameters(t *testing.T) {
	result := mustImport(t, `[{"application":"a","name":"parent","stages":[{"refId":"1","type":"pipeline","pipeline":"c","pipelineParameters":{"x-y":true,"x.y":"${1}","other":"o"}}]},
		{"application":"a","name":"child","id":"c","stages":[],"parameterConfig":[
			{"name":"x-y","label":"L","default":false},{"name":"x.y","required":"true","default":7},{"name":"x-y"},{"name":""},
			{"name":"opts","hasOptions":true,"default":"c","options":[{"value":"a"},{"value":""}]},{"name":"none","hasOptions":true,"options":[{"value":""}]},
			{"name":"long","default":"`+strings.Repeat("x", 4097)+`"}]}]`)
	want := `[{"name":"x_y","description":"L","default":"false"},{"name":"x_y_2","required":true,"default":"7"},{"name":"opts","default":"c","options":["a","","c"]},{"name":"none"}]`
	if got := string(encode(result.Pipelines[1].Spec.Parameters)); got != want {
		t.Errorf("the child has\n%s\nwant\n%s", got, want)
	}
	if got := string(encode(result.Pipelines[0].Spec.Stages[0].Pipeline)); got != `{"name":"a-child","parameters":{"x_y":"true","x_y_2":"${1}"}}` {
		t.Errorf("the parent gives %s", got)
	}
	for path, code := range map[string]Code{
		"pipelineParameters.other": Changed, "parameterConfig.x-y": Missing, "parameterConfig.": Missing, "parameterConfig.opts": Changed, "parameterConfig.long": Kept,
	} {
		if !slices.ContainsFunc(result.Report.Items, func(i Item) bool { return i.Path == path && i.Code == code }) {
			t.Errorf("%s: no item says %s", path, code)
		}
	}
}

// TestNames: two pipelines never get one name, and a name does not depend on its neighbours.
func TestNames(t *testing.T) {
	document := func(names ...string) string {
		var all []string
		for _, name := range names {
			all = append(all, `{"application":"a","name":"`+name+`","id":"`+name+`","stages":[]}`)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	names := func(r Result) (out []string) {
		for _, p := range r.Pipelines {
			out = append(out, p.Name)
		}
		return out
	}
	long := strings.Repeat("long ", 20)
	got := names(mustImport(t, document("Ship It!", "ship-it", "出荷", "配備", long+"1", long+"2")))
	slices.Sort(got)
	if len(slices.Compact(slices.Clone(got))) != 6 {
		t.Errorf("names %v", got)
	}
	for _, name := range got {
		if len(name) > maxPipelineName {
			t.Errorf("%s has %d bytes", name, len(name))
		}
	}
	for _, name := range []string{"出荷", long + "2"} {
		if alone := names(mustImport(t, document(name))); !slices.Contains(got, alone[0]) {
			t.Errorf("%s is %s alone, and one of %v among others", name, alone[0], got)
		}
	}
}
