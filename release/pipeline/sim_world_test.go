package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

// outside is what happens without the machine: actions end, children go on, people decide.
func (w *simWorld) outside() {
	for _, id := range slices.Sorted(maps.Keys(w.process.flying)) {
		if w.now.Before(w.process.flying[id]) {
			continue
		}
		delete(w.process.flying, id)
		w.land(w.kinds[id])
	}
	for _, name := range slices.Sorted(maps.Keys(w.children)) {
		if c := w.children[name]; !w.now.Before(c.ends) {
			c.phase = c.as
		}
	}
	for i := range w.spec.Stages {
		w.people(&w.spec.Stages[i])
	}
	if !w.cancelAt.IsZero() && !w.now.Before(w.cancelAt) {
		w.cancelAt = time.Time{}
		w.decision(Decision{Verb: Cancel, By: "carol"})
		w.decision(Decision{Verb: Cancel, By: "dave"})
	}
}

// land ends an action: it was done, it was not, or nobody can tell.
func (w *simWorld) land(a Action) {
	switch n := w.IntN(100); {
	case n < 75:
		w.happen(a)
		w.process.results = append(w.process.results, Result{ID: a.ID, OK: true, Data: json.RawMessage(`{"z":1,"a":2}`)})
	case n < 85:
		w.process.results = append(w.process.results, Result{ID: a.ID, Text: "refused"})
	case n < 93:
		w.happen(a) // the answer was lost
	}
}

// happen is the effect of an action on the world. That of a safe one is the same however often.
func (w *simWorld) happen(a Action) {
	var c Child
	json.Unmarshal(a.Data, &c)
	child := w.children[c.Name]
	switch {
	case a.Kind == CreateRelease && child == nil:
		w.children[c.Name] = &simChild{
			phase: v1alpha1.ReleaseProgressing, ends: w.now.Add(w.upTo(time.Hour)),
			as: pick(w, v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseFailed),
		}
	case a.Kind == AbortRelease && child != nil && child.phase == v1alpha1.ReleaseProgressing && child.as != v1alpha1.ReleaseRolledBack:
		child.as, child.ends = v1alpha1.ReleaseRolledBack, w.now.Add(w.upTo(15*time.Minute))
	}
	w.effects[a.ID]++
}

// see is what a look finds.
func (w *simWorld) see(l Look) Fact {
	if w.chance(10) {
		return Fact{At: w.now, Err: "timeout"}
	}
	var c Child
	json.Unmarshal(l.Data, &c)
	child, ok := w.children[c.Name]
	if !ok {
		return Fact{At: w.now, Data: data(ReleaseSeen{Missing: true})}
	}
	return Fact{At: w.now, Data: data(ReleaseSeen{Phase: child.phase})}
}

// people look at a stage, and now and then decide something about it, sensible or not.
func (w *simWorld) people(s *v1alpha1.Stage) {
	st := w.state.Stages[s.Name]
	d := Decision{Stage: s.Name, Attempt: st.Attempt, By: pick(w, "bob", "bob", "bob", "alice"), Choice: pick(w, "continue", "continue", "stop")}
	switch {
	case s.Judgment != nil && st.Phase == Asking && w.chance(15):
		d.Verb = Judge
	case (s.Wait != nil || s.Webhook != nil) && st.Phase == Running && w.chance(3):
		d.Verb = Skip
	case (failed(st.Phase) && w.chance(20) || st.Phase == Asking && st.Open != nil) && w.chance(25):
		d.Verb = Retry
	case w.IntN(1000) == 0:
		d.Verb, d.Attempt = pick(w, Judge, Skip, Retry), pick(w, st.Attempt, 7)
	default:
		return
	}
	if len(w.decisions) > 100 || st.Attempt > 4 {
		return // they have had enough
	}
	w.decision(d)
	if w.chance(30) { // somebody else, or the same once more
		d.Choice, d.Attempt = pick(w, "continue", "stop"), max(1, d.Attempt-w.IntN(2))
		w.decision(d)
	}
}

func (w *simWorld) decision(d Decision) {
	d.Name = fmt.Sprintf("d%d", len(w.decisions))
	w.decisions = append(w.decisions, &simDecision{Decision: d})
}

func (w *simWorld) allAnswered() bool {
	return !slices.ContainsFunc(w.decisions, func(d *simDecision) bool { return !d.answered })
}

// answers writes what became of decisions; a write may be lost.
func (w *simWorld) answers(s Step) error {
	for _, d := range w.decisions {
		if d.answered {
			continue
		}
		i := slices.IndexFunc(s.Answers, func(a Answer) bool { return a.Decision == d.Name })
		switch {
		case i >= 0:
			d.told = append(d.told, s.Answers[i])
			d.answered = w.chance(85)
			if !d.answered {
				w.seen["lost answer"]++
			}
		case w.state.Stages[d.Stage].Open.pending():
		default:
			if d.steps++; d.steps > 2 {
				return fmt.Errorf("decision %+v gets no answer", d.Decision)
			}
		}
		if n := len(d.told); n > 1 && d.told[n-1].Accepted != d.told[n-2].Accepted {
			return fmt.Errorf("decision %+v got two answers: %+v", d.Decision, d.told)
		}
	}
	return nil
}

// do begins an action, as the process that stored its intent. It may die right before or after.
func (w *simWorld) do(a Action) error {
	open := w.state.Stages[a.Stage].Open
	_, flies := w.process.flying[a.ID]
	w.given[a.ID]++
	switch {
	case open == nil || open.ID != a.ID || open.Result != nil || open.Kind != a.Kind || open.Safe != a.Safe:
		return fmt.Errorf("action %s is done, but what is stored is %+v", a.ID, open)
	case w.given[a.ID] > 1 && (!a.Safe || flies):
		return fmt.Errorf("action %s is done %d times", a.ID, w.given[a.ID])
	case w.given[a.ID] > 1:
		w.seen["redone"]++
	}
	w.kinds[a.ID] = a
	w.process.flying[a.ID] = w.now.Add(w.upTo(time.Minute))
	if w.chance(3) {
		w.seen["kill"]++
		w.crash()
	}
	return nil
}

// pass lets time go by, until something may happen. Now and then a clock is set back.
func (w *simWorld) pass() {
	next := w.process.wake
	for _, ends := range w.process.flying {
		if next.IsZero() || ends.Before(next) {
			next = ends
		}
	}
	if w.chance(20) || next.Before(w.now) {
		next = w.now
	}
	w.now = next.Add(w.upTo(20 * time.Millisecond))
	if w.chance(4) {
		w.seen["late"]++ // nobody leads
		w.now = w.now.Add(w.upTo(time.Hour))
	}
	if w.chance(1) {
		w.seen["back"]++
		w.now = w.now.Add(-time.Hour)
	}
}

// story is the run as it is stored, for who has to understand a broken law.
func (w *simWorld) story() string {
	var b strings.Builder
	for _, s := range w.spec.Stages {
		fmt.Fprintf(&b, "%s after %v when %q on failure %q: %s\n", s.Name, s.After, s.When, s.OnFailure, data(s))
	}
	for _, e := range w.events {
		fmt.Fprintf(&b, "%3d %s %s %s/%d %s %s %s\n", e.Seq, e.At.Sub(noon), e.Kind, e.Stage, e.Attempt, e.Action, e.Text, e.Data)
	}
	return b.String()
}
