package strategy

import (
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/opinion"
)

const askEvery = time.Second

// queries gives an analysis some, whose numbers are good up to 0.5.
func queries(o *v1alpha1.Others, names ...string) {
	o.Prometheus = &v1alpha1.Prometheus{URL: "http://prometheus"}
	for _, name := range names {
		o.Queries = append(o.Queries, v1alpha1.Query{Name: name, Query: "x", Max: "0.5", Cadence: v1alpha1.Cadence{Every: &metav1.Duration{Duration: askEvery}}})
	}
}

// chanceOther is one that is asked: it is late, has nothing to say, and says now this and now that.
type chanceOther struct {
	*rand.Rand
	key    string
	likes  int // percent of its answers are good
	said   opinion.Said
	next   time.Time
	since  time.Time // the share is that of now
	good   bool      // it was called good since
	bad    bool      // it was called bad, and that is stored
	silent bool
}

func newOthers(random *rand.Rand, o *v1alpha1.Others) (all []*chanceOther) {
	queries(o, "a", "b")
	for _, name := range []string{"a", "b"} {
		all = append(all, &chanceOther{
			Rand: random, key: "query/" + name, likes: []int{100, 100, 100, 100, 90, 0}[random.IntN(6)], silent: random.IntN(20) == 0,
		})
	}
	return all
}

// say is what it said last: it was asked some time before.
func (o *chanceOther) say(now time.Time, said map[string]opinion.Said) {
	if now.After(o.next) {
		o.next = now.Add(time.Duration(o.IntN(4000)) * time.Millisecond)
		asked := now.Add(-time.Duration(o.IntN(3000)) * time.Millisecond)
		o.said = opinion.Said{At: later(asked, o.said.At.Add(1)), Text: "no data"} // it is asked again when it has answered
		if !o.silent && o.IntN(4) > 0 {
			x := 0.0
			if o.IntN(100) >= o.likes {
				x = 1
			}
			o.said.Value = &x
		}
	}
	said[o.key] = o.said
	if v := o.said.Value; v != nil && *v == 0 && !o.said.At.Before(o.since) {
		o.good = true
	}
}

// hear notes that what it said is stored, if the version has traffic.
func (o *chanceOther) hear(traffic bool) {
	v := o.said.Value
	o.bad = o.bad || traffic && v != nil && *v == 1 && !o.said.At.Before(o.since.Add(askEvery))
}

func (o *chanceOther) forget(now time.Time) { o.good, o.bad, o.since = false, false, now }

// asked is a canary at 5% whose judge is content, with two queries.
func asked(t *testing.T) *scene {
	s := newScene(t, Canary)
	queries(&s.in.Config.Strategy.Analysis.Others, "a", "b")
	s.next(0).do().next(1).do()
	s.judge.kind = release.Pass
	return s
}

func (s *scene) says(key string, value float64) *scene {
	if s.in.Facts.Said == nil {
		s.in.Facts.Said = map[string]opinion.Said{}
	}
	s.in.Facts.Said["query/"+key] = opinion.Said{At: s.in.Now, Value: &value}
	return s
}

// A step needs all of others, each anew, and the last one, too.
func TestOthersPass(t *testing.T) {
	s := asked(t)
	s.next(1).want(progressing, "", "query a: no answer")
	s.next(2*time.Second).says("a", 0).next(0).want(progressing, "", "query b: no answer")
	s.says("b", 0).next(0).want(progressing, "v2 75%, v3 25%", "").do()
	s.next(0).want(progressing, "", "query a: 0 is within <= 0.5 (0 of 1 good)")
	s.next(2*time.Second).says("a", 0).says("b", 0).next(0).want(progressing, "v2 50%, v3 50%", "").do().next(0)
	s.next(2*time.Second).says("a", 0).says("b", 0).next(0).want(progressing, "v2 0%, v3 100%", "").do().next(0)
	s.want(progressing, "", "0 of 1 good").next(2*time.Second).says("a", 0).says("b", 0).next(0).want(succeeded, "", "query b: 0 is within <= 0.5 (1 of 1 good)")
}

// One of them is enough for the way back, whatever the judge and the other say.
func TestOthersFail(t *testing.T) {
	s := asked(t)
	s.next(1).next(2*time.Second).says("a", 0).says("b", 1).next(0)
	s.want(rollingBack, "v2 100%, v3 0%", "query b: 1 is above 0.5 (1 bad, allowed are 0)")
}

// Who says nothing makes no verdict: a person is asked.
func TestOthersSilent(t *testing.T) {
	s := asked(t)
	s.next(1).next(9*time.Minute).want(progressing, "", "query a: no answer")
	s.in.Facts.Said = map[string]opinion.Said{"query/a": {At: s.in.Now, Text: "connection refused"}}
	s.next(2*time.Minute).want(inconclusive, "", "connection refused")
	s.says("a", 0).says("b", 0).next(0).want(inconclusive, "", "evidence") // a person was asked
	s.in.Promote = true
	s.next(0).want(progressing, "v2 75%, v3 25%", "")
}

// What cannot be asked begins nothing.
func TestOthersWrong(t *testing.T) {
	s := newScene(t, Canary)
	queries(&s.in.Config.Strategy.Analysis.Others, "a")
	s.in.Config.Strategy.Analysis.Queries[0].Max = ""
	s.next(0).want(failed, "", "strategy.analysis.queries[0]: it says nothing without a bound")
}
