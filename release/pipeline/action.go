package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"weft.dev/api/v1alpha1"
)

// results takes in how actions went.
func (m *machine) results() {
	for _, r := range m.Results {
		if name := m.opened(r.ID); name != "" && m.state.Stages[name].Open.Result == nil {
			m.done(name, r)
		}
	}
}

// opened is the stage that the action is the last one of; "": of none any more.
func (m *machine) opened(id string) string {
	for _, name := range slices.Sorted(maps.Keys(m.state.Stages)) {
		if open := m.state.Stages[name].Open; open != nil && open.ID == id {
			return name
		}
	}
	return ""
}

func (m *machine) done(name string, r Result) {
	if why := m.notKept(r.Data); why != "" {
		r.Text = fmt.Sprintf("its answer is left out: %s; %s", why, r.Text)
		r.Data = nil
	}
	m.ofStage(name, Event{Kind: ActionDone, Action: r.ID, Text: r.Text, Data: data(actionDone{r.OK, r.Data})})
}

// notKept says why an answer cannot be stored.
func (m *machine) notKept(answer json.RawMessage) string {
	switch n := len(answer); {
	case n == 0:
	case n > MaxData:
		return fmt.Sprintf("it has %d bytes, at most %d are kept", n, MaxData)
	case m.size()+n > MaxState:
		return fmt.Sprintf("with it the run's state has %d bytes, at most %d are kept", m.size()+n, MaxState)
	case !json.Valid(answer):
		return "it is no JSON"
	}
	return ""
}

// size is how many bytes the stages take in storage.
func (m *machine) size() (all int) {
	for _, st := range m.state.Stages {
		all += size(st)
	}
	return all
}

func (m *machine) unknown(name string, open *Open) {
	m.ofStage(name, Event{
		Kind: ActionUnknown, Action: open.ID,
		Text: fmt.Sprintf("%s: it is not known whether it happened, and it is not repeated", open.Kind),
	})
}

// ofStage adds an event of the stage's attempt.
func (m *machine) ofStage(name string, e Event) {
	e.Stage, e.Attempt = name, m.state.Stages[name].Attempt
	m.emit(e)
}

// act takes the action that a stage gave. While nobody knows how the last one went it
// can only be that one, after a crash; where that is not safe, or the stage wants another by now,
// it stays unknown. It reports whether anything came of it.
func (m *machine) act(s *v1alpha1.Stage, a *Action) bool {
	open := m.state.Stages[s.Name].Open
	switch {
	case !open.pending():
		return m.intend(s, a)
	case !slices.Contains(m.Lost, open.ID):
		return false
	case a != nil && a.Kind == open.Kind && open.Safe:
		m.give(s, a)
	default:
		m.unknown(s.Name, open)
	}
	return true
}

func (m *machine) intend(s *v1alpha1.Stage, a *Action) bool {
	if a == nil {
		return false
	}
	st := m.state.Stages[s.Name]
	id := fmt.Sprintf("%s/%s/%d/%d", m.Run.UID, s.Name, st.Attempt, st.Acts+1)
	m.ofStage(s.Name, Event{Kind: ActionIntended, Action: id, Data: data(actionIntended{a.Kind, a.Safe})})
	m.give(s, a)
	return true
}

// give gives the stage's open action to be done.
func (m *machine) give(s *v1alpha1.Stage, a *Action) {
	open := m.state.Stages[s.Name].Open
	m.step.Actions = append(m.step.Actions, Action{ID: open.ID, Stage: s.Name, Kind: a.Kind, Safe: a.Safe, At: open.At, Data: a.Data})
}
