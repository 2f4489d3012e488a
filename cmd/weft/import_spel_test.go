package main

import (
	"encoding/json"
	"reflect"
	"testing"

	"weft.dev/release/expr"
	"weft.dev/release/pipeline"
	"weft.dev/release/spinnaker"
)

// evaluated is what Spinnaker's text gives in the last of these stages, once it is
// converted: vars sets tag and list, ask was judged, hook was answered.
func evaluated(t *testing.T, source string) (any, error) {
	t.Helper()
	value, err := json.Marshal(source)
	if err != nil {
		t.Fatal(err)
	}
	document := `{"application":"shop","name":"p","parameterConfig":[{"name":"version"},{"name":"run-it"},{"name":"none"}],"stages":[
		{"refId":"1","type":"evaluateVariables","name":"vars","variables":[{"key":"tag","value":"t"},{"key":"list","value":"l"}]},
		{"refId":"2","type":"manualJudgment","name":"ask","judgmentInputs":[{"value":"go"}]},
		{"refId":"3","type":"webhook","name":"The hook","url":"http://h"},
		{"refId":"4","type":"evaluateVariables","name":"it","requisiteStageRefIds":["1","2","3"],"variables":[{"key":"own","value":"mine"},{"key":"x","value":` + string(value) + `}]}]}`
	result, err := spinnaker.Import([]spinnaker.File{{Name: "f.json", Data: []byte(document)}})
	if err != nil {
		t.Fatal(err)
	}
	last := result.Pipelines[0].Spec.Stages[3]
	if last.Variables == nil {
		t.Fatalf("%s: %+v", source, result.Report.Items)
	}
	evaluator, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	return evaluator.Expand(last.Variables.Set[1].Value, pipeline.Env{
		"params":  map[string]any{"version": "v1.2", "run_it": "true", "none": ""},
		"trigger": map[string]any{"type": "manual", "by": "ann", "facts": map[string]any{"tag": "v1.2"}},
		"run":     map[string]any{"name": "p-1", "pipeline": "p", "application": "shop"},
		"vars":    map[string]any{"own": "mine", "tag": "t"},
		"stages": map[string]any{
			"vars":     map[string]any{"phase": "Succeeded", "outputs": map[string]any{"tag": "t", "list": []any{map[string]any{"name": "a", "ok": true}, map[string]any{"name": "b", "ok": "false"}}}},
			"ask":      map[string]any{"phase": "Continued", "outputs": map[string]any{"choice": "go"}},
			"the-hook": map[string]any{"phase": "Succeeded", "outputs": map[string]any{"status": int64(201), "body": map[string]any{"id": int64(7), "namespace": "n"}}},
		},
	})
}

// TestSpinnakerExpressions: what is converted says here what it said there.
func TestSpinnakerExpressions(t *testing.T) {
	for source, want := range map[string]any{
		"plain $ text":                       "plain $ text",
		"$${parameters.version}":             "$v1.2",
		"${parameters.version}-${own}":       "v1.2-mine",
		"${parameters['run-it'] ? 1 : 'no'}": int64(1),
		"${!parameters.none}":                true,
		"${parameters.none ?: 'else'}":       "else",
		"${parameters.none == null}":         true,
		"${'a' + 1 + true}":                  "a1true",
		"${1 + 2 * 3 - 4 % 3}":               int64(6),
		"${{1, 'a'}.size()}":                 int64(2),
		"${tag + '!' + tag.length()}":        "t!1",
		"${#stage('vars').outputs.tag.toUpperCase() == 'T' and #stage('ask')['status'] == 'FAILED_CONTINUE'}": true,
		"${list.?[name == 'b'][0].ok}":            "false",
		"${list.?[ok].size()}":                    int64(1),
		"${list.^[!ok].name}":                     "b",
		"${list.![name]}":                         []any{"a", "b"},
		"${list.![name].contains('a')}":           true,
		"${tag.contains('x')}":                    false,
		"${#stage('ask').context.judgmentStatus}": "continue",
		"${#judgment('ask') == 'go'}":             true,
		"${execution.stages.?[name == 'The hook'][0].context.webhook.statusCodeValue > 200}": true,
		"${#stage('The hook').context.webhook.body.namespace}":                               "n",
		"${#stage('The hook').context.webhook.body.nope ?: 'none'}":                          "none",
		"${#stage('The hook').context.webhook.body.nope == null}":                            true,
		"${#currentStage().name}":                                                            "it",
		"${trigger.user} ${trigger.tag} ${execution.application}":                            "ann v1.2 shop",
		"${parameters.version.matches('v[0-9]')}":                                            false,
		"${parameters.version.matches('v[0-9].[0-9]')}":                                      true,
		"${parameters.version.replace('.', '-').split('-')[1]}":                              "2",
		"${parameters.version.substring(1).indexOf('.')}":                                    int64(1),
		"${parameters.version.equalsIgnoreCase('V1.2')}":                                     true,
		"${#toInt('4') + 1}":                                  int64(5),
		"${#toBoolean('TRUE')}":                               true,
		"${#readJson('{\"a\": {\"b\": [1, 2]}}').a.b[1]}":     int64(2),
		"${#fromBase64('aGk=')}":                              "hi",
		"${#toJson(#stage('The hook').context.webhook.body)}": `{"id":7,"namespace":"n"}`,
		"${'}' + \"${\"}":                                     "}${",
	} {
		got, err := evaluated(t, source)
		if n, ok := got.(float64); ok && n == float64(int64(n)) {
			got = int64(n)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v (%v), want %#v", source, got, err, want)
		}
	}
}
