package pipeline

import (
	"encoding/json"
	"maps"
	"slices"

	"weft.dev/api/v1alpha1"
)

// maxAccepted decisions are remembered: far more than can lack their answer.
const maxAccepted = 64

// Final reports whether nothing follows.
func Final(p v1alpha1.RunPhase) bool {
	return p == v1alpha1.RunSucceeded || p == v1alpha1.RunFailed || p == v1alpha1.RunCancelled
}

// Live reports whether a stage has started and not ended.
func (p StagePhase) Live() bool { return p == Running || p == Asking }

// Passed reports whether what comes after the stage may start.
func (p StagePhase) Passed() bool { return p == Succeeded || p == Continued || p == Skipped }

// pending reports whether nobody knows yet how the action went.
func (o *Open) pending() bool { return o != nil && o.Result == nil && !o.Unknown }

// Fold is the state after the events of a run, from its first one on.
func Fold(events []Event) State {
	var s State
	for _, e := range events {
		s = Apply(s, e)
	}
	return s
}

// Apply is the state after one more event. An event that was applied before changes
// nothing; one that does not fit, as all after the end, nothing but Seq and Last. What s
// refers to is not changed.
func Apply(s State, e Event) State {
	if e.Seq <= s.Seq {
		return s
	}
	s.Seq, s.Last = e.Seq, Later(s.Last, e.At)
	switch {
	case Final(s.Phase):
	case e.Stage == "":
		s.ofRun(e)
	default:
		s.ofStage(e)
	}
	return s
}

func (s *State) ofRun(e Event) {
	switch e.Kind {
	case RunStarted:
		if s.Phase == "" {
			s.Phase, s.Started = v1alpha1.RunRunning, e.At
		}
	case RunCancelled:
		if s.Cancel == "" {
			s.Cancel = e.Text
			s.accepted(e)
		}
	case RunEnded:
		var ended runEnded
		if json.Unmarshal(e.Data, &ended) == nil && Final(ended.Phase) {
			s.Phase, s.Why = ended.Phase, e.Text
		}
	}
}

func (s *State) ofStage(e Event) {
	st, ok := s.Stages[e.Stage].apply(e)
	if !ok || s.Phase == "" {
		return
	}
	s.Stages = maps.Clone(s.Stages)
	if s.Stages == nil {
		s.Stages = map[string]StageState{}
	}
	s.Stages[e.Stage] = st
	if e.Kind == Judged {
		s.accepted(e)
	}
	s.Phase = v1alpha1.RunRunning
	for _, st := range s.Stages {
		if st.Phase == Asking {
			s.Phase = v1alpha1.RunAsking
		}
	}
}

// accepted remembers the decision that an event is about, if it is about one.
func (s *State) accepted(e Event) {
	var d decided
	if json.Unmarshal(e.Data, &d) != nil || d.Decision == "" {
		return
	}
	s.Accepted = append(slices.Clone(s.Accepted), d.Decision)
	if over := len(s.Accepted) - maxAccepted; over > 0 {
		s.Accepted = s.Accepted[over:]
	}
}

// apply is the stage after the event, and whether that fits.
func (st StageState) apply(e Event) (StageState, bool) {
	switch {
	case e.Kind == StageStarted && e.Attempt == st.Attempt+1 && st.Phase != Skipped:
		return StageState{Phase: Running, Attempt: e.Attempt, Started: e.At}, true
	case e.Kind == StageSkipped && st.Phase == "":
		return StageState{Phase: Skipped, Started: e.At, Ended: e.At, Why: e.Text}, true
	case e.Kind == Judged && e.Attempt == st.Attempt && st.Phase != "":
		return st, true
	case !st.Phase.Live() || e.Attempt != st.Attempt:
		return st, false
	}
	return st.applyLive(e)
}

// applyLive is apply for what happens to the attempt that goes on.
func (st StageState) applyLive(e Event) (StageState, bool) {
	switch e.Kind {
	case StageNote:
		if e.Data != nil {
			st.Memory = e.Data
		}
		if e.Text != "" {
			st.Why = e.Text
		}
	case Asked:
		st.Phase, st.Why = Asking, e.Text
	case Resumed:
		st.Phase, st.Why = Running, e.Text
	case StageEnding:
		return st.ending(e)
	case StageEnded:
		return st.end(e)
	default:
		return st.act(e)
	}
	return st, true
}

func (st StageState) ending(e Event) (StageState, bool) {
	var d stageEnding
	if st.Ending != nil || json.Unmarshal(e.Data, &d) != nil {
		return st, false
	}
	st.Ending = &Ending{Why: e.Text, As: d.As, At: e.At}
	return st, true
}

func (st StageState) end(e Event) (StageState, bool) {
	var d stageEnded
	if json.Unmarshal(e.Data, &d) != nil || d.Phase == "" || d.Phase.Live() {
		return st, false
	}
	return StageState{
		Phase: d.Phase, Attempt: st.Attempt, Started: st.Started, Ended: e.At,
		Acts: st.Acts, Outputs: d.Outputs, Why: e.Text,
	}, true
}

// act applies what happens to an action.
func (st StageState) act(e Event) (StageState, bool) {
	if e.Kind == ActionIntended {
		var d actionIntended
		if st.Open.pending() || json.Unmarshal(e.Data, &d) != nil {
			return st, false
		}
		st.Acts, st.Open = st.Acts+1, &Open{ID: e.Action, Kind: d.Kind, Safe: d.Safe, At: e.At}
		return st, true
	}
	if st.Open == nil || st.Open.ID != e.Action || st.Open.Result != nil {
		return st, false
	}
	open := *st.Open
	st.Open = &open
	switch e.Kind {
	case ActionUnknown:
		open.Unknown = true
	case ActionDone:
		var d actionDone
		if json.Unmarshal(e.Data, &d) != nil {
			return st, false
		}
		open.Unknown, open.Result = false, &Result{ID: e.Action, OK: d.OK, Text: e.Text, Data: d.Data}
	default:
		return st, false
	}
	return st, true
}
