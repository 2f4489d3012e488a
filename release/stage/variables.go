package stage

import (
	"encoding/json"
	"fmt"
	"maps"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// variables evaluates its values in their order, each of which sees those before it.
// Its outputs are the values. It is over at once.
type variables struct{ blind }

func (variables) Next(in pipeline.StageInput) pipeline.StageOutcome {
	if in.Cancel != "" {
		return cancelled(in.Cancel)
	}
	outputs, vars := map[string]json.RawMessage{}, map[string]any{}
	if before, ok := in.Env["vars"].(map[string]any); ok {
		maps.Copy(vars, before)
	}
	env := maps.Clone(in.Env)
	env["vars"] = vars
	for _, v := range in.Config.(*v1alpha1.VariablesStage).Set {
		value, err := in.Eval.Expand(v.Value, env)
		if err != nil {
			return failed(fmt.Sprintf("%s: %v", v.Name, err))
		}
		outputs[v.Name] = encode(value)
		if vars[v.Name], err = plain(outputs[v.Name]); err != nil {
			return failed(fmt.Sprintf("%s: %v", v.Name, err))
		}
	}
	return pipeline.StageOutcome{Phase: pipeline.Succeeded, Outputs: encode(outputs)}
}

// plain is a value as later stages see it, who have it from JSON: a number has no type of its own there.
func plain(raw json.RawMessage) (v any, err error) { return v, json.Unmarshal(raw, &v) }
