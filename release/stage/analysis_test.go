package stage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/opinion"
	"weft.dev/release/pipeline"
)

// probe is an analysis whose world the test says.
type probe struct {
	t  *testing.T
	in pipeline.StageInput
}

func newProbe(t *testing.T, c *v1alpha1.AnalysisStage) *probe {
	in := input(t, c)
	in.Started, in.Facts = noon, map[string]pipeline.Fact{}
	return &probe{t, in}
}

// counts are answers of v2 and v3 since a while, with so many bad ones of v3.
func (p *probe) counts(requests, bad uint64) *probe {
	p.in.Facts[counted] = pipeline.Fact{At: p.in.Now, Data: encode(release.Answers{Serving: "v2", Traffic: map[string]map[string]release.Counts{
		"v2": {"web": {Requests: requests}}, "v3": {"web": {Requests: requests, Errors: bad}},
	}})}
	return p
}

func (p *probe) says(key string, value float64) *probe {
	p.in.Facts[key] = pipeline.Fact{At: p.in.Now, Data: encode(opinion.Said{At: p.in.Now, Value: &value})}
	return p
}

// next goes on after a while, and wants a phase and words.
func (p *probe) next(after time.Duration, phase pipeline.StagePhase, words string) pipeline.StageOutcome {
	p.t.Helper()
	p.in.Now = p.in.Now.Add(after)
	out := analysis{}.Next(p.in)
	if out.Phase != phase || !strings.Contains(shown(out), words) {
		p.t.Errorf("%s\nwant %s: %s", shown(out), phase, words)
	}
	if out.Soft != nil {
		p.in.Soft = out.Soft
	}
	if out.Memory != nil {
		p.in.Memory = out.Memory
	}
	return out
}

// looks are the keys of what it wants to know, and what is in the data.
func (p *probe) looks(words ...string) {
	p.t.Helper()
	all := analysis{}.Looks(p.in)
	if len(all) != len(words) {
		p.t.Errorf("%d looks, want %d", len(all), len(words))
		return
	}
	for i, l := range all {
		if text := fmt.Sprint(l.Key, " ", l.Kind, " ", l.Every, " ", string(l.Data)); !strings.Contains(text, words[i]) {
			p.t.Errorf("%s\nwant %s", text, words[i])
		}
	}
}

func orders() v1alpha1.Others {
	return v1alpha1.Others{Prometheus: &v1alpha1.Prometheus{URL: "http://prom"}, Queries: []v1alpha1.Query{{
		Name: "orders", Query: `unpaid{v="${version}",p="${params.version}"}`, Max: "0.5",
	}}}
}

// Two versions are compared by what the proxies counted since the stage started.
func TestAnalysisOfTraffic(t *testing.T) {
	p := newProbe(t, &v1alpha1.AnalysisStage{New: "v3"})
	p.looks(`answers answers/get 2s {"Namespace":"","Application":"reviews"`)
	p.next(0, pipeline.Running, "what the proxies counted is not known")
	p.in.Facts[counted] = pipeline.Fact{Err: "no such application"}
	p.next(0, pipeline.Running, "is not known: no such application")
	p.counts(100, 50).next(time.Second, pipeline.Running, "v3 answered no request") // before its time
	p.counts(2000, 52).next(time.Minute, pipeline.Running, "v3 answered 2 of 1900 requests badly (0.1%), v2 0 of 1900")
	out := p.counts(9000, 53).next(time.Minute, pipeline.Succeeded, `"verdict":"pass","version":"v3"`)
	if !strings.Contains(out.Why, "at most 0.5 points worse, 99% sure") || !strings.Contains(string(out.Outputs), `"old":"v2"`) {
		t.Error(shown(out))
	}
	p = newProbe(t, &v1alpha1.AnalysisStage{New: "v3", Old: "v2"}).counts(0, 0)
	p.next(0, pipeline.Running, "")
	p.counts(1000, 100).next(time.Second, pipeline.Failed, "worse beyond chance")
}

// Without a verdict a person decides, and a bad one still counts.
func TestAnalysisAsks(t *testing.T) {
	p := newProbe(t, &v1alpha1.AnalysisStage{New: "v3", Analysis: v1alpha1.Analysis{Deadline: &metav1.Duration{Duration: time.Minute}}}).counts(0, 0)
	p.next(59*time.Second, pipeline.Running, "")
	p.next(time.Second, pipeline.Asking, "no verdict within 1m0s, judge continue or stop: v3 answered no request")
	p.counts(9000, 0).next(time.Second, pipeline.Asking, "at most 0.5 points worse") // a person was asked
	p.in.Decisions = []pipeline.Decision{{Name: "d", Verb: pipeline.Judge, Choice: "continue", By: "bob"}}
	p.next(0, pipeline.Succeeded, "bob: continue")
	p.in.Decisions[0].Choice = stop
	p.next(0, pipeline.Failed, "stopped by bob")
	p.in.Decisions[0].By = ""
	p.next(0, pipeline.Asking, "{d false nobody vouches")
	p.in.Decisions = nil
	p.counts(19000, 9000).next(time.Second, pipeline.Failed, "worse beyond chance")
}

// Others decide beside the proxies, or alone.
func TestAnalysisListens(t *testing.T) {
	p := newProbe(t, &v1alpha1.AnalysisStage{New: "v3", Analysis: v1alpha1.Analysis{Others: orders()}}).counts(0, 0)
	p.looks(counted)
	p.next(0, pipeline.Running, "query orders: no answer")
	p.looks(counted, `query/orders opinion/get 30s {"key":"query/orders","every":30000000000,"about":{"namespace":"shop","application":"reviews","version":"v3","old":"v2"},"prometheus":{"url":"http://prom"},"query":"unpaid{v=\"v3\",p=\"v2\"}"}`)
	p.counts(9000, 0).next(time.Minute, pipeline.Running, "99% sure")
	p.says("query/orders", 0).next(0, pipeline.Succeeded, "query orders: 0 is within <= 0.5 (1 of 1 good)")
	p.says("query/orders", 1).next(0, pipeline.Failed, "query orders: 1 is above 0.5 (1 bad, allowed are 0)")

	p = newProbe(t, &v1alpha1.AnalysisStage{New: "v3", Alone: true, Analysis: v1alpha1.Analysis{Others: orders()}})
	p.looks("query/orders")
	p.in.Facts["query/orders"] = pipeline.Fact{At: noon, Err: "refused"}
	p.next(time.Minute, pipeline.Running, "query orders: refused (0 of 1 good)")
	p.says("query/orders", 0).next(0, pipeline.Succeeded, "query orders: 0 is within")
}

// What nothing could decide fails before it waits.
func TestAnalysisRefused(t *testing.T) {
	for want, c := range map[string]*v1alpha1.AnalysisStage{
		"alone: with no other version":     {New: "v3", Alone: true},
		"new: which version?":              {},
		"v3 is the version that serves":    {New: "v3", Old: "v3"},
		"analysis.confidence":              {New: "v3", Analysis: v1alpha1.Analysis{Confidence: "0.1"}},
		"who answers analysis.queries?":    {New: "v3", Analysis: v1alpha1.Analysis{Others: v1alpha1.Others{Queries: orders().Queries}}},
		"analysis.prometheus: where are":   {Kayenta: theirs("m"), New: "v3"},
		"${other} is no part of its scope": {Kayenta: theirs("${other}"), Analysis: v1alpha1.Analysis{Others: orders()}},
		"give scopes, a lifetime":          {Kayenta: &v1alpha1.Kayenta{}, New: "v3"},
		"canary configuration: unexpected": {Kayenta: &v1alpha1.Kayenta{Scopes: []v1alpha1.KayentaScope{{}}, Lifetime: metav1.Duration{Duration: time.Hour}}},
		`kayenta.pass: "101" is no score`:  {Kayenta: func() *v1alpha1.Kayenta { k := theirs("m"); k.Pass = "101"; return k }(), Analysis: v1alpha1.Analysis{Others: orders()}},
	} {
		p := newProbe(t, c)
		p.next(0, pipeline.Failed, want)
		p.looks()
	}
}

// theirs is an hour of Kayenta's, judged each 20 minutes.
func theirs(query string) *v1alpha1.Kayenta {
	config := fmt.Sprintf(`{"metrics":[{"name":"errors","groups":["all"],"query":{"type":"prometheus","customInlineTemplate":"PromQL:%s"},
		"analysisConfigurations":{"canary":{"direction":"increase"}}}],"classifier":{"groupWeights":{"all":100},"scoreThresholds":{"pass":95,"marginal":75}}}`, query)
	return &v1alpha1.Kayenta{
		Config:   runtime.RawExtension{Raw: []byte(config)},
		Scopes:   []v1alpha1.KayentaScope{{Control: "v2", Experiment: "v3", Parameters: map[string]v1alpha1.Value{"zone": "a"}}},
		Lifetime: metav1.Duration{Duration: time.Hour}, Interval: &metav1.Duration{Duration: 20 * time.Minute},
		Delay: &metav1.Duration{Duration: 5 * time.Minute}, Lookback: &metav1.Duration{Duration: 30 * time.Minute},
	}
}

// points of both sides of the next judgement.
func (p *probe) points(key string, control, experiment float64) *probe {
	var s opinion.Series
	for _, from := range []float64{control, experiment} {
		var all []*float64
		for i := range 30 {
			x := from + float64(i%7)
			all = append(all, &x)
		}
		s.Points = append(s.Points, append(all, nil))
	}
	p.in.Facts[key] = pipeline.Fact{At: p.in.Now, Data: encode(s)}
	return p
}

// Each judgement has its time, its points and its score; the last one decides.
func TestKayentaStage(t *testing.T) {
	c := &v1alpha1.AnalysisStage{New: "v3", Analysis: v1alpha1.Analysis{Others: orders()}, Kayenta: theirs("e{v='${scope}',z='$\\\\{zone}'}")}
	p := newProbe(t, c)
	p.looks()
	p.next(0, pipeline.Running, "judgement 1 of 3 is at 12:25:00Z")
	p.in.Now = noon.Add(25 * time.Minute)
	p.looks(`judgement-1 opinion/series 10s {"namespace":"shop","prometheus":{"url":"http://prom"},"queries":[{"query":"e{v='v2',z='a'}","from":"2026-03-01T12:05:00Z","to":"2026-03-01T12:25:00Z","step":60000000000},{"query":"e{v='v3',z='a'}"`)
	out := p.points("judgement-1", 10, 10).next(0, pipeline.Running, "judgement 1 of 3: Pass 100: score 100: 95 is a pass, below 75 a failure")
	if string(out.Memory) != `{"scores":[100]}` || out.Note == "" {
		t.Errorf("memory %s, note %q", out.Memory, out.Note)
	}
	p.next(0, pipeline.Running, "judgement 2 of 3 is at 12:45:00Z")
	p.in.Now = noon.Add(45 * time.Minute)
	p.looks(`"from":"2026-03-01T12:15:00Z","to":"2026-03-01T12:45:00Z"`) // no more than the lookback
	p.in.Facts["judgement-2"] = pipeline.Fact{Err: "refused"}
	p.next(9*time.Minute, pipeline.Running, "12:45:00Z: refused")
	p.next(time.Minute, pipeline.Asking, "no verdict within 10m0s")
	p.points("judgement-2", 10, 10).next(0, pipeline.Running, "judgement 2 of 3")
	memory := p.in.Memory
	p.in.Now = noon.Add(65 * time.Minute)
	out = p.points("judgement-3", 10, 10).next(0, pipeline.Succeeded, "judgement 3 of 3: Pass 100")
	var got map[string]any
	if err := json.Unmarshal(out.Outputs, &got); err != nil || fmt.Sprint(got["verdict"], got["scores"], got["metrics"]) != "pass[100 100 100] map[errors:Pass]" {
		t.Errorf("%v, %v", got, err)
	}
	p.in.Memory = memory
	p.points("judgement-3", 10, 90).next(0, pipeline.Failed, `judgement 3 of 3: Fail 0`)
}
