package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

// turn takes one stage as far as it goes now.
func (m *machine) turn(s *v1alpha1.Stage) {
	st, known := m.state.Stages[s.Name]
	if !known && !m.start(s) || known && !st.Phase.Live() {
		return
	}
	m.ending(s)
	m.ask(s)
}

// start starts a stage whose turn has come. It reports whether the stage goes on.
func (m *machine) start(s *v1alpha1.Stage) bool {
	if m.stopping() != "" || !m.ready(s) {
		return false
	}
	run, err := true, error(nil)
	if s.When != "" {
		run, err = m.Eval.Bool(s.When, m.env(s))
	}
	switch {
	case err != nil:
		m.started(s.Name, 1)
		m.fail(s, fmt.Sprintf("when: %v", err))
		return false
	case !run:
		m.emit(Event{Kind: StageSkipped, Stage: s.Name, Text: "when is false: " + s.When})
		return false
	}
	if gate, closed := m.Gates[s.Name]; closed && !gate.Open {
		m.step.Whys[s.Name] = gate.Why
		m.wake(gate.Until)
		return false
	}
	m.started(s.Name, 1)
	return true
}

// started begins an attempt; evidence of the one before is not its own.
func (m *machine) started(name string, attempt int) {
	delete(m.soft, name)
	m.emit(Event{Kind: StageStarted, Stage: name, Attempt: attempt})
}

// ending tells a stage that it has to end, once.
func (m *machine) ending(s *v1alpha1.Stage) {
	st := m.state.Stages[s.Name]
	if st.Ending != nil {
		return
	}
	why, as := m.stopping(), Cancelled
	if limit := Timeout(s); why == "" && limit > 0 {
		m.wake(st.Started.Add(limit))
		if m.Now.Sub(st.Started) >= limit {
			why, as = fmt.Sprintf("it took longer than %s", limit), Failed
		}
	}
	if why != "" {
		m.ofStage(s.Name, Event{Kind: StageEnding, Text: why, Data: data(stageEnding{as})})
	}
}

// Timeout is how long a stage may take; 0: as long as it does.
func Timeout(s *v1alpha1.Stage) time.Duration {
	switch {
	case s.Timeout != nil:
		return s.Timeout.Duration
	case s.Wait != nil: // it ends by itself, when it was told to
		return 0
	case s.Judgment != nil, s.Release != nil, s.Pipeline != nil, s.Enable != nil, s.Disable != nil, s.Undo != nil, s.Analysis != nil: // they may wait for a person
		return longTimeout
	}
	return defaultTimeout
}

// ask asks the stage's kind what comes next, and then what it has to know for that.
func (m *machine) ask(s *v1alpha1.Stage) {
	kind, config := KindOf(s)
	stage, ok := m.Stages[kind]
	if !ok {
		m.fail(s, fmt.Sprintf("stages of kind %q cannot run here", kind))
		return
	}
	env := m.env(s)
	config, err := m.Eval.Expand(config, env)
	if err != nil {
		m.fail(s, err.Error())
		return
	}
	in := m.input(s, config, env)
	m.take(s, in, stage.Next(in))
	if m.state.Stages[s.Name].Phase.Live() {
		m.looks(s, stage.Looks(m.input(s, config, env)))
	}
}

func (m *machine) input(s *v1alpha1.Stage, config any, env Env) StageInput {
	st := m.state.Stages[s.Name]
	in := StageInput{
		Now: m.Now, Started: st.Started, Run: m.Run, Name: s.Name, Attempt: st.Attempt, Config: config,
		Memory: st.Memory, Soft: m.soft[s.Name], Facts: m.facts(s.Name, st.Attempt), Open: st.Open, Env: env, Eval: m.Eval,
	}
	if st.Ending != nil {
		in.Cancel = st.Ending.Why
	}
	// Who judged would be forgotten by a stage that cannot end yet: its mail waits for its action.
	if st.Ending == nil && !st.Open.pending() {
		in.Decisions = m.mail[s.Name]
	}
	return in
}

// take makes events and actions of what a stage decided, in the order in which people would tell it.
func (m *machine) take(s *v1alpha1.Stage, in StageInput, out StageOutcome) {
	m.answer(s, in, out)
	if why := m.tooMuch(s, out); why != "" {
		m.fail(s, why)
		return
	}
	m.keep(s, out)
	open := m.state.Stages[s.Name].Open
	if !out.Phase.Live() && !open.pending() {
		m.ended(s, out)
		return
	}
	if !out.Phase.Live() {
		out = StageOutcome{Phase: m.state.Stages[s.Name].Phase, Why: "waits for what becomes of " + open.Kind}
	}
	if acts := m.act(s, out.Act); !acts && m.overdue(s) {
		m.forceEnd(s, out)
		return
	}
	m.show(s, out)
}

// answer records which decisions the stage accepted; all others are refused.
func (m *machine) answer(s *v1alpha1.Stage, in StageInput, out StageOutcome) {
	ending := m.state.Stages[s.Name].Ending
	for _, d := range m.mail[s.Name] {
		i := slices.IndexFunc(out.Answers, func(a Answer) bool { return a.Decision == d.Name })
		switch {
		case ending != nil:
			m.refuse(d, s.Name+" ends: "+ending.Why)
		case in.Decisions == nil: // the stage has not seen it
		case i < 0:
			m.refuse(d, fmt.Sprintf("%s has nothing to %s", s.Name, d.Verb))
		case out.Answers[i].Accepted:
			m.judged(d)
		default:
			m.refuse(d, out.Answers[i].Why)
		}
	}
}

// keep records new memory and what the stage finds worth telling, and carries its evidence on.
func (m *machine) keep(s *v1alpha1.Stage, out StageOutcome) {
	st := m.state.Stages[s.Name]
	e := Event{Kind: StageNote}
	if out.Note != st.Why {
		e.Text = out.Note
	}
	if out.Memory != nil {
		memory, _ := tidy(out.Memory)
		if before, _ := tidy(st.Memory); !bytes.Equal(memory, before) {
			e.Data = memory
		}
	}
	if e.Text != "" || e.Data != nil {
		m.ofStage(s.Name, e)
	}
	if out.Soft == nil {
		out.Soft = m.soft[s.Name]
	}
	if out.Soft != nil && out.Phase.Live() {
		m.step.Soft[s.Name] = out.Soft
	}
}

// show records whether the stage asks a person, and when to look again.
func (m *machine) show(s *v1alpha1.Stage, out StageOutcome) {
	switch st := m.state.Stages[s.Name]; {
	case out.Phase == Asking && st.Phase == Running:
		m.ofStage(s.Name, Event{Kind: Asked, Text: out.Why})
	case out.Phase == Running && st.Phase == Asking:
		m.ofStage(s.Name, Event{Kind: Resumed, Text: out.Why})
	}
	m.step.Whys[s.Name] = cut(out.Why)
	m.wake(out.Wake)
}

// overdue reports whether the stage had long enough to end by itself. In a step in which it
// acts it is not: nobody may have run it all the while.
func (m *machine) overdue(s *v1alpha1.Stage) bool {
	ending := m.state.Stages[s.Name].Ending
	if ending == nil {
		return false
	}
	last := ending.At.Add(maxEnding)
	m.wake(last)
	return !m.Now.Before(last)
}

func (m *machine) forceEnd(s *v1alpha1.Stage, out StageOutcome) {
	m.ended(s, StageOutcome{
		Phase: Cancelled,
		Why:   fmt.Sprintf("it did not end within %s, and what it began may go on: %s", maxEnding, out.Why),
	})
}

// looks passes on what a stage has to know, under keys that no other attempt has.
func (m *machine) looks(s *v1alpha1.Stage, looks []Look) {
	prefix := m.prefix(s.Name, m.state.Stages[s.Name].Attempt)
	for _, l := range looks {
		l.Key = prefix + l.Key
		l.Every = max(l.Every, lookEvery)
		m.step.Looks = append(m.step.Looks, l)
		fact, seen := m.Facts[l.Key]
		next := fact.At.Add(l.Every + m.behind)
		m.due = m.due || !seen || !next.After(m.Now)
		m.wake(next)
	}
}

// facts are those of the attempt's own looks.
func (m *machine) facts(name string, attempt int) map[string]Fact {
	prefix, own := m.prefix(name, attempt), map[string]Fact{}
	for key, fact := range m.Facts {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			own[rest] = fact
		}
	}
	return own
}

func (m *machine) prefix(name string, attempt int) string {
	return fmt.Sprintf("%s/%d/", name, attempt)
}
