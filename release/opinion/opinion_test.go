package opinion

import (
	"math"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// others are one query and one webhook, asked every 10s.
func others(change func(*v1alpha1.Query)) v1alpha1.Others {
	every := v1alpha1.Cadence{Every: &metav1.Duration{Duration: 10 * time.Second}}
	q := v1alpha1.Query{Name: "errors", Query: "x", Max: "0.01", Cadence: every}
	if change != nil {
		change(&q)
	}
	return v1alpha1.Others{
		Prometheus: &v1alpha1.Prometheus{URL: "http://prom"}, Queries: []v1alpha1.Query{q},
		Webhooks: []v1alpha1.VerdictWebhook{{Name: "oracle", URL: "http://oracle", Cadence: every}},
	}
}

func at(after time.Duration, value float64) Said { return Said{At: noon.Add(after), Value: &value} }

func ratio(value, old float64) Said {
	s := at(10*time.Second, value)
	s.Old = &old
	return s
}

// What one number says.
func TestBounds(t *testing.T) {
	limits := func(least, most, ratio string) func(*v1alpha1.Query) {
		return func(q *v1alpha1.Query) { q.Min, q.Max, q.MaxRatio = least, most, ratio }
	}
	for name, c := range map[string]struct {
		bounds func(*v1alpha1.Query)
		said   Said
		kind   Kind
		why    string
	}{
		"within":               {limits("", "0.01", ""), at(0, 0.01), Pass, "0.01 is within <= 0.01"},
		"above":                {limits("", "0.01", ""), at(0, 0.011), Fail, "0.011 is above 0.01"},
		"below":                {limits("-5", "", ""), at(0, -6), Fail, "-6 is below -5"},
		"twice as much":        {limits("", "", "1.5"), ratio(2, 1), Fail, "2 times as much is above 1.5"},
		"as much":              {limits("", "", "1.5"), ratio(1, 1), Pass, "1 times as much"},
		"nothing to nothing":   {limits("", "", "1.5"), ratio(0, 0), Pass, "0"},
		"some to nothing":      {limits("", "", "1.5"), ratio(1, 0), Continue, "there is no ratio"},
		"old one has none":     {limits("", "", "1.5"), at(0, 1), Continue, "the old version has no number"},
		"ratio, but too much":  {limits("", "1", "1.5"), ratio(2, 2), Fail, "above 1"},
		"no number":            {limits("", "0.01", ""), at(0, math.NaN()), Continue, "NaN"},
		"old one is no number": {limits("", "", "2"), ratio(1, math.NaN()), Continue, "no number"},
		"no answer":            {limits("", "0.01", ""), Said{At: noon, Text: "connection refused"}, Continue, "connection refused"},
		"a webhook's word":     {limits("", "0.01", ""), Said{At: noon, Kind: Pass}, Continue, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			voices, err := Voices(others(c.bounds), true)
			if err != nil {
				t.Fatal(err)
			}
			if kind, why := voices[0].read(c.said); kind != c.kind || !strings.Contains(why, c.why) {
				t.Errorf("%q: %s; want %q: %s", kind, why, c.kind, c.why)
			}
		})
	}
}

// story hears answers one after the other.
type story struct {
	t      *testing.T
	voices []Voice
	counts map[string]Count
	step   Step
	said   map[string]Said
}

func newStory(t *testing.T, change func(*v1alpha1.Query)) *story {
	voices, err := Voices(others(change), true)
	if err != nil {
		t.Fatal(err)
	}
	return &story{t, voices, nil, Step{noon, noon}, map[string]Said{}}
}

func (s *story) hears(query Said, webhook Kind) *story {
	s.said["query/errors"] = query
	s.said["webhook/oracle"] = Said{At: query.At, Kind: webhook, Text: "the oracle says so"}
	return s
}

func (s *story) want(kind Kind, why string) *story {
	s.t.Helper()
	var v Verdict
	s.counts, v = Listen(s.voices, s.counts, s.step, s.said)
	if v.Kind != kind || !strings.Contains(v.Why, why) {
		s.t.Errorf("%s: %s; want %s: %s", v.Kind, v.Why, kind, why)
	}
	return s
}

// Silence, what is too early, and half of them are no success.
func TestNobodyPassesAlone(t *testing.T) {
	s := newStory(t, nil).want(Continue, "query errors: no answer (0 of 1 good); webhook oracle: no answer (0 of 1 good)")
	s.hears(at(9*time.Second, 0), Pass).want(Continue, "0 of 1 good")
	s.hears(at(10*time.Second, 0), Continue).want(Continue, "query errors: 0 is within <= 0.01 (1 of 1 good); webhook oracle: the oracle says so (0 of 1 good)")
	s.hears(Said{At: noon.Add(20 * time.Second), Text: "refused"}, Pass).want(Pass, "query errors: refused (1 of 1 good)")
	s.hears(at(30*time.Second, 1), Pass).want(Fail, "query errors: 1 is above 0.01 (1 bad, allowed are 0)")
	s.hears(at(40*time.Second, 0), Pass).want(Fail, "query errors")
}

// A good answer counts once all proxies have the share, a bad one before.
func TestApplied(t *testing.T) {
	s := newStory(t, nil)
	s.step.Applied = time.Time{}
	s.hears(at(time.Minute, 0), Pass).want(Continue, "0 of 1 good")
	s.step.Applied = noon.Add(time.Minute)
	s.want(Continue, "0 of 1 good").hears(at(70*time.Second, 0), Pass).want(Pass, "")
	s = newStory(t, nil)
	s.step.Applied = time.Time{}
	s.hears(at(time.Minute, 1), Pass).want(Fail, "")
}

// Answers count one by one, each once.
func TestCounts(t *testing.T) {
	s := newStory(t, func(q *v1alpha1.Query) { q.Passes, q.Failures = 2, 1 })
	s.hears(at(10*time.Second, 0), Pass).want(Continue, "1 of 2 good").want(Continue, "1 of 2 good")
	s.hears(at(20*time.Second, 1), Pass).want(Continue, "1 of 2 good, 1 bad of 1 allowed").want(Continue, "1 bad of 1 allowed")
	s.hears(at(30*time.Second, 0), Pass).want(Pass, "2 of 2 good, 1 bad of 1 allowed")
	s.hears(at(40*time.Second, 1), Pass).want(Fail, "2 bad, allowed are 1")
}

// What cannot be followed is refused before anything is asked.
func TestRefused(t *testing.T) {
	for want, o := range map[string]v1alpha1.Others{
		"give min, max or maxRatio":      others(func(q *v1alpha1.Query) { q.Max = "" }),
		`max: "much" is no number`:       others(func(q *v1alpha1.Query) { q.Max = "much" }),
		`min: "Inf" is no number`:        others(func(q *v1alpha1.Query) { q.Min = "Inf" }),
		"maxRatio: there is no other":    others(func(q *v1alpha1.Query) { q.MaxRatio = "2" }),
		"who answers analysis.queries?":  {Queries: []v1alpha1.Query{{Name: "a", Query: "x", Max: "1"}}},
		"analysis.prometheus: who answe": {Prometheus: &v1alpha1.Prometheus{}, Queries: []v1alpha1.Query{{Name: "a", Query: "x", Max: "1"}}},
	} {
		if _, err := Voices(o, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Queries know the version, and the old one where that is compared.
func TestAsks(t *testing.T) {
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	about := About{"shop", "reviews", "v3", "v2"}
	q := func(text string) v1alpha1.Others {
		return others(func(q *v1alpha1.Query) { q.Query, q.MaxRatio = text, "2" })
	}
	asks := Asks(q(`e{ns="${space}",app="${application}",v="${version}"}`), about, eval, nil)
	if got := asks[0].Query + " " + asks[0].Old; got != `e{ns="shop",app="reviews",v="v3"} e{ns="shop",app="reviews",v="v2"}` {
		t.Error(got)
	}
	if asks[1].Webhook == nil || asks[1].About != about {
		t.Errorf("%+v", asks[1])
	}
	if asks := Asks(q("${params.x}"), about, eval, nil); asks[0].Wrong == "" {
		t.Errorf("%+v", asks[0])
	}
	if asks := Asks(q("${version}"), about, eval, map[string]any{"params": map[string]any{}}); asks[0].Query != "v3" {
		t.Errorf("%+v", asks[0])
	}
}
