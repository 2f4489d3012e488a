package spinnaker

import (
	"errors"
	"fmt"
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
	name, ok := j.pipelines[id]
	if !ok {
		j.note(Missing, "pipeline", "no pipeline with id %q is among the files", cut(id, 80))
		return fmt.Errorf("pipeline: it runs a pipeline that is not among the files (%s): import them together", cut(id, 80))
	}
	out.Pipeline = &v1alpha1.PipelineStage{Name: name, NoWait: !truth(j.raw["waitForCompletion"], true)}
	if out.Timeout == nil && !out.Pipeline.NoWait {
		out.Timeout = lasting(childTimeout)
	}
	given, _ := j.raw["pipelineParameters"].(object)
	if len(given) > maxParameters {
		return fmt.Errorf("pipelineParameters: there are %d, at most %d are possible", len(given), maxParameters)
	}
	for _, key := range sortedKeys(given) {
		if err := j.parameter(out.Pipeline, key, given[key]); err != nil {
			return named("pipelineParameters."+key, err)
		}
	}
	return nil
}

func (j *job) parameter(to *v1alpha1.PipelineStage, key string, value any) error {
	if b, ok := value.(bool); ok {
		value = fmt.Sprint(b)
	}
	if _, ok := to.Parameters[identifier(key)]; ok {
		return fmt.Errorf("another one has the name %s here", identifier(key))
	}
	said, err := j.scope.text(text(value))
	switch {
	case err != nil:
		return err
	case said == "" && !empty(value):
		return errors.New("its value is a list or an object")
	case len(said) > maxText:
		return fmt.Errorf("it has %d bytes, at most %d are possible", len(said), maxText)
	}
	if to.Parameters == nil {
		to.Parameters = map[string]v1alpha1.Value{}
	}
	to.Parameters[identifier(key)] = v1alpha1.Value(said)
	return nil
}
