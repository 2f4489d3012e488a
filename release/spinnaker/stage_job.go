package spinnaker

import (
	"errors"
	"fmt"

	"weft.dev/api/v1alpha1"
)

const maxContainer = 63

// runJobManifest converts a Job of Kubernetes.
func runJobManifest(j *job, out *v1alpha1.Stage) error {
	if source := text(j.raw["source"]); source != "" && source != "text" {
		return fmt.Errorf("source %q: weft takes the Job from the stage alone: write it there", cut(source, 40))
	}
	if err := j.bindsNothing(); err != nil {
		return err
	}
	value := j.raw["manifest"]
	if empty(value) {
		value = j.raw["manifests"]
	}
	all, err := j.manifests(value)
	switch {
	case err != nil:
		return err
	case len(all) != 1 || all[0].kind != "Job":
		return errors.New("manifest: it is not one Job")
	}
	c := &v1alpha1.RunJobStage{}
	switch from := text(j.raw["consumeArtifactSource"]); from {
	case "", "none":
	case "propertyFile":
		c.OutputsFrom, c.Container = "log", cut(text(j.raw["propertyFile"]), maxContainer)
	default:
		return fmt.Errorf("consumeArtifactSource %q: weft reads outputs from the log alone", cut(from, 40))
	}
	if c.Manifest, err = j.document(all[0].object); err != nil {
		return named("manifest", err)
	}
	spec, _ := all[0].object["spec"].(object)
	if spec["backoffLimit"] == nil {
		j.note(Changed, "manifest.spec.backoffLimit", "it is tried once, where nothing is said")
	}
	j.note(Changed, "manifest.metadata.name", "it has another name at each run, and is deleted when it has ended")
	out.RunJob = c
	return j.into(all)
}
