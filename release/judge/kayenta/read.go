package kayenta

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// judgeName is the only judge that this one stands for.
const judgeName = "NetflixACAJudge-v1.0"

// document is a canary configuration as Kayenta stores it; what only its
// metric stores read is left out.
type document struct {
	Judge struct {
		Name                string                     `json:"name"`
		JudgeConfigurations map[string]json.RawMessage `json:"judgeConfigurations"`
	} `json:"judge"`
	Metrics []struct {
		Name                   string                     `json:"name"`
		Groups                 []string                   `json:"groups"`
		AnalysisConfigurations map[string]json.RawMessage `json:"analysisConfigurations"`
	} `json:"metrics"`
	Classifier struct {
		GroupWeights    map[string]float64 `json:"groupWeights"`
		ScoreThresholds section            `json:"scoreThresholds"`
	} `json:"classifier"`
}

// ReadConfig reads a canary configuration in Kayenta's JSON. The warnings are what in it does nothing,
// or not what it seems to. Thresholds of the score that it does not have are 75 and 50, as in Orca.
func ReadConfig(text []byte) (Config, []string, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return Config{}, nil, fmt.Errorf("canary configuration: %w; it is the JSON that Kayenta stores", err)
	}
	r := &reader{}
	if d.Judge.Name != judgeName && d.Judge.Name != "" {
		return Config{}, nil, fmt.Errorf("canary configuration: judge.name is %q; only %s is known", d.Judge.Name, judgeName)
	}
	for _, key := range slices.Sorted(maps.Keys(d.Judge.JudgeConfigurations)) {
		r.warn("judge.judgeConfigurations.%s does nothing: Kayenta does not read it", key)
	}
	c := Config{Weights: d.Classifier.GroupWeights}
	scores := r.in("classifier.scoreThresholds", d.Classifier.ScoreThresholds)
	c.Pass, c.Marginal = scores.number("pass", 75), scores.number("marginal", 50)
	scores.end()
	for i, m := range d.Metrics {
		path := fmt.Sprintf("metrics[%d].analysisConfigurations.canary", i)
		c.Metrics = append(c.Metrics, readMetric(m.Name, m.Groups, r.section(path, m.AnalysisConfigurations["canary"])))
	}
	return c, r.warnings, r.err
}

func readMetric(name string, groups []string, s fields) Metric {
	m := NewMetric(name, groups...)
	m.Direction = Direction(s.choice("direction", string(Either), string(Increase), string(Decrease)))
	m.ReplaceNaN = s.choice("nanStrategy", "remove", "replace") == "replace"
	m.Critical, m.MustHaveData, m.Muted = s.flag("critical"), s.flag("mustHaveData"), s.flag("muted")
	m.Outliers = readOutliers(s.section("outliers"))
	m.Effect = readEffect(s.section("effectSize"))
	s.end()
	switch {
	case m.MustHaveData && m.ReplaceNaN:
		s.r.warn("%s: mustHaveData does nothing where nanStrategy is replace: without data the metric passes", s.path)
	case m.MustHaveData && m.Critical:
		s.r.warn("%s: mustHaveData does nothing where critical is set: without data the score is 0 anyhow", s.path)
	}
	return m
}

// readOutliers is Metric.Outliers.
func readOutliers(s fields) float64 {
	removes := s.choice("strategy", "keep", "remove") == "remove"
	factor := s.number("outlierFactor", 3)
	s.end()
	switch {
	case !removes:
		return 0
	case factor <= 0:
		s.r.fail("%s.outlierFactor is %v: it must be above 0", s.path, factor)
	}
	return factor
}

func readEffect(s fields) Effect {
	e := NewEffect(Measure(s.choice("measure", string(MeanRatio), string(CLES))))
	e.AllowedIncrease, e.AllowedDecrease = s.number("allowedIncrease", e.AllowedIncrease), s.number("allowedDecrease", e.AllowedDecrease)
	e.CriticalIncrease, e.CriticalDecrease = s.number("criticalIncrease", e.CriticalIncrease), s.number("criticalDecrease", e.CriticalDecrease)
	s.end()
	if e.Measure == CLES && (e.AllowedIncrease > 1 || e.CriticalIncrease > 1) {
		s.r.warn("%s: cles is never above 1, so no increase counts", s.path)
	}
	return e
}

// section is an object whose keys are read one by one.
type section map[string]json.RawMessage

// reader collects what is wrong.
type reader struct {
	warnings []string
	err      error // the first one
}

func (r *reader) warn(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) in(path string, s section) fields {
	return fields{r: r, path: path, rest: maps.Clone(s)}
}

func (r *reader) section(path string, raw json.RawMessage) fields {
	var s section
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &s); err != nil {
			r.fail("%s: %w", path, err)
		}
	}
	return r.in(path, s)
}

// fields are those of a section that were not read yet.
type fields struct {
	r    *reader
	path string
	rest section
}

// text of a field, whether it is written with quotes or without; empty: there is none.
func (f fields) text(key string) string {
	raw := f.rest[key]
	delete(f.rest, key)
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil {
		return quoted // null is empty, too
	}
	return strings.TrimSpace(string(raw))
}

// choice is one of the values that Kayenta knows: for any other one it takes the first.
func (f fields) choice(key string, usual string, others ...string) string {
	given := f.text(key)
	if slices.Contains(others, given) {
		return given
	}
	if given != "" && given != usual && given != "none" {
		f.r.warn("%s.%s is %q, which Kayenta does not know: it takes %q", f.path, key, given, usual)
	}
	return usual
}

func (f fields) number(key string, usual float64) float64 {
	given := f.text(key)
	if given == "" {
		return usual
	}
	n, err := strconv.ParseFloat(given, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		f.r.fail("%s.%s is %q: it must be a number", f.path, key, given)
	}
	return n
}

func (f fields) flag(key string) bool {
	given := f.text(key)
	on, err := strconv.ParseBool(given)
	if err != nil && given != "" {
		f.r.fail("%s.%s is %q: it must be true or false", f.path, key, given)
	}
	return on
}

func (f fields) section(key string) fields {
	raw := f.rest[key]
	delete(f.rest, key)
	return f.r.section(f.path+"."+key, raw)
}

// end warns of fields that nothing has read.
func (f fields) end() {
	for _, key := range slices.Sorted(maps.Keys(f.rest)) {
		f.r.warn("%s.%s does nothing: Kayenta does not read it", f.path, key)
	}
}
