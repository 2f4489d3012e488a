package pipeline

import (
	"fmt"
	"maps"
	"slices"

	"weft.dev/api/v1alpha1"
)

// begin starts the run, if its turn has come. It reports whether its stages are to go on.
func (m *machine) begin() bool {
	if m.state.Cancel != "" {
		m.end(v1alpha1.RunCancelled, m.state.Cancel)
		return false
	}
	if m.Held != "" {
		return false
	}
	if why := m.refused(); why != "" {
		m.end(v1alpha1.RunFailed, why)
		return false
	}
	m.emit(Event{Kind: RunStarted})
	return true
}

// refused says why the run may not begin.
func (m *machine) refused() string {
	if m.spec.Locked != "" {
		return fmt.Sprintf("pipeline %s is locked: %s", m.Run.Pipeline, m.spec.Locked)
	}
	if m.spec.Disabled && m.Run.Trigger.Type != Manual && m.Run.Trigger.Type != "" {
		return fmt.Sprintf("pipeline %s is disabled: only a person starts it", m.Run.Pipeline)
	}
	if problems := Check(m.spec, m.With); len(problems) > 0 {
		p := problems[0]
		return fmt.Sprintf("pipeline %s cannot run, %d problems: %s: %s", m.Run.Pipeline, len(problems), p.Path, p.Message)
	}
	if _, err := Parameters(m.spec, m.Run.Parameters); err != nil {
		return err.Error()
	}
	return ""
}

// Manual is the type of a run's trigger where a person started it, as is none.
const Manual = "manual"

// Author is the fact of a trigger that has who pushed, as the forge that signed the delivery knows them.
const Author = "author"

// NoPerson begins the name of what started something, where it was no person.
const NoPerson = "weft:"

// Starter is who started a run, or, where no person did, what: nobody has such a name.
func Starter(t v1alpha1.TriggerFact) string {
	if t.By == "" && t.Type != "" && t.Type != Manual {
		return NoPerson + t.Type
	}
	return t.By
}

// Parameters are those of a run that was given some: with the defaults of the others.
// One that the pipeline does not have, a missing one or a value that is no option is an error.
func Parameters(d *v1alpha1.PipelineSpec, given map[string]string) (map[string]string, error) {
	all := map[string]string{}
	for _, p := range d.Parameters {
		value, ok := given[p.Name]
		switch {
		case !ok && p.Required:
			return nil, fmt.Errorf("parameter %s is required", p.Name)
		case !ok:
			value = p.Default
		case len(p.Options) > 0 && !slices.Contains(p.Options, value):
			return nil, fmt.Errorf("parameter %s: %q is none of %q", p.Name, value, p.Options)
		}
		all[p.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("parameter %s: the pipeline has none of that name", name)
		}
	}
	return all, nil
}
