package spinnaker

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"weft.dev/api/v1alpha1"
)

const (
	maxParameters = 50
	childTimeout  = 12 * time.Hour // Orca's
)

// runPipeline converts the run of another pipeline, which has to be among the files.
func runPipeline(j *job, out *v1alpha1.Stage) error {
	id := text(j.raw["pipeline"])
	child, ok := j.pipelines[id]
	if !ok {
		j.note(Missing, "pipeline", "no pipeline with id %q is among the files", cut(id, 80))
		return fmt.Errorf("pipeline: it runs a pipeline that is not among the files (%s): import them together", cut(id, 80))
	}
	out.Pipeline = &v1alpha1.PipelineStage{Name: child.name, NoWait: !truth(j.raw["waitForCompletion"], true)}
	if out.Timeout == nil && !out.Pipeline.NoWait {
		out.Timeout = lasting(childTimeout)
	}
	given, _ := j.raw["pipelineParameters"].(object)
	if len(given) > maxParameters {
		return fmt.Errorf("pipelineParameters: there are %d, at most %d are possible", len(given), maxParameters)
	}
	for _, key := range sortedKeys(given) {
		name, ok := child.names[key]
		if !ok {
			j.note(Changed, "pipelineParameters."+key, "it is not given: %s has no such parameter", child.name)
			continue
		}
		value, err := j.parameter(given[key])
		if err != nil {
			return named("pipelineParameters."+key, err)
		}
		if out.Pipeline.Parameters == nil {
			out.Pipeline.Parameters = map[string]v1alpha1.Value{}
		}
		out.Pipeline.Parameters[name] = value
	}
	return nil
}

// parameter is a value as text.
func (j *job) parameter(value any) (v1alpha1.Value, error) {
	if b, ok := value.(bool); ok {
		return v1alpha1.Value(strconv.FormatBool(b)), nil
	}
	said, err := j.scope.text(text(value))
	switch {
	case err != nil:
		return "", err
	case said == "" && !empty(value):
		return "", errors.New("its value is a list or an object")
	case len(said) > maxText:
		return "", fmt.Errorf("it has %d bytes, at most %d are possible", len(said), maxText)
	}
	return v1alpha1.Value(said), nil
}
