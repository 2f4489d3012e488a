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

const (
	// lookAgain is how long a run waits that nothing else wakes.
	lookAgain = time.Minute
	// lookEvery is the least time between two looks at one thing.
	lookEvery = time.Second
	// maxEnding is how long a stage may take to take back what is half done.
	maxEnding = 10 * time.Minute
	// defaultTimeout of a stage; longTimeout of one that may wait for a person.
	defaultTimeout, longTimeout = 2 * time.Hour, 72 * time.Hour
	// maxNames of stages in a sentence.
	maxNames = 3
)

// machine is one call of Next. State is as after the events of the step so far.
type machine struct {
	Input
	With
	graph
	spec  *v1alpha1.PipelineSpec
	state State
	step  Step
	mail  map[string][]Decision // by stage, for it to answer
	soft  map[string]json.RawMessage
	due   bool // something is to be looked at now
	// behind is how far the clock is behind the run: it was set back, or is another machine's.
	behind time.Duration
}

// Next decides how a run of a pipeline goes on from its state. The events are stored
// before the actions are done; a step that could not be stored is forgotten. It does not change what it is given.
func Next(d *v1alpha1.PipelineSpec, s State, in Input, w With) Step {
	clock := moment(in.Now)
	in.Now = Later(clock, s.Last)
	m := &machine{
		Input: in, With: w, graph: newGraph(d.Stages), spec: d, state: s,
		step: Step{Soft: map[string]json.RawMessage{}, Whys: map[string]string{}},
		mail: map[string][]Decision{}, soft: maps.Clone(in.Soft), behind: in.Now.Sub(clock),
	}
	m.results()
	m.cancel()
	m.decide()
	switch {
	case Final(m.state.Phase):
	case m.state.Phase != "" || m.begin():
		m.goOn()
	}
	return m.close()
}

// goOn gives each stage its turn, and ends the run after the last.
func (m *machine) goOn() {
	for _, s := range m.order {
		m.turn(s)
	}
	if slices.ContainsFunc(m.order, m.waited) {
		return
	}
	switch why := m.stopping(); {
	case m.state.Cancel != "":
		m.end(v1alpha1.RunCancelled, m.state.Cancel)
	case why != "":
		m.end(v1alpha1.RunFailed, why)
	default:
		m.finish()
	}
}

// finish ends a run that nothing stopped.
func (m *machine) finish() {
	var failed []string
	for _, s := range m.order {
		if st := m.state.Stages[s.Name]; st.Phase == Failed {
			failed = append(failed, s.Name+": "+st.Why)
		}
	}
	if failed != nil {
		m.end(v1alpha1.RunFailed, few(failed))
		return
	}
	m.end(v1alpha1.RunSucceeded, "")
}

// waited reports whether the run is not over because of the stage.
func (m *machine) waited(s *v1alpha1.Stage) bool {
	st, known := m.state.Stages[s.Name]
	return st.Phase.Live() || !known && m.stopping() == "" && m.ready(s)
}

// ready reports whether all that the stage comes after has ended, and lets it start.
func (m *machine) ready(s *v1alpha1.Stage) bool {
	return !slices.ContainsFunc(s.After, func(name string) bool { return !m.state.Stages[name].Phase.Passed() })
}

// stopping says why no stage starts any more, and those that go on have to end.
func (m *machine) stopping() string {
	if m.state.Cancel != "" {
		return m.state.Cancel
	}
	for _, s := range m.order {
		if st := m.state.Stages[s.Name]; st.Phase == Failed && s.OnFailure != v1alpha1.FailLater {
			return s.Name + ": " + st.Why
		}
	}
	return ""
}

func (m *machine) end(p v1alpha1.RunPhase, why string) {
	m.emit(Event{Kind: RunEnded, Text: why, Data: data(runEnded{p})})
}

// emit adds an event to the step.
func (m *machine) emit(e Event) {
	e.Seq, e.At, e.Text = m.state.Seq+1, m.Now, cut(e.Text)
	m.state = Apply(m.state, e)
	m.step.Events = append(m.step.Events, e)
}

// wake makes the next step no later than t. A time that has come changes nothing more: it is none.
func (m *machine) wake(t time.Time) {
	if t.After(m.Now) && (m.step.Wake.IsZero() || t.Before(m.step.Wake)) {
		m.step.Wake = t
	}
}

// close completes the step. After an event the run is looked at again at once: what
// happened to one stage may matter to another, and to what has to be known.
func (m *machine) close() Step {
	m.step.Why = m.where()
	if Final(m.state.Phase) {
		m.step.Wake = time.Time{}
		return m.step
	}
	m.wake(m.Now.Add(lookAgain))
	if m.step.Events != nil || m.due {
		m.step.Wake = m.Now
	}
	m.step.Wake = m.step.Wake.Add(-m.behind)
	return m.step
}

// where says where the run stands.
func (m *machine) where() string {
	if Final(m.state.Phase) {
		return m.state.Why
	}
	if m.state.Phase == "" {
		return m.Held
	}
	var asks, others []string
	for _, s := range m.order {
		why, told := m.step.Whys[s.Name]
		switch {
		case !told:
		case m.state.Stages[s.Name].Phase == Asking:
			asks = append(asks, s.Name+" asks: "+why)
		default:
			others = append(others, s.Name+": "+why)
		}
	}
	text := few(append(asks, others...))
	if why := m.stopping(); why != "" {
		text = fmt.Sprintf("ends (%s); %s", why, text)
	}
	return cut(text)
}

// few joins the first ones, and says how many there are more.
func few(texts []string) string {
	if over := len(texts) - maxNames; over > 0 {
		texts = append(slices.Clone(texts[:maxNames]), fmt.Sprintf("%d more", over))
	}
	return strings.Join(texts, "; ")
}
