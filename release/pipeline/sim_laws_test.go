package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
)

// lawsOfStep are those of a step before it is stored.
func (w *simWorld) lawsOfStep(s Step) error {
	if Final(w.state.Phase) && len(s.Events)+len(s.Actions) > 0 {
		return fmt.Errorf("after the end: %+v", s)
	}
	state := w.state
	for _, e := range s.Events {
		switch {
		case e.Seq != state.Seq+1:
			return fmt.Errorf("event %d after %d", e.Seq, state.Seq)
		case e.At.Before(state.Last):
			return fmt.Errorf("event %d is before the one before it", e.Seq)
		case len(e.Text) > MaxText || len(e.Data) > MaxData+64:
			return fmt.Errorf("event %d has %d + %d bytes", e.Seq, len(e.Text), len(e.Data))
		}
		state = Apply(state, e)
	}
	if wait := s.Wake.Sub(w.now); wait > lookAgain || wait > 0 && len(s.Events) > 0 {
		return fmt.Errorf("after %d events it waits for %s", len(s.Events), wait)
	}
	if s.Wake.IsZero() != Final(state.Phase) {
		return fmt.Errorf("%s, and wakes at %v", state.Phase, s.Wake)
	}
	return nil
}

// laws are those of what is stored, and of the world.
func (w *simWorld) laws() error {
	for id, n := range w.effects {
		if n > 1 && !w.kinds[id].Safe {
			return fmt.Errorf("action %s happened %d times", id, n)
		}
	}
	if !w.chance(5) && !Final(w.state.Phase) {
		return nil
	}
	if fold := stored(Fold(w.events)); !reflect.DeepEqual(fold, w.state) {
		return fmt.Errorf("the state is not the fold of the events:\n%s\n%s", data(fold), data(w.state))
	}
	return nil
}

// record reads the events of a run as a stranger would who trusts none of them.
type record struct {
	*simWorld
	stages   map[string]*recordStage
	actions  map[string]Kind // the last event of each
	judged   map[string]decided
	begun    bool
	stopping bool
	cancel   bool
	end      *v1alpha1.RunPhase
}

type recordStage struct {
	attempt int
	phase   StagePhase // Running until it ended
	open    string     // the action whose result is missing
	verdict *decided   // the last accepted decision
	memory  string
	ending  *Event
}

// lawsOfEnd are those of a run that has ended.
func (w *simWorld) lawsOfEnd() error {
	r := &record{simWorld: w, stages: map[string]*recordStage{}, actions: map[string]Kind{}, judged: map[string]decided{}}
	for _, e := range w.events {
		if err := r.read(e); err != nil {
			return fmt.Errorf("event %d, %s %s/%d: %w", e.Seq, e.Kind, e.Stage, e.Attempt, err)
		}
	}
	return errors.Join(r.whole(), r.decisionsKept(), r.right())
}

func (r *record) stageOf(name string) *v1alpha1.Stage {
	i := slices.IndexFunc(r.spec.Stages, func(s v1alpha1.Stage) bool { return s.Name == name })
	return &r.spec.Stages[i]
}

// free reports whether all that the stage comes after has ended, so that it may start.
func (r *record) free(name string) bool {
	for _, before := range r.stageOf(name).After {
		if st := r.stages[before]; st == nil || st.phase != Succeeded && st.phase != Skipped && st.phase != Continued {
			return false
		}
	}
	return true
}

func (r *record) read(e Event) error {
	if r.end != nil {
		return errors.New("after the end")
	}
	switch st := r.stages[e.Stage]; {
	case e.Kind == RunStarted:
		r.begun = true
	case e.Kind == RunCancelled:
		r.cancel, r.stopping = true, true
		return r.heard(e)
	case e.Kind == RunEnded:
		var d runEnded
		json.Unmarshal(e.Data, &d)
		r.end = &d.Phase
	case !r.begun:
		return errors.New("before the beginning")
	case e.Kind == StageStarted || e.Kind == StageSkipped:
		return r.start(e)
	case st == nil || st.attempt != e.Attempt:
		return errors.New("no such attempt")
	case e.Kind == Judged:
		return r.heard(e)
	case !st.phase.Live():
		return errors.New("it has ended")
	case e.Kind == StageNote && st.memory == string(e.Data):
		return errors.New("it says nothing new")
	case e.Kind == StageNote:
		st.memory = string(e.Data)
	case e.Kind == StageEnding:
		st.ending = &e
	case e.Kind == StageEnded:
		return r.ended(e)
	case e.Action != "":
		return r.act(e)
	}
	return nil
}

func (r *record) start(e Event) error {
	st := r.stages[e.Stage]
	switch {
	case r.stopping:
		return errors.New("it starts although the run ends")
	case st == nil && !r.free(e.Stage):
		return errors.New("it starts too early")
	case e.Kind == StageStarted && e.At.Before(r.opens[e.Stage]) && r.stageOf(e.Stage).When != e.Stage: // that one fails by its condition
		return errors.New("its gate is closed")
	case st != nil && (st.verdict == nil || st.verdict.Verb != Retry || e.Attempt != st.attempt+1):
		return errors.New("nobody wanted it again")
	}
	phase := Running
	if e.Kind == StageSkipped {
		phase = Skipped
	}
	r.stages[e.Stage] = &recordStage{attempt: e.Attempt, phase: phase}
	return nil
}

// heard takes in an accepted decision, which must be one that somebody made, once.
func (r *record) heard(e Event) error {
	var d decided
	json.Unmarshal(e.Data, &d)
	i := slices.IndexFunc(r.decisions, func(made *simDecision) bool { return made.Name == d.Decision })
	_, twice := r.judged[d.Decision]
	switch {
	case i < 0 || twice:
		return fmt.Errorf("decision %q: never made, or accepted twice", d.Decision)
	case r.decisions[i].Stage != e.Stage || r.decisions[i].Attempt != e.Attempt || r.decisions[i].Choice != d.Choice:
		return fmt.Errorf("it is another one than %+v", r.decisions[i])
	case d.Verb == Judge && d.By == r.run.Trigger.By:
		return errors.New("the starter judged")
	}
	r.judged[d.Decision] = d
	if st := r.stages[e.Stage]; st != nil {
		st.verdict = &d
	}
	return nil
}

func (r *record) act(e Event) error {
	st, before := r.stages[e.Stage], r.actions[e.Action]
	switch {
	case e.Kind == ActionIntended && (before != "" || st.open != ""):
		return errors.New("intended while one is open, or twice")
	case e.Kind != ActionIntended && (before == "" || before == ActionDone || before == e.Kind):
		return fmt.Errorf("after %q", before)
	case e.Kind == ActionDone && strings.HasPrefix(string(e.Data), `{"ok":true`) && r.effects[e.Action] == 0:
		return errors.New("it did not happen")
	}
	r.actions[e.Action] = e.Kind
	st.open = ""
	if e.Kind == ActionIntended {
		st.open = e.Action
	}
	return nil
}

func (r *record) ended(e Event) error {
	var d stageEnded
	json.Unmarshal(e.Data, &d)
	s, st := r.stageOf(e.Stage), r.stages[e.Stage]
	st.phase = d.Phase
	forced := st.ending != nil && strings.HasPrefix(e.Text, st.ending.Text+"; it did not end within")
	said, skipped := st.verdict != nil && st.verdict.Verb == Judge, st.verdict != nil && st.verdict.Verb == Skip
	switch {
	case st.open != "" && !forced:
		return fmt.Errorf("%s is under way", st.open)
	case forced && e.At.Sub(st.ending.At) < maxEnding:
		return errors.New("it is forced too early")
	case s.Judgment != nil && (d.Phase == Succeeded) != (said && st.verdict.Choice != "stop"):
		return fmt.Errorf("a judgment ends as %s after %+v", d.Phase, st.verdict)
	case strings.Contains(e.Text, "another attempt"):
		return errors.New(e.Text)
	case skipped && d.Phase != Succeeded:
		return errors.New("that it was skipped is forgotten")
	case s.Webhook != nil && d.Phase == Succeeded && !skipped && r.effects[fmt.Sprintf("u/%s/%d/1", e.Stage, e.Attempt)] == 0:
		return errors.New("it succeeded with nothing done")
	case d.Phase == Cancelled && st.ending == nil:
		return errors.New("it is cancelled, and nobody wanted that")
	}
	if d.Phase == Failed && s.OnFailure != v1alpha1.FailLater {
		r.stopping = true
	}
	return nil
}

// whole: nothing is left that had to run, and the end is what its stages say.
func (r *record) whole() error {
	want := v1alpha1.RunSucceeded
	for _, s := range r.spec.Stages {
		st := r.stages[s.Name]
		switch {
		case st == nil && r.begun && !r.stopping && r.free(s.Name):
			return fmt.Errorf("%s never ran", s.Name)
		case st != nil && st.phase.Live():
			return fmt.Errorf("%s did not end", s.Name)
		case st != nil && st.phase == Failed:
			want = v1alpha1.RunFailed
		}
	}
	if r.cancel {
		want = v1alpha1.RunCancelled
	}
	if r.end == nil || *r.end != want {
		return fmt.Errorf("the run ended as %v, want %s", r.end, want)
	}
	return nil
}

// decisionsKept: what people were told is what the record says.
func (r *record) decisionsKept() error {
	for _, d := range r.decisions {
		_, kept := r.judged[d.Name]
		if len(d.told) == 0 || d.told[0].Accepted != kept {
			return fmt.Errorf("decision %+v: told %+v, kept: %t", d.Decision, d.told, kept)
		}
	}
	return nil
}

// right: modes are kept.
func (r *record) right() error {
	for name, st := range r.stages {
		mode := r.stageOf(name).OnFailure
		if st.phase == Stopped && mode != v1alpha1.FailStop || st.phase == Continued && mode != v1alpha1.FailContinue ||
			st.phase == Failed && (mode == v1alpha1.FailStop || mode == v1alpha1.FailContinue) {
			return fmt.Errorf("%s is %s by mode %q", name, st.phase, mode)
		}
	}
	return nil
}

// count says what the world has tried.
func (w *simWorld) count(seen map[string]int) {
	for what, n := range w.seen {
		seen[what] += n
	}
	seen[string(w.state.Phase)]++
	for _, e := range w.events {
		for what, is := range map[string]bool{
			"unknown": e.Kind == ActionUnknown, "retry": e.Kind == StageStarted && e.Attempt > 1, "skipped": e.Kind == StageSkipped,
			"judged": e.Kind == Judged, "forced": strings.Contains(e.Text, "did not end within"), "timeout": strings.Contains(e.Text, "took longer"),
			"continued": strings.Contains(string(e.Data), `"Continued"`), "stopped": strings.Contains(string(e.Data), `"Stopped"`),
		} {
			if is {
				seen[what]++
			}
		}
	}
}
