package spinnaker

import (
	"errors"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
)

const maxVariables = 50

// variables converts evaluated variables: each sees those before it.
func variables(j *job, out *v1alpha1.Stage) error {
	list := objects(j.raw["variables"])
	if len(list) == 0 || len(list) > maxVariables {
		return fmt.Errorf("variables: there are %d, from 1 to %d are possible", len(list), maxVariables)
	}
	out.Variables = &v1alpha1.VariablesStage{}
	taken := map[string]bool{}
	for _, v := range list {
		key := text(v["key"])
		name := identifier(key)
		if key == "" || taken[name] {
			return fmt.Errorf("variables: %q has no name of its own here", key)
		}
		taken[name] = true
		value, err := j.variable(v["value"])
		if err != nil {
			return named("variables."+key, err)
		}
		out.Variables.Set = append(out.Variables.Set, v1alpha1.Variable{Name: name, Value: value})
		j.scope.variables = append(slices.Clip(j.scope.variables), key)
		if name != key {
			j.note(Changed, "variables."+key, "its name is %s", name)
		}
	}
	return nil
}

// variable is a text with expressions, or a number or a truth that stays one.
func (j *job) variable(value any) (string, error) {
	if b, ok := value.(bool); ok {
		return fmt.Sprintf("${%t}", b), nil
	}
	out := text(value)
	switch value.(type) {
	case string:
		var err error
		if out, err = j.scope.text(out); err != nil {
			return "", err
		}
	default:
		if out == "" {
			return "", errors.New("its value is a list, an object or null")
		}
		out = "${" + out + "}"
	}
	if len(out) > maxText {
		return "", fmt.Errorf("it has %d bytes, at most %d are possible", len(out), maxText)
	}
	return out, nil
}
