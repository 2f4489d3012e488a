package kayenta

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// ramp is n points from first on, each step more than the one before.
func ramp(n int, first, step float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = first + step*float64(i)
	}
	return out
}

// with is the metric of a test, changed.
func with(change func(*Metric)) Metric {
	m := NewMetric("errors", "all")
	if change != nil {
		change(&m)
	}
	return m
}

func TestClasses(t *testing.T) {
	nan := math.NaN()
	critical := func(m *Metric) { m.Critical = true }
	replace := func(m *Metric) { m.ReplaceNaN, m.Critical, m.MustHaveData = true, true, true }
	only := func(d Direction) func(*Metric) { return func(m *Metric) { m.Direction = d } }
	high, base := ramp(20, 200, 1), ramp(20, 100, 1)
	for name, c := range map[string]struct {
		metric           Metric
		canary, baseline []float64
		class            Class
		critical         bool
		warning          string
	}{
		"higher":                          {with(nil), high, base, High, false, ""},
		"lower":                           {with(nil), base, high, Low, false, ""},
		"higher, lower is bad":            {with(only(Decrease)), high, base, Pass, false, ""},
		"lower, higher is bad":            {with(only(Increase)), base, high, Pass, false, ""},
		"higher, critical":                {with(critical), high, base, High, true, ""},
		"higher, allowed":                 {with(func(m *Metric) { m.Effect.AllowedIncrease = 2 }), high, base, Pass, false, ""},
		"higher than is allowed":          {with(func(m *Metric) { m.Effect.AllowedIncrease = 1.9 }), high, base, High, false, ""},
		"higher, not critically":          {with(func(m *Metric) { m.Critical, m.Effect.CriticalIncrease = true, 2 }), high, base, High, false, ""},
		"lower, allowed":                  {with(func(m *Metric) { m.Effect.AllowedDecrease = 0.5 }), base, high, Pass, false, ""},
		"always higher of two, by cles":   {with(func(m *Metric) { m.Effect = NewEffect(CLES); m.Effect.AllowedIncrease = 0.99 }), high, base, High, false, ""},
		"the same points":                 {with(nil), []float64{1, 2, 3}, []float64{3, 1, 2}, Pass, false, ""},
		"one value, of several lengths":   {with(nil), repeat(3, 7), repeat(5, 7), Pass, false, ""},
		"constant, higher":                {with(nil), repeat(60, 2), repeat(60, 1), High, false, "noise was added"},
		"no data":                         {with(nil), nil, base, NoData, false, ""},
		"no data, critical":               {with(critical), base, []float64{nan}, NoData, true, ""},
		"no data, wanted":                 {with(func(m *Metric) { m.MustHaveData = true }), nil, base, NoDataFailMetric, false, ""},
		"no data, wanted and critical":    {with(func(m *Metric) { m.MustHaveData, m.Critical = true, true }), nil, base, NoData, true, ""},
		"hole: no data, but replaced":     {with(replace), nil, base, Pass, false, "passes without data, because nanStrategy is replace; it is critical and must have data"},
		"hole: one point each":            {with(critical), []float64{5}, []float64{3}, Error, false, "counts for nothing in its groups; it is critical"},
		"hole: seven of ten (#6278)":      {with(nil), slices.Concat(repeat(7, 100), repeat(3, 1)), repeat(10, 1), Pass, false, "98% sure that there is a shift"},
		"eight of ten":                    {with(nil), slices.Concat(repeat(8, 100), repeat(2, 1)), repeat(10, 1), High, false, ""},
		"hole: few errors, none (#426)":   {with(nil), []float64{0, 1, 2, 1, 0, 0}, repeat(6, 0), Pass, false, "passes with a mean of 0.6667 against 0"},
		"hole: spread (#780)":             {with(nil), slices.Concat(ramp(7, 10, 0.1), ramp(8, 17, 0.1)), slices.Concat(ramp(8, 1, 1), ramp(7, 100, 1)), Pass, false, "times the baseline's mean: ranks are compared"},
		"hole: 0.5%":                      {with(nil), ramp(180, 100.5, 0.001), ramp(180, 100, 0.001), High, false, "fails for 1.005 times the baseline's mean"},
		"effect unknown":                  {with(func(m *Metric) { m.Effect.AllowedIncrease = 1.5 }), base, repeat(20, 0), High, false, "effectSize was not asked for"},
		"few points":                      {with(nil), high, base, High, false, "20 points; 50 are needed"},
		"enough points, nothing doubtful": {with(nil), ramp(50, 200, 1), ramp(50, 100, 1), High, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Judge(Config{Metrics: []Metric{c.metric}}, []Series{{Name: "errors", Experiment: c.canary, Control: c.baseline}})
			if err != nil {
				t.Fatal(err)
			}
			got := r.Metrics[0]
			if got.Class != c.class || got.Critical != c.critical {
				t.Errorf("%s, critical %v: %s; want %s, %v", got.Class, got.Critical, got.Why, c.class, c.critical)
			}
			warnings := strings.Join(got.Warnings, "\n")
			if !strings.Contains(warnings, c.warning) || strings.HasPrefix(name, "enough") && warnings != "" {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
			if got.Why == "" && !strings.Contains(name, "hole") {
				t.Error("a class without a reason")
			}
		})
	}
}

// groups is a configuration and series in which each metric has the class that is asked for.
func groups(weights map[string]float64, classes map[string]Class) (Config, []Series) {
	c := Config{Weights: weights, Pass: 95, Marginal: 75}
	var series []Series
	for name, class := range classes {
		m := NewMetric(name, strings.Split(name, "-")[0])
		s := Series{Name: name, Control: ramp(20, 100, 1), Experiment: ramp(20, 100, 1)}
		switch class {
		case High:
			s.Experiment = ramp(20, 200, 1)
		case Low:
			s.Experiment = ramp(20, 10, 1)
		case NoData:
			s.Experiment = nil
		case NoDataFailMetric:
			s.Experiment, m.MustHaveData = nil, true
		case Error:
			s.Control, s.Experiment = []float64{1}, []float64{2}
		}
		c.Metrics, series = append(c.Metrics, m), append(series, s)
	}
	return c, series
}

func TestScore(t *testing.T) {
	for name, c := range map[string]struct {
		weights map[string]float64
		classes map[string]Class
		score   float64
		class   Class
		warning string
	}{
		"all pass":              {nil, map[string]Class{"a-1": Pass, "b-1": Pass}, 100, Pass, ""},
		"a third of a half":     {nil, map[string]Class{"a-1": Pass, "a-2": Pass, "a-3": High, "b-1": Pass}, 83.33, Marginal, ""},
		"weights":               {map[string]float64{"a": 70}, map[string]Class{"a-1": Low, "b-1": Pass, "c-1": High}, 15, Fail, ""},
		"no data is not there":  {nil, map[string]Class{"a-1": Pass, "a-2": NoData, "a-3": High}, 50, Fail, ""},
		"half without data":     {nil, map[string]Class{"a-1": Pass, "a-2": NoData}, 0, Fail, ""},
		"data that must be":     {nil, map[string]Class{"a-1": Pass, "a-2": NoDataFailMetric}, 50, Fail, ""},
		"hole: an error":        {nil, map[string]Class{"a-1": Pass, "a-2": Error}, 100, Pass, ""},
		"hole: only errors":     {nil, map[string]Class{"a-1": Error, "b-1": Pass}, 100, Pass, "group a scores 100"},
		"hole: weight for none": {map[string]float64{"a": 40, "z": 60}, map[string]Class{"a-1": Pass}, 40, Fail, "sum to 40%"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Judge(groups(c.weights, c.classes))
			if err != nil {
				t.Fatal(err)
			}
			if r.Score != c.score || r.Class != c.class {
				t.Errorf("%v, %s: %s; want %v, %s", r.Score, r.Class, r.Why, c.score, c.class)
			}
			if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, c.warning) || c.warning == "" && w != "" {
				t.Errorf("warnings %q, want %q", w, c.warning)
			}
		})
	}
}

func TestCriticalAndMuted(t *testing.T) {
	c, series := groups(nil, map[string]Class{"a-1": Pass, "a-2": Pass, "a-3": High})
	i := slices.IndexFunc(c.Metrics, func(m Metric) bool { return m.Name == "a-3" })
	c.Metrics[i].Critical = true
	if r, _ := Judge(c, series); r.Score != 0 || !strings.Contains(r.Why, "critical metric a-3 is High") {
		t.Errorf("critical: %v: %s", r.Score, r.Why)
	}
	c.Metrics[i].Muted = true
	if r, _ := Judge(c, series); r.Score != 100 {
		t.Errorf("critical and muted: %v: %s", r.Score, r.Why)
	}
}

func TestLeftOut(t *testing.T) {
	c := Config{Metrics: []Metric{NewMetric("cpu", "all"), NewMetric("memory")}}
	_, err := Judge(c, []Series{{Name: "disk"}})
	if err == nil || !strings.Contains(err.Error(), `"disk"`) {
		t.Errorf("a series of no metric: %v", err)
	}
	r, err := Judge(c, []Series{{Name: "memory", Control: []float64{1, 2}, Experiment: []float64{1, 2}}})
	if all := strings.Join(r.Warnings, "\n"); err != nil || !strings.Contains(all, "cpu was not measured") || !strings.Contains(all, "memory is in no group") {
		t.Errorf("%v, warnings %q", err, all)
	}
}

// What Orca does with scores: its documentation says that 75 goes on and 95 passes.
func TestVerdict(t *testing.T) {
	c := Config{Pass: 95, Marginal: 75}
	for _, v := range []struct {
		score float64
		last  bool
		want  Class
	}{{100, false, Marginal}, {75.01, false, Marginal}, {75, false, Fail}, {94.99, true, Fail}, {95, true, Pass}, {0, true, Fail}} {
		if got := c.Verdict(v.score, v.last); got != v.want {
			t.Errorf("score %v, last %v: %s, want %s", v.score, v.last, got, v.want)
		}
	}
	if got := (Config{}).Verdict(0, true); got != Fail {
		t.Errorf("a score of exactly the marginal one: %s", got)
	}
}

// The same seed gives the same numbers, whatever was judged before.
func TestSeed(t *testing.T) {
	c := Config{Metrics: []Metric{with(nil)}, Seed: 7}
	s := []Series{{Name: "errors", Control: repeat(60, 1), Experiment: repeat(60, 1.00001)}}
	first, _ := Judge(c, s)
	second, _ := Judge(c, s)
	if *first.Metrics[0].Test != *second.Metrics[0].Test {
		t.Error("two judgements of the same points differ")
	}
	c.Seed = 8
	if third, _ := Judge(c, s); *third.Metrics[0].Test == *first.Metrics[0].Test {
		t.Error("the seed does nothing")
	}
}
