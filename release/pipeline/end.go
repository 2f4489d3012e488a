package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"weft.dev/api/v1alpha1"
)

// fail ends a stage that failed by itself, not by its kind.
func (m *machine) fail(s *v1alpha1.Stage, why string) {
	m.ended(s, StageOutcome{Phase: Failed, Why: why})
}

// ended ends a stage.
func (m *machine) ended(s *v1alpha1.Stage, out StageOutcome) {
	outputs, _ := object(out.Outputs)
	ending := m.state.Stages[s.Name].Ending
	if ending != nil && out.Phase != Succeeded && !strings.Contains(out.Why, ending.Why) {
		out.Why = strings.TrimSuffix(ending.Why+"; "+out.Why, "; ")
	}
	delete(m.step.Soft, s.Name)
	delete(m.step.Whys, s.Name)
	m.ofStage(s.Name, Event{Kind: StageEnded, Text: out.Why, Data: data(stageEnded{m.meant(s, out.Phase), outputs})})
}

// meant is what a stage's end means for its run. One that was not told to end, and
// was cancelled from elsewhere, has failed.
func (m *machine) meant(s *v1alpha1.Stage, p StagePhase) StagePhase {
	ending := m.state.Stages[s.Name].Ending
	switch {
	case p == Succeeded:
		return Succeeded
	case p == Cancelled && ending != nil && ending.As == Cancelled:
		return Cancelled
	case s.OnFailure == v1alpha1.FailStop:
		return Stopped
	case s.OnFailure == v1alpha1.FailContinue:
		return Continued
	}
	return Failed
}

// tooMuch says what of an outcome cannot be stored.
func (m *machine) tooMuch(s *v1alpha1.Stage, out StageOutcome) string {
	if out.Outputs == nil && out.Memory == nil {
		return ""
	}
	outputs, err := object(out.Outputs)
	if err != nil {
		return fmt.Sprintf("its outputs are lost: %v", err)
	}
	if out.Memory != nil {
		if out.Memory, err = tidy(out.Memory); err != nil {
			return fmt.Sprintf("its memory is lost: %v", err)
		}
	}
	given, all, before := size(outputs), 0, m.state.Stages[s.Name]
	for _, st := range m.state.Stages {
		all += size(st.Outputs)
	}
	state := m.size() + given
	if out.Memory != nil {
		state += len(out.Memory) - len(before.Memory)
	}
	switch {
	case given > MaxData || len(out.Memory) > MaxData:
		return fmt.Sprintf("its outputs have %d bytes and its memory %d, at most %d of each are kept: refer to what is large", given, len(out.Memory), MaxData)
	case all+given > MaxOutputs:
		return fmt.Sprintf("with its outputs those of the run have %d bytes, at most %d are kept: refer to what is large", all+given, MaxOutputs)
	case state > MaxState:
		return fmt.Sprintf("with it the run's state has %d bytes, at most %d are kept", state, MaxState)
	}
	return ""
}

// size is how many bytes v takes in storage.
func size(v any) int { return len(data(v)) }

// object reads outputs; none are none.
func object(raw json.RawMessage) (o map[string]json.RawMessage, err error) {
	if raw == nil {
		return nil, nil
	}
	if raw, err = tidy(raw); err != nil {
		return nil, err
	}
	return o, json.Unmarshal(raw, &o)
}

// env is what the stage's expressions see: nothing that changes once it may start.
func (m *machine) env(s *v1alpha1.Stage) Env {
	vars, stages := map[string]any{}, map[string]any{}
	ancestors := m.ancestors(s)
	for _, before := range m.order {
		if !ancestors[before.Name] {
			continue
		}
		st := m.state.Stages[before.Name]
		outputs := plain(st.Outputs)
		stages[before.Name] = map[string]any{"phase": string(st.Phase), "outputs": outputs}
		if before.Variables != nil {
			maps.Copy(vars, outputs)
		}
	}
	params, _ := Parameters(m.spec, m.Run.Parameters) // they were checked when the run began
	return Env{
		"params": values(params), "vars": vars, "stages": stages,
		"trigger": map[string]any{
			"type": m.Run.Trigger.Type, "id": m.Run.Trigger.ID, "by": m.Run.Trigger.By, "facts": values(m.Run.Trigger.Facts),
		},
		"run": map[string]any{
			"name": m.Run.Name, "namespace": m.Run.Namespace, "uid": m.Run.UID, "pipeline": m.Run.Pipeline,
			"application": m.Run.Application, "started": m.state.Started,
		},
	}
}

// plain is outputs as expressions see them.
func plain(outputs map[string]json.RawMessage) map[string]any {
	out := map[string]any{}
	for name, raw := range outputs {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			out[name] = v
		}
	}
	return out
}

func values[V ~string](texts map[string]V) map[string]any {
	out := map[string]any{}
	for name, text := range texts {
		out[name] = string(text)
	}
	return out
}
