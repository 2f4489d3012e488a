package stage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/judge/kayenta"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
)

const (
	usualStep = time.Minute
	// maxJudgements of one analysis: their scores are its memory.
	maxJudgements = 200
	againEvery    = 10 * time.Second // where points could not be had
)

// scores of the judgements so far, 0 to 100.
type scores struct {
	Scores []float64 `json:"scores"`
}

// canary is an analysis by Kayenta's judge, at one judgement.
type canary struct {
	inquiry
	config  kayenta.Config
	queries []kayenta.Query
	scores
	first time.Time // point
	every time.Duration
	all   int // judgements
}

func (a inquiry) canary() (canary, error) {
	c := canary{inquiry: a, first: a.Started, every: a.Kayenta.Lifetime.Duration}
	k := a.Kayenta
	if k.Delay != nil {
		c.first = c.first.Add(k.Delay.Duration)
	}
	if k.Interval != nil && k.Interval.Duration > 0 {
		c.every = min(c.every, k.Interval.Duration)
	}
	if c.every < time.Second || len(k.Scopes) == 0 || k.Lifetime.Duration/c.every > maxJudgements {
		return c, fmt.Errorf("kayenta: give scopes, a lifetime and an interval of at least 1s, and at most %d judgements", maxJudgements)
	}
	c.all = int(k.Lifetime.Duration / c.every)
	var err error
	if c.config, _, err = kayenta.ReadConfig(k.Config.Raw); err != nil {
		return c, err
	}
	if c.queries, err = kayenta.ReadQueries(k.Config.Raw); err != nil {
		return c, err
	}
	if c.config.Pass, err = score("pass", k.Pass, c.config.Pass); err != nil {
		return c, err
	}
	if c.config.Marginal, err = score("marginal", k.Marginal, c.config.Marginal); err != nil {
		return c, err
	}
	if a.Analysis.Prometheus == nil || a.Analysis.Prometheus.URL == "" {
		return c, fmt.Errorf("analysis.prometheus: where are kayenta's metrics? give its url")
	}
	if len(a.Memory) > 0 {
		err = json.Unmarshal(a.Memory, &c.scores)
	}
	if err == nil && !c.over() {
		_, err = c.ask()
	}
	return c, err
}

func score(field, written string, usual float64) (float64, error) {
	if written == "" {
		return usual, nil
	}
	x, err := strconv.ParseFloat(written, 64)
	if err != nil || x < 0 || x > 100 {
		return 0, fmt.Errorf("kayenta.%s: %q is no score from 0 to 100", field, written)
	}
	return x, nil
}

func (c canary) over() bool { return len(c.Scores) >= c.all }

// due is the time of the next judgement; the last one is at the end of the lifetime.
func (c canary) due() time.Time {
	if n := len(c.Scores) + 1; n < c.all {
		return c.first.Add(time.Duration(n) * c.every)
	}
	return c.first.Add(c.Kayenta.Lifetime.Duration)
}

// key of the look for the next judgement's points.
func (c canary) key() string { return fmt.Sprintf("judgement-%d", len(c.Scores)+1) }

// ask is the question for the next judgement's points: of each metric those of control, then of experiment.
func (c canary) ask() (opinion.Range, error) {
	r := opinion.Range{Namespace: c.Run.Namespace, Prometheus: c.Analysis.Prometheus}
	to := c.due()
	from := c.first
	if back := c.Kayenta.Lookback; back != nil && back.Duration > 0 && to.Add(-back.Duration).After(from) {
		from = to.Add(-back.Duration)
	}
	for _, q := range c.queries {
		s := c.scope(q.Scope)
		step := usualStep
		if s.Step != nil && s.Step.Duration > 0 {
			step = s.Step.Duration
		}
		for _, side := range [][2]string{{s.Control, s.ControlLocation}, {s.Experiment, s.ExperimentLocation}} {
			values := map[string]string{"scope": side[0], "location": side[1]}
			for name, value := range s.Parameters {
				values[name] = string(value)
			}
			query, err := q.Build(values)
			if err != nil {
				return r, err
			}
			r.Queries = append(r.Queries, opinion.RangeQuery{Query: query, From: from, To: to, Step: step})
		}
	}
	return r, nil
}

// scope is the one that a metric names, else the first.
func (c canary) scope(name string) v1alpha1.KayentaScope {
	i := slices.IndexFunc(c.Kayenta.Scopes, func(s v1alpha1.KayentaScope) bool { return cmp.Or(s.Name, "default") == cmp.Or(name, "default") })
	return c.Kayenta.Scopes[max(0, i)]
}

func (a inquiry) kayentaLooks() []pipeline.Look {
	c, err := a.canary()
	if err != nil || c.over() || a.Now.Before(c.due()) {
		return nil
	}
	ask, _ := c.ask() // canary has tried it
	return []pipeline.Look{{Key: c.key(), Kind: pipeline.SeeSeries, Data: encode(ask), Every: againEvery}}
}

func (a inquiry) kayentaNext() pipeline.StageOutcome {
	c, err := a.canary()
	if err != nil {
		return failed(err.Error())
	}
	due := c.due()
	fact, known := a.Facts[c.key()]
	var series opinion.Series
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &series) != nil || len(series.Points) != 2*len(c.queries) {
		why := fmt.Sprintf("judgement %d of %d is at %s%s", len(c.Scores)+1, c.all, due.UTC().Format("15:04:05Z"), because(fact.Err))
		if !a.Now.Before(due.Add(a.limits.Deadline)) {
			return undecided(a.StageInput, a.limits.Deadline, why)
		}
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why, Wake: pipeline.Later(a.Now, due)}
	}
	result, err := kayenta.Judge(c.config, c.compared(series))
	if err != nil {
		return failed(err.Error())
	}
	return c.outcome(result)
}

// compared are the points of each metric.
func (c canary) compared(s opinion.Series) (all []kayenta.Series) {
	for i, q := range c.queries {
		all = append(all, kayenta.Series{Name: q.Name, Control: numbers(s.Points[2*i]), Experiment: numbers(s.Points[2*i+1])})
	}
	return all
}

func numbers(points []*float64) []float64 {
	all := make([]float64, len(points))
	for i, p := range points {
		if all[i] = math.NaN(); p != nil {
			all[i] = *p
		}
	}
	return all
}

// outcome goes on with a judgement, or ends with it.
func (c canary) outcome(r kayenta.Result) pipeline.StageOutcome {
	c.Scores = append(slices.Clone(c.Scores), r.Score)
	why := fmt.Sprintf("judgement %d of %d: %s %v: %s", len(c.Scores), c.all, r.Class, r.Score, r.Why)
	switch c.config.Verdict(r.Score, c.over()) {
	case kayenta.Pass:
		return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: why, Outputs: c.result("pass", why, r)}
	case kayenta.Fail:
		return pipeline.StageOutcome{Phase: pipeline.Failed, Why: why, Outputs: c.result("fail", why, r)}
	}
	return pipeline.StageOutcome{Phase: pipeline.Running, Why: why, Note: why, Memory: encode(c.scores), Wake: c.Now}
}

// result is the outputs: verdict, why, scores of all judgements, and each metric's class in the last one, where there is room.
func (c canary) result(verdict, why string, r kayenta.Result) json.RawMessage {
	out := map[string]any{"verdict": verdict, "why": why, "scores": c.Scores}
	classes := map[string]string{}
	for _, m := range r.Metrics {
		classes[m.Name] = string(m.Class)
	}
	out["metrics"] = classes
	if raw := encode(out); len(raw) <= pipeline.MaxData {
		return raw
	}
	delete(out, "metrics")
	return encode(out)
}
