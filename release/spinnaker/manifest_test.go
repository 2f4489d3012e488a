package spinnaker

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"weft.dev/api/v1alpha1"
)

// webOf is a deploy of a workload to Kubernetes.
func webOf(kind, more string) string {
	return `"type":"deployManifest","source":"text","cloudProvider":"kubernetes","manifests":[{"apiVersion":"apps/v1","kind":"` + kind + `","metadata":{"name":"web"},"spec":{` +
		`"selector":{"matchLabels":{"app":"shop-web"}},"template":{"metadata":{"labels":{"app":"shop-web"}},"spec":{"containers":[{"image":"r/web:${parameters.n}"}]}}}}]` + more
}

const managed = `,"trafficManagement":{"enabled":true,"options":{"enableTraffic":true,"services":["service web"],"strategy":"redblack"}}`

// TestManifestStages: what a stage on objects of Kubernetes becomes, without what all have.
func TestManifestStages(t *testing.T) {
	for stage, want := range map[string]string{
		`"type":"deployManifest","manifests":[{"kind":"Service","metadata":{"name":"a","x":"${x}"}},{"kind":"ConfigMap","metadata":{"name":"b"}}]`:                                                                                `{"apply":{"manifests":"{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\",\"x\":${toJson(stages.vars.outputs.x)}}}\n---\n{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"b\"}}"}}`,
		`"type":"deployManifest","manifests":[{"kind":"Service","metadata":{"name":"a"}}],"namespaceOverride":"${x}"`:                                                                                                             `{"apply":{"manifests":"{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\",\"namespace\":${toJson(stages.vars.outputs.x)}}}"}}`,
		`"type":"deployManifest","manifests":[{"kind":"Service","metadata":{"name":"a","x":"${HOME}"}}],"skipExpressionEvaluation":true`:                                                                                          `{"apply":{"manifests":"{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\",\"x\":\"${\"$\"}{HOME}\"}}"}}`,
		`"type":"scaleManifest","manifestName":"deployment web","replicas":"3","location":"shop"`:                                                                                                                                 `{"scale":{"object":{"kind":"Deployment","name":"web","namespace":"shop"},"replicas":"3"}}`,
		`"type":"scaleManifest","mode":"static","manifestName":"statefulSet ${x}","replicas":2`:                                                                                                                                   `{"scale":{"object":{"kind":"StatefulSet","name":"${stages.vars.outputs.x}"},"replicas":"2"}}`,
		`"type":"rollingRestartManifest","manifestName":"deployment web"`:                                                                                                                                                         `{"restart":{"object":{"kind":"Deployment","name":"web"}}}`,
		`"type":"deleteManifest","manifestName":"configmap a","options":{"cascading":true}`:                                                                                                                                       `{"delete":{"object":{"kind":"ConfigMap","name":"a"}}}`,
		`"type":"deleteManifest","mode":"label","kinds":["job"],"labelSelectors":{"selectors":[{"kind":"EQUALS","key":"a","values":["b"]},{"kind":"NOT_CONTAINS","key":"c","values":["d","e"]},{"kind":"NOT_EXISTS","key":"f"}]}`: `{"delete":{"object":{"kind":"Job","selector":"a = b,c notin (d,e),!f"}}}`,
		`"type":"patchManifest","manifestName":"deployment web","patchBody":[{"spec":{"x":"${x}"}}],"options":{"mergeStrategy":"merge"}`:                                                                                          `{"patch":{"object":{"kind":"Deployment","name":"web"},"type":"merge","patch":"{\"spec\":{\"x\":${toJson(stages.vars.outputs.x)}}}"}}`,
		`"type":"patchManifest","manifestName":"deployment web","patchBody":[{"op":"remove","path":"/a"}],"options":{"mergeStrategy":"json"}`:                                                                                     `{"patch":{"object":{"kind":"Deployment","name":"web"},"type":"json","patch":"[{\"op\":\"remove\",\"path\":\"/a\"}]"}}`,
		`"type":"enableManifest","manifestName":"replicaSet web-v2"`:                                                                                                                                                              `{"enable":{"application":"web","version":"v2"}}`,
		`"type":"disableManifest","manifestName":"deployment shop-web-${parameters.n}"`:                                                                                                                                           `{"disable":{"application":"shop-web","version":"${params.n}"}}`,
		`"type":"undoRolloutManifest","manifestName":"deployment web","numRevisionsBack":1`:                                                                                                                                       `{"undo":{"application":"web","reason":"stage it"}}`,
		`"type":"rollbackCluster","cluster":"shop-web","regions":["a"]`:                                                                                                                                                           `{"undo":{"application":"shop-web","reason":"stage it"}}`,
		`"type":"runJobManifest","manifest":{"kind":"Job","metadata":{"name":"a"}},"consumeArtifactSource":"propertyFile","propertyFile":"main"`:                                                                                  `{"runJob":{"manifest":"{\"kind\":\"Job\",\"metadata\":{\"name\":\"a\"}}","container":"main","outputsFrom":"log"}}`,
		`"type":"deploy","clusters":[{"application":"shop","stack":"web","strategy":"monitored","imageId":"r/web:${parameters.n}"}]`:                                                                                              `{"release":{"application":"shop-web","version":"${params.n}","strategy":{"type":"canary","steps":[10,40,100],"analysis":{}}}}`,
		`"type":"deploy","clusters":[{"application":"web","strategy":"rollingredblack","targetPercentages":[20,60],"imageDescription":{"tag":"7"}}]`:                                                                              `{"release":{"application":"web","version":"7","strategy":{"type":"rolling","steps":[20,60,100],"analysis":{}}}}`,
		`"type":"deploy","clusters":[{"application":"web","strategy":"highlander","imageDescription":{"fromTrigger":true}}]`:                                                                                                      `{"release":{"application":"web","version":"${trigger.facts.tag}","strategy":{"type":"highlander","analysis":{}}}}`,
		webOf("ReplicaSet", strings.Replace(managed, `"enableTraffic":true`, `"enableTraffic":false`, 1)): `{"deploy":{"application":"shop-web","version":"${params.n}","manifests":` +
			`"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":${toJson(\"web-\" + params.n)}},\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"shop-web\",\"version\":${toJson(params.n)}}},` +
			`\"template\":{\"metadata\":{\"labels\":{\"app\":\"shop-web\",\"version\":${toJson(params.n)}}},\"spec\":{\"containers\":[{\"image\":${toJson(\"r/web:\" + params.n)}}]}}}}"}}`,
	} {
		if got := converted(t, stage); !sameJSON(t, got, want) {
			t.Errorf("%s:\n got %s\nwant %s", stage, got, want)
		}
	}
}

// TestManifestsKept: what weft would do otherwise, or cannot know, is kept.
func TestManifestsKept(t *testing.T) {
	apply := func(manifest string) string { return `"type":"deployManifest","manifests":[` + manifest + `]` }
	for stage, why := range map[string]string{
		`"type":"deployManifest"`: "there are none",
		apply(`{"kind":"Pod"}`):   "no kind or no name",
		apply(`7`):                "no kind or no name",
		apply(`{"kind":"ReplicaSet","metadata":{"name":"a"}}`):                                                      "a new name at each deploy",
		apply(`{"kind":"Secret","metadata":{"name":"a"}}`):                                                          "neither sees nor changes Secrets",
		apply(`{"kind":"Namespace","metadata":{"name":"a"}}`):                                                       "of the whole cluster",
		apply(`{"kind":"Job","metadata":{"name":"a","annotations":{"strategy.spinnaker.io/recreate":"true"}}}`):     "recreate",
		apply(`{"kind":"Service","metadata":{"name":"${nobody}"}}`):                                                 "nobody is no parameter",
		apply(`{"kind":"Service","metadata":{"name":"` + strings.Repeat("x", maxBody) + `"}}`):                      "put it into Git and bake it",
		apply(`{"kind":"Service","metadata":{"name":"a"}}`) + `,"requiredArtifactIds":["i"]`:                        "weft puts no artifacts into manifests",
		apply(`{"kind":"Service","metadata":{"name":"a"}}`) + `,"labelSelectors":{"selectors":[{"kind":"EQUALS"}]}`: "applies all manifests, or none",
		`"type":"deployManifest","source":"artifact","manifestArtifactId":"i"`:                                      "no stage before it bakes that",
		`"type":"deployManifest","source":"artifact","manifestArtifactId":"i","namespaceOverride":"n"`:              "has its namespace already",
		webOf("ReplicaSet", strings.Replace(managed, "redblack", "none", 1)):                                        "choose one of weft's",
		webOf("StatefulSet", managed):                                            "is no version of an application",
		strings.Replace(webOf("ReplicaSet", managed), ":${parameters.n}", "", 1): "says which version it is",
		strings.Replace(webOf("ReplicaSet", managed), `"manifests":[`, `"manifests":[{"kind":"Service","metadata":{"name":"s"}},`, 1):  "put what versions share into a stage before",
		`"type":"scaleManifest","manifestName":"deployment web"`:                                                                       "does not say how many",
		`"type":"scaleManifest","manifestName":"web","replicas":1`:                                                                     "it is not KIND NAME",
		`"type":"scaleManifest","manifestName":"replicaSet web","replicas":1`:                                                          "with a Deployment and a StatefulSet",
		`"type":"scaleManifest","mode":"dynamic","criteria":"newest","cluster":"deployment web","replicas":1`:                          "name it",
		`"type":"deleteManifest","manifestName":"VirtualService.networking.istio.io web"`:                                              "its apiVersion is not said",
		`"type":"deleteManifest","manifestName":"deployment web","options":{"cascading":false}`:                                        "leaves behind",
		`"type":"deleteManifest","mode":"label","kinds":["job"],"labelSelectors":{"selectors":[]}`:                                     "nothing but all objects",
		`"type":"deleteManifest","mode":"label","kinds":["job"],"labelSelectors":{"selectors":[{"kind":"ANY"}]}`:                       `no condition "ANY"`,
		`"type":"deleteManifest","mode":"label","kinds":["job"],"labelSelectors":{"selectors":[{"kind":"EQUALS","values":["a","b"]}]}`: "EQUALS of 2 values",
		`"type":"deleteManifest","mode":"label","kinds":["job","pod"]`:                                                                 "make a stage of each",
		`"type":"patchManifest","manifestName":"deployment web"`:                                                                       "it says nothing",
		`"type":"patchManifest","manifestName":"deployment web","source":"artifact"`:                                                   "write it there",
		`"type":"patchManifest","manifestName":"deployment web","patchBody":[{"a":1},{"b":1}]`:                                         "a patch is one",
		`"type":"patchManifest","manifestName":"deployment web","patchBody":[{"a":1}],"options":{"mergeStrategy":"x"}`:                 "weft has",
		`"type":"enableManifest","manifestName":"replicaSet web"`:                                                                      "APPLICATION-VERSION",
		`"type":"disableManifest","mode":"dynamic","criteria":"second_newest"`:                                                         "name it",
		`"type":"undoRolloutManifest","manifestName":"deployment web","numRevisionsBack":2`:                                            "goes one back",
		`"type":"rollbackCluster","cluster":"a b"`:                                                                                     "no application's name",
		`"type":"runJobManifest","manifest":{"kind":"Pod","metadata":{"name":"a"}}`:                                                    "not one Job",
		`"type":"runJobManifest","source":"artifact"`:                                                                                  "write it there",
		`"type":"runJobManifest","manifest":{"kind":"Job","metadata":{"name":"a"}},"consumeArtifactSource":"artifact"`:                 "from the log alone",
		`"type":"deploy","clusters":[{},{}]`:                                                                                           "there are 2",
		`"type":"deploy","clusters":[{"strategy":"none"}]`:                                                                             "none of weft's",
		`"type":"deploy","clusters":[{"strategy":"redblack","imageId":"ami-1"}]`:                                                       "says which version it is",
		`"type":"deploy","clusters":[{"strategy":"monitored","imageId":"a:1","deploySteps":[50,40]}]`:                                  "no shares that rise",
		`"type":"findArtifactFromExecution","pipeline":"gone"`:                                                                         "not among the files (gone)",
	} {
		result := mustImport(t, stageJSON(stage))
		i := slices.IndexFunc(result.Report.Items, func(i Item) bool { return i.Stage == "it" && i.Path == "" })
		if item := result.Report.Items[i]; item.Code != Kept || !strings.Contains(item.Text, why) {
			t.Errorf("%.200s: %s: %s; want one with %q", stage, item.Code, item.Text, why)
		}
		if all := result.Pipelines[0].Spec.Stages; len(all) != 2 || all[1].Unsupported == nil {
			t.Errorf("%.200s: became %s", stage, encode(all))
		}
	}
}

// TestTwo: a deploy that leads traffic is two stages; what follows it follows the second, and the export gives one.
func TestTwo(t *testing.T) {
	document := `{"application":"a","name":"p","parameterConfig":[{"name":"n"}],"stages":[
		{"refId":"2","name":"then","type":"wait","waitTime":1,"requisiteStageRefIds":["1"]},
		{"refId":"1","name":"up","failPipeline":false,` + webOf("ReplicaSet", managed) + `},
		{"refId":"3","name":"asks","type":"checkPreconditions","requisiteStageRefIds":["1"],"preconditions":[{"type":"stageStatus","context":{"stageName":"up","stageStatus":"SUCCEEDED"}}]}]}`
	p := mustImport(t, document).Pipelines[0]
	var all []string
	for _, s := range p.Spec.Stages {
		all = append(all, s.Name+strings.Join(s.After, ",")+string(s.OnFailure))
	}
	if want := []string{"thenup-release", "upstop", "up-releaseupstop", "asksup-release"}; !slices.Equal(all, want) {
		t.Fatalf("stages %q, want %q", all, want)
	}
	second := p.Spec.Stages[2]
	if second.When != `stages.up.phase == "Succeeded"` || second.Release.Strategy.Type != v1alpha1.BlueGreen || second.Release.Version != "${params.n}" || second.Release.Application != "shop-web" {
		t.Errorf("it is %s", encode(second))
	}
	if p.Spec.Stages[3].Unsupported == nil {
		t.Error("what asks for the state of a stage that is two was converted")
	}
	checkRoundTrip(t, []byte(document))
	p.Spec.Stages[2].Release.Version = "other"
	if _, err := Export(p); err == nil || !strings.Contains(err.Error(), "stage up-release is not as it was imported") {
		t.Errorf("changed: %v", err)
	}
}

// TestBaked: what a stage before bakes is applied from there.
func TestBaked(t *testing.T) {
	document := `[{"application":"a","name":"p","id":"one","stages":[
		{"refId":"1","name":"make",` + bakeOf(`"templateRenderer":"HELM3","expectedArtifacts":[{"id":"baked"}]`, `"version":"v1"`) + `},
		{"refId":"2","name":"up","type":"deployManifest","source":"artifact","manifestArtifactId":"baked","account":"prod","location":"shop","requisiteStageRefIds":["1"]}]},
		{"application":"a","name":"q","stages":[{"refId":"1","name":"find","type":"findArtifactFromExecution","pipeline":"one","executionOptions":{"successful":true,"terminal":true}}]}]`
	result := mustImport(t, document)
	if got := string(encode(result.Pipelines[0].Spec.Stages[1].Apply)); got != `{"from":"make"}` {
		t.Errorf("it applies %s", got)
	}
	if got := string(encode(result.Pipelines[1].Spec.Stages[0].FindArtifact)); got != `{"run":{"pipeline":"a-p","stage":"make","phases":["Succeeded","Failed"]}}` {
		t.Errorf("it finds %s", got)
	}
	checkRoundTrip(t, []byte(document))
}

func TestWindows(t *testing.T) {
	for said, want := range map[string]string{
		`{"days":[2,3,2],"whitelist":[{"startHour":10,"startMin":5,"endHour":16,"endMin":0}]}`: `["Mon,Tue 10:05-16:00"]`,
		`{"whitelist":[{"startHour":22,"endHour":2,"endMin":30}]}`:                             `["00:00-02:30","22:00-24:00"]`,
		`{"days":["1"],"whitelist":[]}`:                                                        `["Sun 00:00-24:00"]`,
		`{"days":[7],"whitelist":[{"startHour":"9","endHour":"0"}]}`:                           `["Sat 09:00-24:00"]`,
	} {
		s := mustImport(t, stageJSON(`"type":"wait","waitTime":1,"restrictExecutionDuringTimeWindow":true,"restrictedExecutionWindow":`+said)).Pipelines[0].Spec.Stages[1]
		if len(s.Windows) != 1 {
			t.Errorf("%s: %s", said, encode(s))
			continue
		}
		if open, _ := json.Marshal(s.Windows[0].Open); string(open) != want || s.Windows[0].TimeZone != zoneOfSpinnaker {
			t.Errorf("%s: %s %s, want %s", said, open, s.Windows[0].TimeZone, want)
		}
	}
	for _, said := range []string{`{}`, `null`, `{"days":[0]}`, `{"days":[8]}`, `{"days":["x"]}`, `{"whitelist":[{"startHour":25,"endHour":1}]}`, `{"whitelist":[{"startHour":3,"endHour":3}]}`, `{"whitelist":[{}]}`,
		`{"days":[1],"jitter":{"enabled":true,"maxDelay":"x"}}`} {
		if s := mustImport(t, stageJSON(`"type":"wait","waitTime":1,"restrictExecutionDuringTimeWindow":true,"restrictedExecutionWindow":`+said)).Pipelines[0].Spec.Stages[1]; s.Unsupported == nil {
			t.Errorf("%s: %s", said, encode(s))
		}
	}
}
