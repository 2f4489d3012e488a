package spinnaker

import (
	"errors"
	"fmt"

	"weft.dev/api/v1alpha1"
)

// findArtifact converts the search for what a run of another pipeline baked.
func findArtifact(j *job, out *v1alpha1.Stage) error {
	id := text(j.raw["pipeline"])
	other, ok := j.pipelines[id]
	if !ok {
		j.note(Missing, "pipeline", "no pipeline with id %q is among the files", cut(id, 80))
		return fmt.Errorf("pipeline: it looks at a pipeline that is not among the files (%s): import them together", cut(id, 80))
	}
	raw, _ := other.whole["stages"].([]any)
	stages, _ := readStages(objects(raw))
	run := &v1alpha1.FindRun{Pipeline: other.name}
	for _, s := range stages {
		if s.typ == "bakeManifest" {
			if run.Stage != "" {
				return fmt.Errorf("expectedArtifacts: more than one stage of %s bakes, and one is meant", other.name)
			}
			run.Stage = s.name
		}
	}
	if run.Stage == "" {
		return fmt.Errorf("expectedArtifacts: no stage of %s bakes, and weft finds nothing else", other.name)
	}
	options, _ := j.raw["executionOptions"].(object)
	if truth(options["running"], false) {
		return errors.New("executionOptions.running: weft looks at runs that have ended")
	}
	if truth(options["terminal"], false) {
		run.Phases = []v1alpha1.RunPhase{v1alpha1.RunSucceeded, v1alpha1.RunFailed}
	}
	j.note(Changed, "expectedArtifacts", "it finds the outputs of stage %s of the last run of %s, for expressions; an apply stage takes what its own run bakes", run.Stage, other.name)
	out.FindArtifact = &v1alpha1.FindArtifactStage{Run: run}
	return nil
}
