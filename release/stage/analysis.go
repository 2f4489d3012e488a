package stage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/judge"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
)

const (
	// counted is the key of the look at what the proxies counted.
	counted   = "answers"
	lookEvery = 2 * time.Second
)

// analysis asks whether a version is good: the judge, with the proof that a release needs before most people get a version,
// and whom it names beside. Nobody's traffic is moved. Without a verdict in time a person is asked, and then only a person lets the
// run go on. Outputs: verdict, why, version, old.
type analysis struct{}

// evidence is what was seen so far; where it is lost, it begins anew.
type evidence struct {
	Old    string                   `json:"old,omitempty"` // once it is known
	Judge  json.RawMessage          `json:"judge,omitempty"`
	Counts map[string]opinion.Count `json:"counts,omitempty"`
}

// inquiry is one call.
type inquiry struct {
	pipeline.StageInput
	*v1alpha1.AnalysisStage
	app    string
	seen   evidence
	limits release.Limits
}

func inquire(in pipeline.StageInput) (inquiry, error) {
	a := inquiry{StageInput: in, AnalysisStage: in.Config.(*v1alpha1.AnalysisStage)}
	a.app = cmp.Or(a.Application, in.Run.Application)
	if len(in.Soft) > 0 && json.Unmarshal(in.Soft, &a.seen) != nil {
		a.seen = evidence{}
	}
	a.seen.Old = cmp.Or(a.Old, a.seen.Old)
	var err error
	a.limits, err = release.ReadLimits(a.Analysis, !a.Alone)
	switch {
	case err != nil:
	case a.Kayenta != nil:
	case a.app == "":
		err = fmt.Errorf("%s", nameless)
	case a.New == "":
		err = fmt.Errorf("new: which version?")
	case a.Alone && !a.Analysis.Any():
		err = fmt.Errorf("alone: with no other version, and nobody asked beside, nothing decides: give analysis.queries or analysis.webhooks")
	case !a.Alone && a.seen.Old == a.New:
		err = fmt.Errorf("%s is the version that serves: give old, or alone", a.New)
	}
	return a, err
}

func (analysis) Looks(in pipeline.StageInput) []pipeline.Look {
	a, err := inquire(in)
	if err != nil {
		return nil // Next says so
	}
	if a.Kayenta != nil {
		return a.kayentaLooks()
	}
	var looks []pipeline.Look
	if !a.Alone {
		t := release.Target{Application: a.app}
		if a.limits.Latency != nil {
			t.SlowerThan = a.limits.Latency.SlowerThan
		}
		looks = append(looks, pipeline.Look{Key: counted, Kind: pipeline.SeeAnswers, Data: encode(t), Every: lookEvery})
	}
	if !a.Alone && a.seen.Old == "" {
		return looks
	}
	about := opinion.About{Application: a.app, Namespace: in.Run.Namespace, Version: a.New, Old: a.seen.Old}
	for _, ask := range opinion.Asks(a.Analysis.Others, about, in.Eval, in.Env) {
		looks = append(looks, pipeline.Look{Key: ask.Key, Kind: pipeline.SeeOpinion, Data: encode(ask), Every: ask.Every})
	}
	return looks
}

func (analysis) Next(in pipeline.StageInput) pipeline.StageOutcome {
	if in.Cancel != "" {
		return cancelled(in.Cancel)
	}
	a, err := inquire(in)
	switch {
	case err != nil:
		return failed(err.Error())
	case a.Kayenta != nil:
		return a.kayentaNext()
	}
	v := a.judge()
	if v.Kind != release.Fail {
		v = a.listen(v)
	}
	out := a.outcome(v)
	if out.Phase.Live() {
		out.Soft = encode(a.seen)
	}
	return out
}

// judge compares what the proxies counted.
func (a *inquiry) judge() release.Verdict {
	if a.Alone {
		return release.Verdict{Kind: release.Pass}
	}
	fact, known := a.Facts[counted]
	var answers release.Answers
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &answers) != nil {
		return release.Verdict{Kind: release.Continue, Why: "what the proxies counted is not known" + because(fact.Err)}
	}
	if a.seen.Old = cmp.Or(a.seen.Old, answers.Serving); a.seen.Old == "" {
		return release.Verdict{Kind: release.Continue, Why: "no version serves that could be compared with: give old, or alone"}
	}
	q := release.Question{
		New: a.New, Old: a.seen.Old, Step: 1, Gate: release.NotWorse, Traffic: answers.Traffic, Routes: answers.Routes,
		MaxIncrease: a.limits.MaxIncrease, Latency: a.limits.Latency, Confidence: a.limits.Confidence,
	}
	var v release.Verdict
	a.seen.Judge, v = judge.ErrorRate{}.Look(a.seen.Judge, q)
	return v
}

// listen is a verdict with what others say.
func (a *inquiry) listen(v release.Verdict) release.Verdict {
	if len(a.limits.Voices) == 0 {
		return v
	}
	said := map[string]opinion.Said{}
	for key, fact := range a.Facts {
		var one opinion.Said
		if key == counted {
			continue
		}
		if fact.Err != "" || json.Unmarshal(fact.Data, &one) != nil {
			one = opinion.Said{At: fact.At, Text: fact.Err}
		}
		said[key] = one
	}
	counts, others := opinion.Listen(a.limits.Voices, a.seen.Counts, opinion.Step{Since: a.Started, Applied: a.Started}, said)
	a.seen.Counts = counts
	switch {
	case others.Kind == opinion.Fail:
		return release.Verdict{Kind: release.Fail, Why: others.Why}
	case others.Kind == opinion.Continue:
		v.Kind = release.Continue
	}
	if v.Why != "" {
		v.Why += "; "
	}
	v.Why += others.Why
	return v
}

// outcome ends with a verdict, or asks a person when it is late.
func (a *inquiry) outcome(v release.Verdict) pipeline.StageOutcome {
	late := a.Started.Add(a.limits.Deadline)
	asks := !a.Now.Before(late)
	out := pipeline.StageOutcome{Phase: pipeline.Running, Why: v.Why, Wake: late}
	switch {
	case v.Kind == release.Fail:
		out.Phase, out.Outputs = pipeline.Failed, a.outputs("fail", v.Why)
	case asks:
		out = undecided(a.StageInput, a.limits.Deadline, v.Why)
	case v.Kind == release.Pass:
		out.Phase, out.Outputs = pipeline.Succeeded, a.outputs("pass", v.Why)
	}
	return out
}

// undecided asks a person: then only a person lets the run go on.
func undecided(in pipeline.StageInput, deadline time.Duration, why string) pipeline.StageOutcome {
	return chosen(in, pipeline.StageOutcome{
		Phase: pipeline.Asking, Why: fmt.Sprintf("no verdict within %s, judge continue or stop: %s", deadline, why), Wake: in.Now.Add(lookEvery),
	})
}

func (a *inquiry) outputs(verdict, why string) json.RawMessage {
	return encode(map[string]string{"verdict": verdict, "why": why, "version": a.New, "old": a.seen.Old})
}

func because(err string) string {
	if err == "" {
		return ""
	}
	return ": " + err
}
