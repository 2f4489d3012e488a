package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// Verbs of decisions.
const (
	Judge  = "judge"
	Cancel = "cancel"
	Retry  = "retry"
	Skip   = "skip"
)

// cancel is first: nobody gets a stage to go on in the step that cancels its run.
func (m *machine) cancel() {
	if m.Cancel != "" && m.stopping() == "" && !Final(m.state.Phase) {
		m.emit(Event{Kind: RunCancelled, Text: m.Cancel})
	}
	for _, d := range m.Decisions {
		switch {
		case d.Verb != Cancel || m.again(d):
		case m.Barred[d.Name] != "":
			m.refuse(d, m.Barred[d.Name])
		case Final(m.state.Phase):
			m.refuse(d, "the run has ended")
		case m.stopping() != "":
			m.refuse(d, "the run ends already: "+m.stopping())
		default:
			m.emit(Event{Kind: RunCancelled, Text: "cancelled by " + said(d), Data: about(d)})
			m.accept(d)
		}
	}
}

// decide takes in what people decided about stages.
func (m *machine) decide() {
	for _, d := range m.Decisions {
		if d.Verb == Cancel || m.again(d) {
			continue
		}
		st, known := m.state.Stages[d.Stage]
		switch {
		case m.Barred[d.Name] != "":
			m.refuse(d, m.Barred[d.Name])
		case m.stages[d.Stage] == nil:
			m.refuse(d, fmt.Sprintf("the run has no stage %q", d.Stage))
		case Final(m.state.Phase):
			m.refuse(d, "the run has ended")
		case !known:
			m.refuse(d, d.Stage+" has not started")
		case d.Attempt != st.Attempt:
			m.refuse(d, fmt.Sprintf("it is about attempt %d of %s, which is at attempt %d", d.Attempt, d.Stage, st.Attempt))
		case d.Verb == Retry:
			m.retry(d)
		case !st.Phase.Live():
			m.refuse(d, fmt.Sprintf("%s has ended: %s", d.Stage, st.Phase))
		default:
			m.mail[d.Stage] = append(m.mail[d.Stage], d)
		}
	}
}

// again answers a decision that was accepted, and whose answer was lost.
func (m *machine) again(d Decision) bool {
	was := slices.Contains(m.state.Accepted, d.Name)
	if was && !slices.ContainsFunc(m.step.Answers, func(a Answer) bool { return a.Decision == d.Name }) {
		m.accept(d)
	}
	return was
}

// retry begins a further attempt of a stage that failed, or of which nobody knows whether it acted.
func (m *machine) retry(d Decision) {
	st := m.state.Stages[d.Stage]
	open := st.Open
	gate, guarded := m.Gates[d.Stage]
	switch {
	case guarded && !gate.Open:
		m.refuse(d, gate.Why)
		return
	case m.stopping() != "":
		m.refuse(d, "the run ends: "+m.stopping())
		return
	case st.Ending != nil:
		m.refuse(d, d.Stage+" ends: "+st.Ending.Why)
		return
	case !failed(st.Phase) && (open == nil || !open.Unknown):
		m.refuse(d, fmt.Sprintf("%s has not failed: %s", d.Stage, st.Phase))
		return
	case m.wentOn(d.Stage) != "":
		m.refuse(d, fmt.Sprintf("%s went on after %s", m.wentOn(d.Stage), d.Stage))
		return
	}
	m.judged(d)
	m.started(d.Stage, st.Attempt+1)
}

// failed reports whether a stage failed, whatever that meant for the run.
func failed(p StagePhase) bool { return p == Failed || p == Stopped || p == Continued }

// wentOn is a stage that started because the named one had ended.
func (m *machine) wentOn(name string) string {
	for _, s := range m.order {
		if _, known := m.state.Stages[s.Name]; known && slices.Contains(s.After, name) {
			return s.Name
		}
	}
	return ""
}

// judged records a decision on a stage that is accepted, and answers it.
func (m *machine) judged(d Decision) {
	m.ofStage(d.Stage, Event{Kind: Judged, Text: said(d), Data: about(d)})
	m.accept(d)
}

func (m *machine) accept(d Decision) {
	m.step.Answers = append(m.step.Answers, Answer{Decision: d.Name, Accepted: true})
}

func (m *machine) refuse(d Decision, why string) {
	m.step.Answers = append(m.step.Answers, Answer{Decision: d.Name, Why: cut(why)})
}

func about(d Decision) []byte {
	return data(decided{Decision: d.Name, Verb: d.Verb, By: d.By, Choice: d.Choice})
}

// said is a decision as people say it: WHO: CHOICE (WHY).
func said(d Decision) string {
	text := d.By
	if what := strings.TrimSpace(d.Verb + " " + d.Choice); d.Verb != Cancel {
		text += ": " + what
	}
	if d.Reason != "" {
		text += fmt.Sprintf(" (%s)", d.Reason)
	}
	return text
}
