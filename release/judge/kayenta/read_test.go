package kayenta

import (
	"reflect"
	"strings"
	"testing"
)

const config = `{
  "name": "shop", "configVersion": "1", "applications": ["shop"],
  "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {"tolerance": 0.1}},
  "metrics": [
    {"name": "errors", "groups": ["Errors"], "query": {"type": "prometheus"}, "scopeName": "default",
     "analysisConfigurations": {"canary": {
       "direction": "increase", "nanStrategy": "replace", "critical": "true", "mustHaveData": true, "colour": "red",
       "outliers": {"strategy": "remove", "outlierFactor": "2.5"},
       "effectSize": {"allowedIncrease": 1.1, "criticalIncrease": "1.5"}}}},
    {"name": "cpu", "groups": ["System"], "analysisConfigurations": {"canary": {
       "direction": "up", "muted": true, "outliers": {"strategy": "clip", "outlierFactor": 3}, "effectSize": {"measure": "cles"}}}},
    {"name": "plain", "groups": []}
  ],
  "classifier": {"groupWeights": {"Errors": 60, "System": 40}, "scoreThresholds": {"pass": "95", "marginal": null}}
}`

func TestReadConfig(t *testing.T) {
	got, warnings, err := ReadConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	errors := Metric{Name: "errors", Groups: []string{"Errors"}, Direction: Increase, ReplaceNaN: true, Outliers: 2.5, Critical: true, MustHaveData: true,
		Effect: Effect{MeanRatio, 1.1, 1, 1.5, 1}}
	cpu := Metric{Name: "cpu", Groups: []string{"System"}, Direction: Either, Muted: true, Effect: Effect{CLES, 0.5, 0.5, 0.5, 0.5}}
	plain := Metric{Name: "plain", Groups: []string{}, Direction: Either, Effect: Effect{MeanRatio, 1, 1, 1, 1}}
	want := Config{Metrics: []Metric{errors, cpu, plain}, Weights: map[string]float64{"Errors": 60, "System": 40}, Pass: 95, Marginal: 50}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
	const expected = `judge.judgeConfigurations.tolerance does nothing: Kayenta does not read it
metrics[0].analysisConfigurations.canary.colour does nothing: Kayenta does not read it
metrics[0].analysisConfigurations.canary: mustHaveData does nothing where nanStrategy is replace: without data the metric passes
metrics[1].analysisConfigurations.canary.direction is "up", which Kayenta does not know: it takes "either"
metrics[1].analysisConfigurations.canary.outliers.strategy is "clip", which Kayenta does not know: it takes "keep"`
	if all := strings.Join(warnings, "\n"); all != expected {
		t.Errorf("warnings\n%s\nwant\n%s", all, expected)
	}
}

func TestReadConfigRefuses(t *testing.T) {
	metric := func(canary string) string {
		return `{"metrics": [{"name": "m", "analysisConfigurations": {"canary": ` + canary + `}}]}`
	}
	for text, want := range map[string]string{
		`[`:                                   "canary configuration: ",
		`{"judge": {"name": "remote-judge"}}`: `judge.name is "remote-judge"`,
		metric(`{"effectSize": {"allowedIncrease": "much"}}`):              `canary.effectSize.allowedIncrease is "much": it must be a number`,
		metric(`{"outliers": {"strategy": "remove", "outlierFactor": 0}}`): "outlierFactor is 0: it must be above 0",
		metric(`{"critical": "perhaps"}`):                                  `canary.critical is "perhaps"`,
		metric(`{"outliers": 3}`):                                          "canary.outliers: ",
	} {
		if _, _, err := ReadConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A configuration is anybody's text.
func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(config))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := ReadConfig(text)
		if err != nil {
			return
		}
		for _, m := range c.Metrics {
			if _, err := Judge(c, []Series{{Name: m.Name, Control: []float64{1, 2, 3}, Experiment: []float64{2, 3, 9}}}); err != nil {
				t.Error(err)
			}
		}
	})
}
