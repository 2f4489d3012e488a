package strategy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/release/opinion"
)

var every = map[v1alpha1.StrategyType]func(release.Judge) release.Strategy{
	v1alpha1.Canary: Canary, v1alpha1.BlueGreen: BlueGreen, v1alpha1.Rolling: Rolling,
	v1alpha1.Highlander: Highlander, v1alpha1.Recreate: Recreate,
	release.Undo: func(release.Judge) release.Strategy { return Undo() },
}

const (
	tick        = 100 * time.Millisecond
	simDeadline = time.Minute
	simEnd      = 30 * time.Minute
	simSeeds    = 1000
)

// sim is one release in a world of chance: instances start late, proxies apply late, providers fail and
// forget to answer, an autoscaler ends what is idle, and weft dies before and after all it does.
type sim struct {
	*rand.Rand
	strategy release.Strategy
	in       release.Input
	wake     time.Time
	judge    *chanceJudge
	others   []*chanceOther
	laws     laws

	gangs   map[string]*gang
	had     int
	lastSeq int64
	settled string
	split   release.Split
	proxies [3]proxy

	abortAt, diesAt time.Time    // zero: never
	frozen          [2]time.Time // from, until
	autoscaled      bool
	asking          int
}

// chanceJudge remembers what it said since the last share; empty: it was not asked.
type chanceJudge struct {
	*rand.Rand
	bad  bool
	said release.Kind
}

func (j *chanceJudge) Look(json.RawMessage, release.Question) (json.RawMessage, release.Verdict) {
	kinds := []release.Kind{release.Continue, release.Continue, release.Pass}
	if j.bad {
		kinds[0] = release.Fail
	}
	j.said = kinds[j.IntN(len(kinds))]
	return json.RawMessage(`{}`), release.Verdict{Kind: j.said, Why: "evidence"}
}

// proxy has the shares of one split, and those of before for as long as a request may take.
type proxy struct {
	split release.Split
	at    time.Time // when it takes the next one
	old   release.Split
	since time.Time
}

func newSim(kind v1alpha1.StrategyType, seed uint64) *sim {
	random := rand.New(rand.NewPCG(seed, 1))
	s := &sim{Rand: random, judge: &chanceJudge{Rand: random, bad: random.IntN(3) == 0}}
	s.strategy = every[kind](s.judge)
	capacity := 1 + s.IntN(10)
	s.had = []int{0, 1, capacity}[s.IntN(3)]
	s.gangs = map[string]*gang{"v2": {wanted: capacity, ready: capacity}, "v3": {wanted: s.had, ready: s.had}}
	s.split = release.Split{Versions: []v1alpha1.VersionWeight{{Version: "v2", Weight: 100}}}
	now := time.Unix(1000, 0)
	for i := range s.proxies {
		s.proxies[i] = proxy{split: s.split, old: s.split}
	}
	s.in = release.Input{Now: now, Config: release.Config{
		ID: "u", Namespace: "shop", Application: "reviews", Service: "reviews", Version: "v3", Serving: "v2",
		Runs: &v1alpha1.Runs{Host: &v1alpha1.HostRuns{}},
	}}
	c := &s.in.Config.Strategy
	c.Type, c.Analysis.Deadline = kind, &metav1.Duration{Duration: simDeadline}
	if s.strategy.(walker).course.manner().keeps {
		floor := int32(s.IntN(101))
		c.Floor, c.KeepFor = &floor, &metav1.Duration{Duration: time.Duration(s.IntN(20)) * time.Second}
	}
	if kind != release.Undo && s.IntN(2) == 0 {
		s.others = newOthers(random, &c.Analysis.Others)
	}
	s.autoscaled = s.IntN(4) == 0
	if s.IntN(3) == 0 {
		s.abortAt = now.Add(time.Duration(s.IntN(60)) * time.Second)
	}
	if s.IntN(6) == 0 {
		s.diesAt = now.Add(time.Duration(s.IntN(60)) * time.Second)
	}
	if s.IntN(3) == 0 {
		from := now.Add(time.Duration(s.IntN(30)) * time.Second)
		s.frozen = [2]time.Time{from, from.Add(time.Duration(s.IntN(300)) * time.Second)}
	}
	s.laws = laws{sim: s, kind: kind, capacity: capacity, ids: map[string]string{}}
	return s
}

// play runs the release to its end.
func (s *sim) play() error {
	for s.in.Now.Before(time.Unix(1000, 0).Add(simEnd)) {
		s.world()
		s.laws.always()
		if !s.in.Now.Before(s.wake) {
			if out := s.step(); release.Final(out.Phase) {
				s.laws.end(out)
				return s.laws.broken
			}
		}
		if s.laws.broken != nil {
			return s.laws.broken
		}
		s.in.Now = s.in.Now.Add(tick)
	}
	return fmt.Errorf("it does not end")
}

// world goes on for a tick.
func (s *sim) world() {
	now := s.in.Now
	for _, g := range s.gangs {
		g.goOn(now)
	}
	for i := range s.proxies {
		if p := &s.proxies[i]; p.split.Action != s.split.Action && !now.Before(p.at) {
			p.old, p.since, p.split = p.split, now, s.split
		}
	}
	if !s.diesAt.IsZero() && now.After(s.diesAt) {
		s.diesAt = time.Time{}
		s.laws.died = true
		s.gangs["v3"].die(now, s.Rand)
	}
	if s.autoscaled && s.IntN(200) == 0 && s.laws.needed("v2") == 0 {
		s.gangs["v2"].scale(min(1, s.gangs["v2"].wanted), now, s.Rand)
	}
}

// facts as a step sees them.
func (s *sim) facts() {
	split := s.split
	f := release.Facts{Healthy: map[string]int{}, Split: &split, Applied: release.Applied{Known: true, Proxies: len(s.proxies)}}
	if s.IntN(20) == 0 {
		f.Unseen = "the provider does not answer"
	} else {
		f.Instances = map[string]instances.Seen{}
	}
	for v, g := range s.gangs {
		f.Healthy[v] = g.ready
		if f.Instances != nil {
			f.Instances[v] = instances.Seen{Wanted: g.wanted, Running: g.ready + len(g.starting) + len(g.leaving), Ready: g.ready}
		}
	}
	for i, p := range s.proxies {
		if p.split.Action != s.split.Action {
			f.Applied.Missing = append(f.Applied.Missing, fmt.Sprintf("web-%d", i))
		}
	}
	f.Said = map[string]opinion.Said{}
	for _, o := range s.others {
		o.say(s.in.Now, f.Said)
	}
	s.in.Facts = f
}

// step lets the strategy decide once, and dies in between at times.
func (s *sim) step() release.Outcome {
	s.facts()
	if !s.abortAt.IsZero() && s.in.Now.After(s.abortAt) {
		s.in.Abort = "aborted by a person"
	}
	s.in.Hold = ""
	if !s.in.Now.Before(s.frozen[0]) && s.in.Now.Before(s.frozen[1]) {
		s.in.Hold = "frozen"
	}
	out := s.strategy.Next(s.in)
	s.laws.held(out)
	if out.Phase == v1alpha1.ReleaseInconclusive {
		s.asking++
	}
	s.in.Promote = s.asking > 5
	s.wake = out.Wake
	if s.dies() { // before it is stored
		return release.Outcome{}
	}
	s.in.State = out.State
	for _, o := range s.others {
		o.hear(weightOf(s.split, "v3") > 0 && !bytes.Contains(s.in.State, []byte(`"leaving":true`))) // then there is no way back
	}
	if release.Final(out.Phase) || s.dies() {
		return out
	}
	s.act(out)
	s.dies()
	return out
}

func (s *sim) dies() bool {
	if s.IntN(20) > 0 {
		return false
	}
	s.in.Answer, s.wake = release.Answer{}, s.in.Now.Add(time.Second)
	return true
}

func (s *sim) act(out release.Outcome) {
	if out.Action != nil && out.Work != nil {
		s.laws.breaks("action %s beside work %s", out.Action.ID(), out.Work.ID)
	}
	if a := out.Action; a != nil && s.IntN(10) > 0 && s.split.Action != a.ID() && !a.Superseded(s.split.Action) {
		s.laws.shift(*a)
		s.split = release.Split{Versions: a.Versions, Action: a.ID()}
		for i := range s.proxies {
			s.proxies[i].at = s.in.Now.Add(time.Duration(s.IntN(3000)) * time.Millisecond)
		}
		s.judge.said = ""
		for _, o := range s.others {
			o.forget(s.in.Now)
		}
	}
	if w := out.Work; w != nil {
		s.in.Answer = release.Answer{ID: w.ID}
		if err := s.work(*w); err != nil {
			s.in.Answer.Err = err.Error()
		}
	}
}

// work is the provider: it fails without and with effect.
func (s *sim) work(w instances.Action) error {
	fate := s.IntN(10)
	if fate < 2 {
		return errors.New("not done")
	}
	if w.Seq > s.lastSeq {
		s.laws.work(w)
		s.lastSeq = w.Seq
		switch w.Verb {
		case instances.Scale:
			s.gangs[w.Version].scale(w.Replicas, s.in.Now, s.Rand)
		case instances.Delete:
			s.gangs[w.Version].scale(0, s.in.Now, s.Rand)
		case instances.Settle:
			s.settled = w.Version
		}
	}
	if fate == 2 {
		return errors.New("done, and the answer lost")
	}
	return nil
}

// Nothing that happens breaks a law of any strategy, and every release ends.
func TestLaws(t *testing.T) {
	for kind := range every {
		t.Run(string(kind), func(t *testing.T) {
			ends := map[v1alpha1.ReleasePhase]int{}
			for seed := range uint64(simSeeds) {
				s := newSim(kind, seed)
				if err := s.play(); err != nil {
					t.Errorf("seed %d at %s: %v", seed, s.in.Now.Sub(time.Unix(1000, 0)), err)
				}
				ends[s.laws.phase]++
			}
			if ends[succeeded] < simSeeds/10 || ends[rolledBack] < simSeeds/20 || ends[failed] > simSeeds/100 {
				t.Errorf("the world is one-sided: %v", ends)
			}
			t.Log(ends)
		})
	}
}
