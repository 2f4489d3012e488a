package strategy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
)

// scripted is a judge that says what the test told it, and remembers the question.
type scripted struct {
	kind  release.Kind
	asked *release.Question
}

func (s *scripted) Look(_ json.RawMessage, q release.Question) (json.RawMessage, release.Verdict) {
	s.asked = &q
	return json.RawMessage(`{}`), release.Verdict{Kind: s.kind, Why: "evidence"}
}

// scene is one release in a world that does what it asks.
type scene struct {
	t     *testing.T
	s     release.Strategy
	judge *scripted
	in    release.Input
	out   release.Outcome
}

func newScene(t *testing.T, strategy func(release.Judge) release.Strategy) *scene {
	j := &scripted{kind: release.Continue}
	return &scene{t: t, s: strategy(j), judge: j, in: release.Input{
		Now:    time.Unix(1000, 0),
		Config: release.Config{ID: "u", Namespace: "shop", Application: "reviews", Service: "reviews", Version: "v3", Serving: "v2"},
		Facts:  release.Facts{Healthy: map[string]int{"v2": 1, "v3": 1}},
	}}
}

// next takes one step; the world does the action and applies it, unless stuck.
func (s *scene) next(after time.Duration) *scene {
	s.in.Now = s.in.Now.Add(after)
	s.out = s.s.Next(s.in)
	s.in.State = s.out.State
	return s
}

func (s *scene) do() *scene {
	if s.out.Action == nil {
		s.t.Helper()
		s.t.Fatalf("no action to do; %s: %s", s.out.Phase, s.out.Why)
	}
	s.in.Facts.Split = &release.Split{Versions: s.out.Action.Versions, Action: s.out.Action.ID()}
	s.in.Facts.Applied = release.Applied{Known: true, Proxies: 3}
	return s
}

// want checks the phase, the shares that an action asks for ("": no action), and words of the reason.
func (s *scene) want(p v1alpha1.ReleasePhase, shares, why string) *scene {
	s.t.Helper()
	got := ""
	if s.out.Action != nil {
		got = release.FormatVersions(s.out.Action.Versions)
	}
	if s.out.Phase != p || got != shares || !strings.Contains(s.out.Why, why) {
		s.t.Fatalf("got  %s, action %q: %s\nwant %s, action %q: %s", s.out.Phase, got, s.out.Why, p, shares, why)
	}
	return s
}

// A release that is held does not begin, rests at its share without losing time for a verdict,
// and goes back at once.
func TestHold(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Hold = "frozen"
	s.next(time.Hour).want(pending, "", "frozen").next(time.Hour).want(pending, "", "frozen")
	s.in.Hold = ""
	s.next(time.Second).want(progressing, "v2 100%, v3 0%", "").do().next(time.Second).want(progressing, "v2 95%, v3 5%", "").do()
	s.judge.kind, s.in.Hold = release.Pass, "frozen"
	s.in.Promote = true
	s.next(time.Second).want(progressing, "", "frozen").next(time.Hour).want(progressing, "", "frozen")
	s.in.Promote, s.in.Hold, s.judge.kind = false, "", release.Continue
	s.next(time.Second).want(progressing, "", "evidence") // not: no verdict within 10m
	s.in.Hold, s.judge.kind = "frozen", release.Fail
	s.next(time.Second).want(rollingBack, "v2 100%, v3 0%", "evidence")
	s.in.State, s.in.Abort = nil, "aborted"
	s.in.Facts.Split = nil
	s.next(time.Second).want(rolledBack, "", "aborted")
}

const (
	pending      = v1alpha1.ReleasePending
	progressing  = v1alpha1.ReleaseProgressing
	inconclusive = v1alpha1.ReleaseInconclusive
	rollingBack  = v1alpha1.ReleaseRollingBack
	rolledBack   = v1alpha1.ReleaseRolledBack
	succeeded    = v1alpha1.ReleaseSucceeded
	failed       = v1alpha1.ReleaseFailed
)

// at5 is a canary whose 5% every proxy has applied.
func at5(t *testing.T) *scene {
	s := newScene(t, Canary).next(0).do().next(1).do().next(1)
	return s.want(progressing, "", "evidence")
}

func TestCanaryWalksItsSteps(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Facts.Healthy["v3"] = 0
	s.next(0).want(pending, "", "waiting for a healthy workload of reviews v3 (v2 has 1)")
	s.in.Facts.Healthy["v3"] = 1
	s.next(1).want(progressing, "v2 100%, v3 0%", "private address: header x-weft-version: reviews=v3")
	s.next(1).want(progressing, "v2 100%, v3 0%", "") // not seen in place yet: the same action again
	if s.out.Action.ID() != "u/1" || len(s.out.Events) != 0 {
		t.Errorf("repeated as %s with events %v", s.out.Action.ID(), s.out.Events)
	}
	s.do().in.Facts.Applied.Missing = []string{"web-1", "web-2", "web-3", "web-4"}
	s.in.Facts.Applied.Proxies = 9
	s.next(1).want(progressing, "", "applied by 5 of 9 proxies, waiting for web-1, web-2, web-3, 1 more")
	s.in.Facts.Applied.Missing = nil
	s.next(1).want(progressing, "v2 95%, v3 5%", "")
	s.do().next(1).want(progressing, "", "evidence")
	if q := s.judge.asked; q.Gate != release.NoHarmSeen || q.New != "v3" || q.Old != "v2" || q.MaxIncrease != 0.005 || q.Confidence != 0.99 {
		t.Errorf("asked %+v", q)
	}
	s.judge.kind = release.Pass
	s.next(1).want(progressing, "v2 75%, v3 25%", "").do()
	s.next(1).want(progressing, "v2 50%, v3 50%", "").do()
	s.judge.kind = release.Continue
	s.next(1).want(progressing, "", "evidence")
	if s.judge.asked.Gate != release.NotWorse {
		t.Error("the last step before 100% asks for no proof")
	}
	s.judge.kind = release.Pass
	s.next(1).want(progressing, "v2 0%, v3 100%", "").do()
	s.next(1).want(succeeded, "", "evidence; v3 has all traffic of reviews, v2 is kept at 0%")
}

func TestLatencyIsAsked(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Config.Strategy.Analysis.SlowerThan = &metav1.Duration{Duration: 300 * time.Millisecond}
	s.next(0).do().next(1).do().next(1)
	if limit := s.judge.asked.Latency; limit == nil || *limit != (release.LatencyLimit{SlowerThan: 300 * time.Millisecond, MaxIncrease: 0.01}) {
		t.Errorf("asked %+v", limit)
	}
	if limit := at5(t).judge.asked.Latency; limit != nil {
		t.Errorf("asked %+v though the analysis says nothing of latency", limit)
	}
}

func TestPassWaitsForEveryProxyButFailDoesNot(t *testing.T) {
	s := at5(t)
	s.in.Facts.Applied.Missing = []string{"web-1"}
	s.judge.kind = release.Pass
	s.next(1).want(progressing, "", "waiting for web-1")
	s.judge.kind = release.Fail
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "evidence").do()
	s.in.Facts.Applied.Missing = []string{"web-1"}
	s.next(1).want(rollingBack, "", "evidence (v3 gets 0% of reviews: applied by 2 of 3 proxies, waiting for web-1)")
	s.in.Facts.Applied.Missing = nil
	s.next(1).want(rolledBack, "", "evidence")
	if s.out.Weight != 0 || s.out.From != "v2" {
		t.Errorf("weight %d from %s", s.out.Weight, s.out.From)
	}
}

func TestAHungProxyDoesNotKeepARollBackOpen(t *testing.T) {
	s := at5(t)
	s.judge.kind = release.Fail
	s.next(1).do().in.Facts.Applied.Missing = []string{"web-1"}
	s.next(1).want(rollingBack, "", "")
	s.next(10*time.Minute).want(rolledBack, "", "waiting for web-1")
}

func TestDeadlineAsksAPerson(t *testing.T) {
	s := at5(t).next(10 * time.Minute)
	s.want(inconclusive, "", "no verdict within 10m0s, set spec.promote or spec.abort: evidence")
	s.judge.kind = release.Pass
	s.next(1).want(inconclusive, "", "") // a late Pass does not answer for the person
	s.in.Promote = true
	s.next(1).want(progressing, "v2 75%, v3 25%", "")

	s = at5(t).next(10 * time.Minute)
	s.judge.kind = release.Fail
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "evidence")

	s = at5(t).next(10 * time.Minute)
	s.in.Promote, s.in.Abort = true, "aborted by a person"
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "aborted")
}

func TestAbortWhileAnActionIsUnderWay(t *testing.T) {
	s := newScene(t, Canary).next(0).do().next(1).want(progressing, "v2 95%, v3 5%", "")
	s.in.Abort = "aborted by a person"
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "aborted")
	if s.out.Action.ID() != "u/3" {
		t.Errorf("goes back by %s, want an action after u/2", s.out.Action.ID())
	}
}

func TestCapacityBeforeTraffic(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Facts.Healthy = map[string]int{"v2": 10, "v3": 1}
	s.next(0).do().next(1).do() // 5% of 10 is one
	s.judge.kind = release.Pass
	s.next(1).want(progressing, "", "25% needs 3 healthy workloads of v3, 1 are (v2 had 10)")
	s.in.Facts.Healthy = map[string]int{"v2": 2, "v3": 3} // the old side shrank: what it had counts
	s.next(1).want(progressing, "v2 75%, v3 25%", "").do()
	s.in.Facts.Healthy = map[string]int{"v2": 0, "v3": 3}
	s.judge.kind = release.Fail
	s.next(1).want(rollingBack, "", "evidence, but v2 has no healthy workload to go back to")
	s.in.Facts.Healthy["v2"] = 1
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "evidence")
}

func TestLosingEveryInstanceGoesBack(t *testing.T) {
	s := at5(t)
	s.in.Facts.Healthy["v3"] = 0
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "v3 has no healthy workload any more")
}

func TestBlueGreen(t *testing.T) {
	s := newScene(t, BlueGreen)
	s.in.Facts.Healthy = map[string]int{"v2": 2, "v3": 1}
	count := func(requests, errors uint64) {
		s.in.Facts.Traffic = map[string]map[string]release.Counts{"v2": {"a": {Requests: requests / 2}, "b": {Requests: requests - requests/2, Errors: errors, Retries: errors / 2, Timed: requests, Slow: errors / 4}}}
	}
	count(1000, 500)
	s.next(0).want(progressing, "v2 100%, v3 0%", "private").do()
	s.next(1).want(progressing, "", "v2 answered 0 of 0 requests badly so far")
	count(5000, 504)
	s.next(1).want(progressing, "", "100% needs 2 healthy workloads of v3, 1 are")
	s.in.Facts.Healthy["v3"] = 2
	s.next(1).want(progressing, "v2 0%, v3 100%", "").do()
	s.next(1).want(progressing, "", "evidence")
	if r := s.judge.asked.Reference; r == nil || *r != (release.Counts{Requests: 4000, Errors: 4, Retries: 2, Timed: 4000, Slow: 1}) {
		t.Errorf("compared with %+v, want what v2 answered just before", r)
	}
	s.judge.kind = release.Pass
	s.next(1).want(succeeded, "", "evidence")

	s = newScene(t, BlueGreen).next(0).do().next(historyTime).do() // no traffic: the look back ends all the same
	s.judge.kind = release.Fail
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "evidence").do()
	s.next(1).want(rolledBack, "", "evidence")
}

func TestBegin(t *testing.T) {
	split := func(s *scene, vs ...v1alpha1.VersionWeight) { s.in.Facts.Split = &release.Split{Versions: vs} }
	for _, c := range []struct {
		name   string
		given  func(*scene)
		phase  v1alpha1.ReleasePhase
		shares string
		why    string
	}{
		{"the split says what serves", func(s *scene) { split(s, v1alpha1.VersionWeight{Version: "v1", Weight: 100}) }, progressing, "v1 100%, v3 0%", "private"},
		{"others that run keep their address", func(s *scene) {
			split(s, v1alpha1.VersionWeight{Version: "v1"}, v1alpha1.VersionWeight{Version: "v0"}, v1alpha1.VersionWeight{Version: "v2", Weight: 100})
			s.in.Facts.Healthy["v1"] = 1
		}, progressing, "v1 0%, v2 100%, v3 0%", "private"},
		{"the only other one serves", func(s *scene) { s.in.Config.Serving = "" }, progressing, "v2 100%, v3 0%", "private"},
		{"nothing serves yet", func(s *scene) { s.in.Config.Serving = ""; delete(s.in.Facts.Healthy, "v2") }, progressing, "v3 100%", "nothing was in service before"},
		{"nobody knows what serves", func(s *scene) { s.in.Config.Serving = ""; s.in.Facts.Healthy["v1"] = 1 }, failed, "", "runs in versions v1, v2 and nothing says which one to replace"},
		{"split already", func(s *scene) {
			split(s, v1alpha1.VersionWeight{Version: "v1", Weight: 40}, v1alpha1.VersionWeight{Version: "v2", Weight: 60})
		}, failed, "", "split already (v1 40%, v2 60%)"},
		{"it serves already", func(s *scene) { split(s, v1alpha1.VersionWeight{Version: "v3", Weight: 100}) }, succeeded, "", "has all traffic of reviews already"},
		{"aborted at once", func(s *scene) { s.in.Abort = "aborted by a person" }, rolledBack, "", "before it got any traffic"},
		{"steps fall", func(s *scene) { s.in.Config.Strategy.Steps = []int32{50, 5} }, failed, "", "strategy.steps: 5 after 50"},
		{"confidence is too low", func(s *scene) { s.in.Config.Strategy.Analysis.Confidence = "0.1" }, failed, "", `strategy.analysis.confidence: "0.1"`},
		{"latency beyond the proxies' histograms", func(s *scene) { s.in.Config.Strategy.Analysis.SlowerThan = &metav1.Duration{Duration: time.Minute} }, failed, "", "strategy.analysis.slowerThan: 1m0s is above 10s"},
		{"no slow increase is nonsense", func(s *scene) {
			s.in.Config.Strategy.Analysis.SlowerThan, s.in.Config.Strategy.Analysis.MaxSlowIncrease = &metav1.Duration{Duration: time.Second}, "0"
		}, failed, "", "strategy.analysis.maxSlowIncrease"},
		{"no error increase is nonsense", func(s *scene) { s.in.Config.Strategy.Analysis.MaxErrorIncrease = "0" }, failed, "", "strategy.analysis.maxErrorIncrease"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, Canary)
			s.t = t
			c.given(s)
			s.next(0).want(c.phase, c.shares, c.why)
		})
	}
}

func TestFirstVersionNeedsNoVerdict(t *testing.T) {
	for _, strategy := range []func(release.Judge) release.Strategy{Canary, BlueGreen} {
		s := newScene(t, strategy)
		s.in.Config.Serving, s.in.Facts.Healthy = "", map[string]int{"v3": 1}
		s.next(0).want(progressing, "v3 100%", "").do()
		s.next(1).want(succeeded, "", "nothing was in service before")
	}
}

func TestMissingVersionFails(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Facts.Healthy = map[string]int{"v2": 1}
	s.in.Config.Strategy.Analysis.Deadline = &metav1.Duration{Duration: time.Minute}
	s.next(0).want(pending, "", "")
	s.next(time.Minute).want(failed, "", "no healthy workload of reviews v3 appeared within 1m0s (v2 has 1); no traffic was moved")
}

func TestSomebodyElseChangesTheSplit(t *testing.T) {
	s := at5(t)
	s.in.Facts.Split.Touched = true
	s.next(1).want(failed, "", "was changed during the release")

	s = at5(t)
	s.in.Facts.Split = nil
	s.next(1).want(failed, "", "was deleted during the release")

	s = at5(t)
	s.in.Facts.Split.Action = "another/1"
	s.next(1).want(failed, "", "was changed during the release")

	s = newScene(t, Canary).next(0)
	s.in.Refused = "trafficsplit shop/reviews: changed by somebody else"
	s.next(1).want(failed, "", "changed by somebody else; it stays as it is now")
}

func TestStepsWithoutComparisonSaySo(t *testing.T) {
	s := newScene(t, Canary)
	s.in.Config.Strategy.Steps = []int32{100}
	s.next(0).do().next(1).want(progressing, "v2 0%, v3 100%", "").do()
	s.next(1).want(succeeded, "", "unjudged")
}

// The state lies in a Release's status, where a person can write anything.
func FuzzState(f *testing.F) {
	in := release.Input{Now: time.Unix(1000, 0), Config: release.Config{ID: "u", Service: "reviews", Version: "v3", Serving: "v2"}}
	in.Facts.Healthy = map[string]int{"v2": 1, "v3": 1}
	f.Add([]byte(Canary(&scripted{}).Next(in).State), false)
	f.Add([]byte(`{"seq":2,"stage":4,"from":"v2","weight":100,"waiting":true}`), true)
	f.Add([]byte(`{"seq":2,"stage":1,"from":"v2","weight":100,"back":"x","capacity":3,"order":{"number":1,"verb":"scale","version":"v2"}}`), true)
	in.Config.Runs = &v1alpha1.Runs{Host: &v1alpha1.HostRuns{}}
	in.Facts.Instances = map[string]instances.Seen{"v2": {Wanted: 1, Ready: 1}, "v3": {}}
	f.Fuzz(func(t *testing.T, state []byte, abort bool) {
		for _, kind := range []release.Kind{release.Pass, release.Fail, release.Continue} {
			for _, strategy := range every {
				s, in := strategy(&scripted{kind: kind}), in
				in.State = state
				if abort {
					in.Abort = "aborted by a person"
				}
				for range 4 {
					out := s.Next(in)
					if out.Why == "" || !release.Final(out.Phase) && out.Wake.IsZero() {
						t.Fatalf("%+v", out)
					}
					if in.State = out.State; out.Action != nil {
						in.Facts.Split = &release.Split{Versions: out.Action.Versions, Action: out.Action.ID()}
						in.Facts.Applied.Known = true
					}
				}
			}
		}
	})
}
