package strategy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
)

// gang is the instances of one version.
type gang struct {
	wanted, ready     int
	starting, leaving []time.Time // until when
}

func (g *gang) goOn(now time.Time) {
	late := func(t time.Time) bool { return !now.Before(t) }
	for len(g.starting) > 0 && late(g.starting[0]) {
		g.starting, g.ready = g.starting[1:], g.ready+1
	}
	for len(g.leaving) > 0 && late(g.leaving[0]) {
		g.leaving = g.leaving[1:]
	}
}

func (g *gang) scale(n int, now time.Time, random *rand.Rand) {
	g.wanted = n
	for g.ready+len(g.starting) < n {
		g.starting = append(g.starting, now.Add(time.Duration(500+random.IntN(8000))*time.Millisecond))
	}
	for g.ready+len(g.starting) > n {
		if len(g.starting) > 0 {
			g.starting = g.starting[1:]
			continue
		}
		g.ready--
		g.leaving = append(g.leaving, now.Add(time.Duration(random.IntN(4000))*time.Millisecond))
	}
}

// die loses what is ready; new ones start by themselves.
func (g *gang) die(now time.Time, random *rand.Rand) {
	g.ready = 0
	g.scale(g.wanted, now, random)
}

// laws hold whatever happens.
type laws struct {
	*sim
	kind     v1alpha1.StrategyType
	capacity int               // of v2 at first
	ids      map[string]string // what each meant
	broken   error
	died     bool // all of v3 did: it has less than it should
	backAt   time.Time
	phase    v1alpha1.ReleasePhase
}

func (l *laws) breaks(format string, args ...any) {
	if l.broken == nil {
		l.broken = fmt.Errorf(format, args...)
	}
}

func weightOf(s release.Split, version string) int32 {
	for _, v := range s.Versions {
		if v.Version == version {
			return v.Weight
		}
	}
	return 0
}

func (l *laws) needs(share int32) int { return (l.capacity*int(share) + 99) / 100 }

// needed is how many instances of a version may be asked: by the shares as they are written, as any
// proxy has them, and as it had them a drain ago.
func (l *laws) needed(version string) int {
	share := weightOf(l.split, version)
	for _, p := range l.proxies {
		share = max(share, weightOf(p.split, version))
		if l.in.Now.Sub(p.since) < drain {
			share = max(share, weightOf(p.old, version))
		}
	}
	return l.needs(share)
}

// always: something answers, but in a recreate.
func (l *laws) always() {
	if l.kind != v1alpha1.Recreate && !l.died && l.gangs["v2"].ready+l.gangs["v3"].ready == 0 {
		l.breaks("no instance of any version is left")
	}
}

func (l *laws) once(id, what string) {
	if meant, known := l.ids[id]; known && meant != what {
		l.breaks("%s was %s and is now %s", id, meant, what)
	}
	l.ids[id] = what
}

// shift: no share without the instances for it, and none upwards without the verdict that was asked for.
func (l *laws) shift(a release.Action) {
	l.once(a.ID(), release.FormatVersions(a.Versions))
	next := release.Split{Versions: a.Versions}
	up := weightOf(next, "v3") - weightOf(l.split, "v3")
	if up < 0 && l.backAt.IsZero() {
		l.backAt = l.in.Now
	}
	switch {
	case up > 0 && !l.backAt.IsZero():
		l.breaks("traffic goes up again, to %s", release.FormatVersions(a.Versions))
	case up > 0 && weightOf(l.split, "v3") > 0 && l.judge.said != release.Pass && !l.in.Promote:
		l.breaks("to %s on the verdict %q", release.FormatVersions(a.Versions), l.judge.said)
	}
	if up > 0 && weightOf(l.split, "v3") > 0 {
		l.heard(release.FormatVersions(a.Versions))
	}
	gains, other := "v2", "v3"
	if up > 0 {
		gains, other = "v3", "v2"
	}
	have, need := l.gangs[gains].ready, l.needs(weightOf(next, gains))
	late := !l.backAt.IsZero() && l.in.Now.Sub(l.backAt) >= simDeadline
	if up != 0 && have < need && !l.died && l.gangs[other].ready > 0 && !l.in.Promote && !late {
		l.breaks("to %s: %s has %d ready of %d", release.FormatVersions(a.Versions), gains, have, need)
	}
}

// heard: nothing goes forward that one of others has called bad, or has not called good.
func (l *laws) heard(to string) {
	for _, o := range l.others {
		if o.bad || !o.good && !l.in.Promote {
			l.breaks("to %s, and %s said good %v, bad %v", to, o.key, o.good, o.bad)
		}
	}
}

// held: nothing goes up, or begins, while it is held, but where it cannot rest.
func (l *laws) held(out release.Outcome) {
	if l.kind == v1alpha1.Recreate && strings.HasPrefix(out.Why, "holds at") {
		l.breaks("a recreate rests between both versions")
	}
	if l.in.Hold == "" || out.Action == nil || l.kind == v1alpha1.Recreate && out.Weight > 0 {
		return
	}
	up := weightOf(release.Split{Versions: out.Action.Versions}, "v3") > weightOf(l.split, "v3")
	for _, e := range out.Events {
		if e.Action == out.Action.ID() && (up || out.Action.Seq == 1) {
			l.breaks("%s is decided while the release is held", e.Text)
		}
	}
}

// work: nothing ends that is asked, but in a recreate.
func (l *laws) work(w instances.Action) {
	l.once(w.ID, fmt.Sprint(w.Verb, w.Version, w.Replicas))
	if w.Verb == instances.Settle || l.kind == v1alpha1.Recreate {
		return
	}
	if need := l.needed(w.Version); w.Replicas < need && w.Replicas < l.gangs[w.Version].wanted {
		l.breaks("%s %s to %d, and its requests need %d", w.Verb, w.Version, w.Replicas, need)
	}
}

// end: what it says is so.
func (l *laws) end(out release.Outcome) {
	l.phase = out.Phase
	old, young := l.gangs["v2"], l.gangs["v3"]
	weight := weightOf(l.split, "v3")
	had := l.had
	if l.kind == v1alpha1.Recreate {
		had = 0
	}
	if out.Phase == succeeded {
		l.heard("the end")
	}
	switch {
	case strings.Contains(out.Why, "was not ended"), strings.Contains(out.Why, "not as before"):
		l.breaks("%s", out.Why)
	case out.Phase == succeeded && weight != 100, out.Phase == rolledBack && weight != 0:
		l.breaks("%s at %d%%", out.Phase, weight)
	case out.Phase == succeeded && old.wanted+len(old.leaving) > 0:
		l.breaks("v2 has %d instances after success", old.wanted)
	case out.Phase == succeeded && l.settled != "v3", out.Phase == rolledBack && len(l.ids) > 0 && l.settled != "v2":
		l.breaks("%s, and what stays is %q", out.Phase, l.settled)
	case out.Phase == rolledBack && len(l.ids) > 0 && young.wanted > had:
		l.breaks("v3 has %d instances after the way back, and had %d", young.wanted, l.had)
	case out.Phase == rolledBack && !l.autoscaled && old.wanted < l.capacity:
		l.breaks("v2 has %d instances after the way back, and had %d", old.wanted, l.capacity)
	}
}
