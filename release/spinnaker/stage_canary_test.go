package spinnaker

import (
	"slices"
	"strings"
	"testing"
)

const canaryConfigJSON = `{"name":"errors","id":"c","judge":{"name":"NetflixACAJudge-v1.0"},"metrics":[{"name":"m","query":{"type":"prometheus","metricName":"x"}}],"classifier":{"groupWeights":{}}}`

// canaryOf is a canary stage with more in its configuration.
func canaryOf(more string) string {
	return `"type":"kayentaCanary","analysisType":"realTime","canaryConfig":{"canaryConfigId":"c","scopes":[{"controlScope":"v1","experimentScope":"${parameters.n}","step":30,"extendedScopeParams":{"a":"b"}}]` + more + `}`
}

func TestCanary(t *testing.T) {
	config := `"config":` + canaryConfigJSON
	scopes := `"scopes":[{"control":"v1","experiment":"${params.n}","step":"30s","parameters":{"a":"b"}}]`
	for stage, want := range map[string]string{
		canaryOf(`,"lifetimeDuration":"PT2H30M"`): `{"timeout":"3h30m0s","analysis":{"new":"${params.n}","old":"v1","analysis":{},"kayenta":{` + config + `,` + scopes + `,"lifetime":"2h30m0s","pass":"75","marginal":"50"}}}`,
		canaryOf(`,"lifetimeHours":"1","canaryAnalysisIntervalMins":"20","beginCanaryAnalysisAfterMins":5,"lookbackMins":0,"scoreThresholds":{"pass":"90","marginal":null}`): `{"timeout":"2h5m0s","analysis":{"new":"${params.n}","old":"v1","analysis":{},"kayenta":{` + config + `,` + scopes + `,"lifetime":"1h0m0s","interval":"20m0s","delay":"5m0s","pass":"90"}}}`,
		canaryOf(`,"lifetimeHours":1,"canaryAnalysisIntervalMins":120,"scoreThresholds":{}`):                                                                                 `{"timeout":"2h0m0s","analysis":{"new":"${params.n}","old":"v1","analysis":{},"kayenta":{` + config + `,` + scopes + `,"lifetime":"1h0m0s"}}}`,
	} {
		p := mustImport(t, canaryConfigJSON, stageJSON(stage)).Pipelines[0]
		s := p.Spec.Stages[1]
		s.Name, s.After = "", nil
		out, err := parse(encode(s))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(encode(without(out.(object), "name"))); !sameJSON(t, got, want) {
			t.Errorf("%s:\n got %s\nwant %s", stage, got, want)
		}
	}
	for stage, why := range map[string]string{
		canaryOf(``): "no time such as PT2H30M",
		canaryOf(`,"lifetimeDuration":"PT1H","baselineAnalysisOffsetInMins":5`):                         "at the same time",
		canaryOf(`,"lifetimeDuration":"PT1H","lookbackMins":"${x}"`):                                    "no number of minutes",
		canaryOf(`,"lifetimeDuration":"PT1H","scoreThresholds":{"pass":"high"}`):                        "is no score",
		strings.Replace(canaryOf(`,"lifetimeDuration":"PT1H"`), `"realTime"`, `"realTimeAutomatic"`, 1): "a release with strategy canary",
		strings.Replace(canaryOf(`,"lifetimeDuration":"PT1H"`), `"realTime"`, `"retrospective"`, 1):     "not the past",
		strings.Replace(canaryOf(`,"lifetimeDuration":"PT1H"`), `"c"`, `"d"`, 1):                        "is not among the files",
		strings.Replace(canaryOf(`,"lifetimeDuration":"PT1H"`), `"canaryConfigId":"c",`, ``, 1):         "is not among the files",
		strings.Replace(canaryOf(`,"lifetimeDuration":"PT1H"`), `"step":30`, `"startTimeIso":"x"`, 1):   "judges what runs",
		`"type":"kayentaCanary","canaryConfig":{"canaryConfigName":"errors","lifetimeHours":1}`:         "there are 0",
	} {
		items := mustImport(t, canaryConfigJSON, stageJSON(stage)).Report.Items
		i := slices.IndexFunc(items, func(i Item) bool { return i.Stage == "it" && i.Path == "" })
		if items[i].Code != Kept || !strings.Contains(items[i].Text, why) {
			t.Errorf("%s: %s: %s; want one with %q", stage, items[i].Code, items[i].Text, why)
		}
	}
	other := strings.Replace(canaryConfigJSON, "prometheus", "datadog", 1)
	if s := mustImport(t, other, stageJSON(canaryOf(`,"lifetimeHours":1`))).Pipelines[0].Spec.Stages[1]; s.Unsupported == nil {
		t.Errorf("of datadog: %s", encode(s))
	}
	checkRoundTrip(t, []byte("["+canaryConfigJSON+","+stageJSON(canaryOf(`,"lifetimeHours":1`))+"]"))
}
