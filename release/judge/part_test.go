package judge

import (
	"math/rand/v2"
	"strings"
	"testing"

	"weft.dev/release"
)

// habit is one part of simulated traffic: how often it is asked a second, New's share of that, and both error rates.
type habit struct {
	name             string
	rps              uint64
	share            float64
	oldRate, newRate float64
}

// decide runs ten minutes of this traffic, told apart or not, with a look each five seconds.
func decide(seed uint64, apart bool, habits []habit) (release.Kind, string) {
	const each = 5
	r, m, q := rand.New(rand.NewPCG(seed, 13)), newMemory(), ask
	q.Traffic = map[string]map[string]release.Counts{"v2": {"": {}}, "v3": {"": {}}}
	if apart {
		for _, h := range habits {
			q.Traffic["v2"][h.name] = release.Counts{}
		}
		delete(q.Traffic["v2"], "")
	}
	m.look(q)
	for range 600 / each {
		for _, h := range habits {
			name := ""
			if apart {
				name = h.name
			}
			w := second(r, h.rps*each, h.share, h.oldRate, h.newRate)
			q.Traffic["v2"][name], q.Traffic["v3"][name] = q.Traffic["v2"][name].Add(w.old), q.Traffic["v3"][name].Add(w.new)
		}
		m.look(q)
		if v := m.verdict(q); v.Kind != release.Continue {
			return v.Kind, v.Why
		}
	}
	return release.Continue, ""
}

// count is how many of 1,000 seeds end so.
func count(kind release.Kind, apart bool, habits ...habit) (n int) {
	for seed := range uint64(1000) {
		if got, _ := decide(seed, apart, habits); got == kind {
			n++
		}
	}
	return n
}

// Simpson's paradox: on each route both versions err alike, but New gets more of the route
// that errs more. Taken together New looks worse; by route it does not.
func TestSharesThatDifferByRoute(t *testing.T) {
	t.Parallel()
	habits := []habit{{"route /", 180, 0.05, 0.001, 0.001}, {"route /search", 20, 0.5, 0.05, 0.05}}
	if n := count(release.Fail, false, habits...); n < 950 {
		t.Errorf("together %d of 1000 harmless releases failed: the case tells nothing", n)
	}
	if n := count(release.Fail, true, habits...); n > 10 {
		t.Errorf("by route %d of 1000 harmless releases failed, allowed are 10", n)
	}
}

// And the other way round: New is worse on each route, and looks as good as Old because it
// gets less of the route that errs more.
func TestSharesThatHideHarm(t *testing.T) {
	t.Parallel()
	habits := []habit{{"route /", 100, 0.5, 0.001, 0.02}, {"route /search", 100, 0.1, 0.05, 0.08}}
	if n := count(release.Pass, false, habits...); n < 950 {
		t.Errorf("together %d of 1000 harmful releases passed: the case tells nothing", n)
	}
	if n := count(release.Fail, true, habits...); n < 990 {
		t.Errorf("by route %d of 1000 harmful releases failed, wanted are 990", n)
	}
}

// Four requests in 500 go to a route on which a quarter fails: 0.2 points in all, which is allowed.
// The route alone fails the version, and says so; without harm hardly any of many routes does.
func TestHarmOnARareRoute(t *testing.T) {
	t.Parallel()
	habits := []habit{{"route /", 496, 0.5, 0.001, 0.001}, {"route /rare", 4, 0.5, 0, 0.25}}
	if n := count(release.Fail, false, habits...); n > 50 {
		t.Errorf("together %d of 1000 failed: the harm is not hidden, the case tells nothing", n)
	}
	failed, named := 0, 0
	for seed := range uint64(1000) {
		kind, why := decide(seed, true, habits)
		if kind == release.Fail {
			failed++
		}
		if strings.Contains(why, "; of route /rare alone ") {
			named++
		}
	}
	t.Logf("%d of 1000 failed, %d named the rare route", failed, named)
	if failed < 850 || named < 850 { // the others pass first: in all the harm is as small as is allowed
		t.Errorf("%d of 1000 failed, %d named the rare route, wanted are 850 of each", failed, named)
	}
}

func TestManyHarmlessRoutes(t *testing.T) {
	t.Parallel()
	var habits []habit
	for _, name := range strings.Split("abcdefghij", "") {
		habits = append(habits, habit{"route /" + name, 10, 0.5, 0.02, 0.02})
	}
	if n := count(release.Fail, true, habits...); n > 10 {
		t.Errorf("%d of 1000 harmless releases failed, allowed are 10", n)
	}
}

// What parts may err by stays below what all may, whenever they come.
func TestPrices(t *testing.T) {
	e, now, sum := newEvidence(), map[string]pair{}, 0.0
	for i, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		now[name] = pair{}
		if i%4 == 1 { // in groups
			e.enter(now)
		}
	}
	e.enter(now)
	for _, p := range e.Parts {
		sum += 1 / p.Price
	}
	if len(e.Parts) != 26 || sum >= 1 {
		t.Errorf("%d parts err by %v of what is allowed to all", len(e.Parts), sum)
	}
}

// ofOneCaller runs twenty minutes of this traffic, all of one caller and told apart by route, with a look each five seconds.
func ofOneCaller(t *testing.T, seed uint64, habits []habit) (release.Kind, string) {
	const each = 5
	r, m, q := rand.New(rand.NewPCG(seed, 17)), newMemory(), ask
	q.Traffic = map[string]map[string]release.Counts{"v2": {"shop/web": {}}, "v3": {"shop/web": {}}}
	q.Routes = map[string]map[string]release.Counts{"v2": {}, "v3": {}}
	for _, h := range habits {
		q.Routes["v2"][h.name] = release.Counts{}
	}
	m.look(q)
	for range 1200 / each {
		for _, h := range habits {
			w := second(r, h.rps*each, h.share, h.oldRate, h.newRate)
			for version, c := range map[string]release.Counts{"v2": w.old, "v3": w.new} {
				q.Routes[version][h.name] = q.Routes[version][h.name].Add(c)
				q.Traffic[version]["shop/web"] = q.Traffic[version]["shop/web"].Add(c)
			}
		}
		m.look(q)
		if m.Seen.New != q.Traffic["v3"]["shop/web"] {
			t.Fatalf("seen %+v, want %+v: the routes' requests are no others", m.Seen.New, q.Traffic["v3"])
		}
		if v := m.verdict(q); v.Kind == release.Fail {
			return v.Kind, v.Why
		}
	}
	return release.Continue, ""
}

// Attempts are counted by caller, requests by route. A route alone fails a version that errs by less than is allowed in all,
// and one that harms none is failed no more often than is promised.
func TestHarmOnOneRouteOfACaller(t *testing.T) {
	t.Parallel()
	failed, named, innocent := 0, 0, 0
	for seed := range uint64(1000) {
		if kind, why := ofOneCaller(t, seed, []habit{{"/", 248, 0.5, 0.001, 0.001}, {"/rare", 2, 0.5, 0.001, 0.25}}); kind == release.Fail {
			failed++
			if strings.Contains(why, "of route /rare alone") {
				named++
			}
		}
		if kind, _ := ofOneCaller(t, seed, []habit{{"/", 180, 0.05, 0.01, 0.01}, {"/rare", 20, 0.05, 0.05, 0.05}}); kind == release.Fail {
			innocent++
		}
	}
	t.Logf("%d of 1000 failed, %d named the route; %d harmless ones failed", failed, named, innocent)
	if failed < 950 || named < 950 || innocent > 10 {
		t.Errorf("%d of 1000 failed, %d named the route; %d harmless ones failed", failed, named, innocent)
	}
}
