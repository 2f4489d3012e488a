package kubernetes

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/release/judge"
	"weft.dev/release/strategy"
)

// releaseV2 releases v2 of reviews, which was deployed beside v1, and returns how that ended.
func releaseV2(t *testing.T, c *cluster, p *Provider, s release.Strategy, kind v1alpha1.StrategyType, abortAt int32) release.Outcome {
	t.Helper()
	target := reviewsTarget()
	in := release.Input{Now: time.Unix(1000, 0), Config: release.Config{
		ID: "u", Namespace: namespace, Application: "reviews", Service: "reviews", Version: "v2", Serving: "v1",
		Strategy: v1alpha1.Strategy{Type: kind}, Runs: target.Runs,
	}}
	if kind == v1alpha1.Canary || kind == v1alpha1.BlueGreen {
		in.Config.Strategy.KeepFor = &metav1.Duration{Duration: 3 * time.Second}
	}
	for range 300 {
		c.pass(t)
		in.Now = in.Now.Add(time.Second)
		seen, err := p.Observe(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		in.Facts.Instances, in.Facts.Healthy = seen, map[string]int{}
		for version, v := range seen {
			in.Facts.Healthy[version] = v.Ready
		}
		requests := uint64(in.Now.Unix()-1000) * 3000
		in.Facts.Traffic = map[string]map[string]release.Counts{"v1": {"": {Requests: requests}}, "v2": {"": {Requests: requests}}}
		out := s.Next(in)
		if in.State = out.State; release.Final(out.Phase) {
			return out
		}
		if out.Weight >= abortAt && out.Action == nil {
			in.Abort = "aborted"
		}
		if a := out.Action; a != nil {
			in.Facts.Split, in.Facts.Applied = &release.Split{Versions: a.Versions, Action: a.ID()}, release.Applied{Known: true}
		}
		if w := out.Work; w != nil {
			in.Answer = release.Answer{ID: w.ID}
			if err := p.Do(t.Context(), *w); err != nil {
				in.Answer.Err = err.Error()
			}
		}
		if out.Wake.IsZero() {
			t.Fatalf("%+v", out)
		}
	}
	t.Fatalf("it does not end: %s", in.State)
	return release.Outcome{}
}

// given is what a release finds.
type given struct {
	own     bool // versions have manifests of their own; else they are the team's Deployment's
	idle    bool // the new one has no instances, as one that served before and is undone to
	aborted bool // as soon as it has a share
}

func (g given) cluster(t *testing.T) (*cluster, *Provider) {
	t.Helper()
	c := newCluster(t)
	p := New(c, c.mapper, Options{})
	do := func(a instances.Action) {
		t.Helper()
		a.Target = reviewsTarget()
		if err := p.Do(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		c.pass(t)
	}
	deploy := func(version string, seq int64) {
		a := instances.Action{ID: version, Seq: seq, Verb: instances.Deploy, Version: version, Replicas: 2, Image: "good" + version}
		if g.own {
			a.Manifests = manifests(version, "good")
		}
		do(a)
	}
	if g.own {
		deploy("v1", 1)
	} else {
		team := reviews()
		*team.Spec.Strategy.RollingUpdate.MaxSurge, *team.Spec.Strategy.RollingUpdate.MaxUnavailable = intstr.FromInt32(1), intstr.FromInt32(0)
		c.put(t, deployments, "Deployment", team)
		c.pass(t)
	}
	deploy("v2", 2)
	if g.idle {
		do(instances.Action{ID: "idle", Seq: 3, Verb: instances.Scale, Version: "v2"})
	}
	return c, p
}

// The Deployment of a team, and versions of their own, go through releases by every strategy, and back.
func TestReleases(t *testing.T) {
	asked := judge.ErrorRate{}
	for kind, s := range map[v1alpha1.StrategyType]release.Strategy{
		v1alpha1.Canary: strategy.Canary(asked), v1alpha1.BlueGreen: strategy.BlueGreen(asked), v1alpha1.Rolling: strategy.Rolling(asked),
		v1alpha1.Highlander: strategy.Highlander(asked), v1alpha1.Recreate: strategy.Recreate(asked),
	} {
		for _, g := range []given{{}, {aborted: true}, {idle: true, aborted: true}, {own: true, aborted: true}} {
			t.Run(fmt.Sprintf("%s %+v", kind, g), func(t *testing.T) {
				c, p := g.cluster(t)
				abortAt, want, stays, goes := int32(101), v1alpha1.ReleaseSucceeded, "v2", "v1"
				if g.aborted {
					abortAt, want, stays, goes = 25, v1alpha1.ReleaseRolledBack, "v1", "v2"
				}
				out := releaseV2(t, c, p, s, kind, abortAt)
				for range 10 {
					c.pass(t)
				}
				seen, err := p.Observe(t.Context(), reviewsTarget())
				if out.Phase != want || err != nil || seen[stays].Ready != 2 || !g.own && seen[goes].Running > 0 {
					t.Errorf("%s: %s; want %s with 2 of %s; there is %+v %v", out.Phase, out.Why, want, stays, seen, err)
				}
			})
		}
	}
}
