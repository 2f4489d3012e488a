package strategy

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
)

// crewed is a scene in which weft starts and stops: v2 has four instances and v3 is known, with none.
func crewed(t *testing.T, kind v1alpha1.StrategyType) *scene {
	s := newScene(t, every[kind])
	s.in.Config.Strategy.Type, s.in.Config.Runs = kind, &v1alpha1.Runs{Host: &v1alpha1.HostRuns{}}
	s.in.Facts.Instances = map[string]instances.Seen{"v2": {}, "v3": {}}
	return s.runs("v2", 4).runs("v3", 0)
}

// runs is what a version has now.
func (s *scene) runs(version string, n int) *scene {
	s.in.Facts.Instances[version] = instances.Seen{Wanted: n, Running: n, Ready: n}
	s.in.Facts.Healthy[version] = n
	return s
}

// works checks the order that is given, and has it taken and brought about.
func (s *scene) works(verb instances.Verb, version string, n int) *scene {
	s.t.Helper()
	w := s.out.Work
	if w == nil || w.Verb != verb || w.Version != version || w.Replicas != n {
		s.t.Fatalf("got %+v, want %s of %s to %d; %s: %s", w, verb, version, n, s.out.Phase, s.out.Why)
	}
	s.in.Answer = release.Answer{ID: w.ID}
	switch verb {
	case instances.Scale:
		return s.runs(version, n)
	case instances.Delete:
		delete(s.in.Facts.Instances, version)
		s.in.Facts.Healthy[version] = 0
	}
	return s
}

// shifts checks the shares that are asked for, and has them applied.
func (s *scene) shifts(shares string) *scene {
	s.t.Helper()
	return s.want(s.out.Phase, shares, "").do()
}

func TestRollingMovesInstancesWithTraffic(t *testing.T) {
	s := crewed(t, v1alpha1.Rolling)
	s.judge.kind = release.Pass
	s.next(0).shifts("v2 100%, v3 0%")
	s.next(1).works(instances.Scale, "v3", 1)
	s.next(1).shifts("v2 75%, v3 25%")
	s.next(1).want(progressing, "", "requests of before have 5s to end")
	s.next(drain).works(instances.Scale, "v2", 3)
	s.next(1).works(instances.Scale, "v3", 2)
	s.next(1).shifts("v2 50%, v3 50%").next(1)
	s.next(drain).works(instances.Scale, "v2", 2)
	s.judge.kind = release.Fail
	s.next(1).want(rollingBack, "", "v2 has 2 of 4").works(instances.Scale, "v2", 4) // two of four have the half that they can take
}

func TestRollingGoesBackAsInstancesCome(t *testing.T) {
	s := crewed(t, v1alpha1.Rolling)
	s.in.Config.Strategy.Steps = []int32{50, 100}
	s.judge.kind = release.Pass
	s.next(0).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v3", 2)
	s.next(1).shifts("v2 50%, v3 50%").next(1).next(drain).works(instances.Scale, "v2", 2)
	s.next(1).works(instances.Scale, "v3", 4)
	s.in.Abort = "aborted by a person"
	s.next(time.Second).want(rollingBack, "", "v2 has 2 of 4 ready").works(instances.Scale, "v2", 4).runs("v2", 3)
	s.next(time.Second).shifts("v2 75%, v3 25%").runs("v2", 4)
	s.next(1).shifts("v2 100%, v3 0%").next(1)
	s.next(drain).works(instances.Scale, "v3", 0)
	s.next(1).works(instances.Settle, "v2", 0).next(1).want(rolledBack, "", "aborted by a person")
}

func TestHighlanderIsAloneInTheEnd(t *testing.T) {
	s := crewed(t, v1alpha1.Highlander)
	s.next(0).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v3", 4)
	s.next(1).shifts("v2 0%, v3 100%")
	s.next(1).want(progressing, "", "v3 has all traffic of reviews, unjudged; v2 has none; requests to v2 have 5s to end")
	s.next(drain).works(instances.Settle, "v3", 0)
	s.next(1).works(instances.Delete, "v2", 0).next(1).want(succeeded, "", "v3 has all traffic")
}

// inBetween is a recreate after v2 has ended, and before v3 is complete.
func inBetween(t *testing.T) *scene {
	s := crewed(t, v1alpha1.Recreate)
	s.next(0).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v2", 0)
	s.in.Facts.Instances["v2"] = instances.Seen{Running: 1}
	s.next(1).want(progressing, "", "v2 ends before v3 starts: 1 still run").runs("v2", 0)
	s.next(1).works(instances.Scale, "v3", 4)
	s.in.Facts.Instances["v3"] = instances.Seen{Wanted: 4, Running: 4, Ready: 3}
	return s.next(1).want(progressing, "", "100% needs 4 healthy workloads of v3, 3 are")
}

func TestRecreateRunsOneAtATime(t *testing.T) {
	s := inBetween(t).runs("v3", 4).next(1).shifts("v2 0%, v3 100%").next(1)
	s.next(drain).works(instances.Settle, "v3", 0).next(1).want(succeeded, "", "unjudged; v2 has none")

	s = inBetween(t).next(10*time.Minute).want(rollingBack, "", "nothing runs, and v3 has not 4 ready instances within 10m0s")
	s.works(instances.Scale, "v3", 0).next(1).works(instances.Scale, "v2", 4)
	s.next(1).shifts("v2 100%, v3 0%").next(1)
	s.next(drain).works(instances.Settle, "v2", 0).next(1).want(rolledBack, "", "nothing runs")
}

// atEnd is a blue/green release that is judged, with the old version at its floor of half.
func atEnd(t *testing.T) *scene {
	s := crewed(t, v1alpha1.BlueGreen)
	floor := int32(50)
	s.in.Config.Strategy.Floor, s.in.Config.Strategy.KeepFor = &floor, &metav1.Duration{Duration: time.Minute}
	s.judge.kind = release.Pass
	s.next(0).shifts("v2 100%, v3 0%").next(historyTime).works(instances.Scale, "v3", 4)
	s.next(1).shifts("v2 0%, v3 100%").next(1).want(progressing, "", "requests to v2 have 5s to end")
	return s.next(drain).works(instances.Scale, "v2", 2)
}

func TestTheOldVersionIsKeptAndThenEnds(t *testing.T) {
	s := atEnd(t).next(1).want(progressing, "", "evidence; v2 is kept until 00:18:10Z, an abort goes back to it")
	s.judge.kind = release.Continue // what is judged stays judged
	s.next(10*time.Second).want(progressing, "", "is kept").runs("v2", 1)
	s.next(orderAgain).next(1).works(instances.Scale, "v2", 2) // an autoscaler had other ideas
	s.next(time.Minute).works(instances.Settle, "v3", 0)
	s.next(1).works(instances.Scale, "v2", 0).in.Abort = "aborted by a person"
	s.next(1).want(succeeded, "", "evidence") // too late

	s = atEnd(t)
	s.in.Abort = "aborted by a person"
	s.next(time.Second).shifts("v2 50%, v3 50%")
	s.next(1).want(rollingBack, "", "v2 has 2 of 4").works(instances.Scale, "v2", 4)
	s.next(1).shifts("v2 100%, v3 0%")
}

func TestNobodyWaitsForWhatIsKept(t *testing.T) {
	s := atEnd(t)
	s.in.Behind = "v4"
	s.next(1).works(instances.Settle, "v3", 0).next(1).works(instances.Scale, "v2", 0).next(1).want(succeeded, "", "evidence")

	s = atEnd(t)
	s.in.Behind = "v2" // an undo
	s.next(1).want(succeeded, "", "v2 is left as it is, for the next release goes back to it")
}

func TestAProviderThatFails(t *testing.T) {
	s := crewed(t, v1alpha1.Canary)
	s.next(0).shifts("v2 100%, v3 0%")
	s.in.Facts.Instances, s.in.Facts.Unseen = nil, "connection refused"
	s.next(1).want(progressing, "", "instances cannot be seen: connection refused")
	s.in.Abort = "aborted by a person"
	s.next(1).shifts("v2 100%, v3 0%") // traffic needs nobody else

	s = crewed(t, v1alpha1.Canary).next(0).shifts("v2 100%, v3 0%").next(1)
	s.in.Answer = release.Answer{ID: s.out.Work.ID, Err: "no room", Refused: false}
	id := s.out.Work.ID
	if s.next(1).want(progressing, "", "v3 grows to 1 instances for 5%: no room"); s.out.Work == nil || s.out.Work.ID != id {
		t.Errorf("gives %+v, want %s again", s.out.Work, id)
	}
	s.in.Answer.Refused = true
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "no room")

	s = crewed(t, v1alpha1.Canary).next(0).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v3", 1).runs("v3", 0)
	s.in.Facts.Instances["v3"] = instances.Seen{Wanted: 1, Running: 1, Why: "image not found", Failed: true}
	s.next(1).want(rollingBack, "v2 100%, v3 0%", "v3 does not get the instances for 5%: image not found")
}

func TestNothingToGoBackTo(t *testing.T) {
	s := atEnd(t).runs("v2", 0)
	s.in.Abort = "aborted by a person"
	s.next(1).works(instances.Scale, "v2", 4)
	s.in.Facts.Instances["v2"] = instances.Seen{Wanted: 4, Why: "image not found", Failed: true}
	s.in.Facts.Healthy["v2"] = 0
	s.next(1).want(failed, "", "aborted by a person, but v2 has 0 of 4 ready instances to go back to: image not found: traffic stays as it is, v3 at 100%")
}

func TestAStoppedVersionIsStartedAgain(t *testing.T) {
	s := crewed(t, v1alpha1.Canary) // as an undo to an earlier version finds it
	s.next(0).want(progressing, "v2 100%, v3 0%", "private")
	s = crewed(t, v1alpha1.Canary)
	s.in.Config.Serving = ""
	s.runs("v2", 0).next(0).want(pending, "", "v3 starts").works(instances.Scale, "v3", 1)
	s.next(1).shifts("v3 100%").next(1).next(drain).works(instances.Settle, "v3", 0).next(1).want(succeeded, "", "nothing was in service before")
}

func TestInstancesThatSomebodyElseAdds(t *testing.T) {
	s := crewed(t, v1alpha1.Canary)
	s.judge.kind = release.Pass
	s.next(0).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v3", 1)
	s.next(1).shifts("v2 95%, v3 5%").runs("v3", 4) // more than v3 was told to have
	s.next(orderAgain).shifts("v2 75%, v3 25%").next(1).shifts("v2 50%, v3 50%").next(1).shifts("v2 0%, v3 100%")
}

func TestOptionsThatMeanNothing(t *testing.T) {
	floor, keep := int32(50), &metav1.Duration{Duration: time.Minute}
	for _, c := range []struct {
		kind  v1alpha1.StrategyType
		given func(*release.Config)
		why   string
	}{
		{v1alpha1.Highlander, func(c *release.Config) { c.Runs = nil }, "strategy.type: highlander ends the old version: the Application needs spec.runs"},
		{v1alpha1.Recreate, func(c *release.Config) { c.Runs = nil }, "strategy.type: recreate"},
		{v1alpha1.Rolling, func(c *release.Config) {
			c.Runs = &v1alpha1.Runs{Kubernetes: &v1alpha1.KubernetesRuns{Kind: "StatefulSet"}}
		}, "strategy.type: rolling runs two versions beside each other"},
		{v1alpha1.BlueGreen, func(c *release.Config) { c.Strategy.Steps = []int32{5} }, "strategy.steps: blueGreen has none"},
		{v1alpha1.Rolling, func(c *release.Config) { c.Strategy.Floor = &floor }, "strategy.floor: rolling keeps nothing"},
		{v1alpha1.Highlander, func(c *release.Config) { c.Strategy.KeepFor = keep }, "strategy.keepFor: highlander keeps nothing"},
		{v1alpha1.Canary, func(c *release.Config) { c.Strategy.KeepFor, c.Runs = keep, nil }, "strategy.keepFor: the old version is not weft's to end"},
		{v1alpha1.Canary, func(c *release.Config) { floor := int32(101); c.Strategy.Floor = &floor }, "strategy.floor: 101 is no percentage"},
		{v1alpha1.Rolling, func(c *release.Config) { c.Serving = "v1" }, "strategy.type: rolling ends v1 of reviews"},
	} {
		s := crewed(t, c.kind)
		c.given(&s.in.Config)
		if s.next(0); s.out.Phase != failed || !strings.Contains(s.out.Why, c.why) {
			t.Errorf("%s: got %s: %s, want %s", c.kind, s.out.Phase, s.out.Why, c.why)
		}
	}
}
