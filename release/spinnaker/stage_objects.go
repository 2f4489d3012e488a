package spinnaker

import (
	"errors"
	"fmt"
	"slices"

	"weft.dev/api/v1alpha1"
)

const maxReplicas = 256

// sized are the kinds whose instances weft counts.
var sized = []string{"Deployment", "StatefulSet"}

// sizedTarget is a target of which a stage waits until its instances are ready.
func (j *job) sizedTarget() (*v1alpha1.ObjectTarget, error) {
	t, err := j.target()
	if err == nil && !slices.Contains(sized, t.Kind) {
		err = fmt.Errorf("kind %s: weft does that with a Deployment and a StatefulSet", t.Kind)
	}
	return t, err
}

func scaleManifest(j *job, out *v1alpha1.Stage) error {
	t, err := j.sizedTarget()
	if err != nil {
		return err
	}
	replicas, err := j.text("replicas", maxReplicas)
	if err == nil && replicas == "" {
		err = errors.New("replicas: it does not say how many")
	}
	out.Scale = &v1alpha1.ScaleStage{Object: t, Replicas: replicas}
	return err
}

func restartManifest(j *job, out *v1alpha1.Stage) error {
	t, err := j.sizedTarget()
	out.Restart = &v1alpha1.RestartStage{Object: t}
	return err
}

func deleteManifest(j *job, out *v1alpha1.Stage) error {
	options, _ := j.raw["options"].(object)
	if !truth(options["cascading"], true) || truth(options["orphanDependants"], false) {
		return errors.New("options: it leaves behind what belongs to the object, and weft deletes that, too")
	}
	if grace := text(options["gracePeriodSeconds"]); grace != "" {
		j.note(Changed, "options.gracePeriodSeconds", "the object's own time holds")
	}
	t, err := j.target()
	out.Delete = &v1alpha1.DeleteStage{Object: t}
	return err
}

// patchTypes are Spinnaker's ways to merge.
var patchTypes = []string{"strategic", "merge", "json"}

func patchManifest(j *job, out *v1alpha1.Stage) error {
	if source := text(j.raw["source"]); source != "" && source != "text" {
		return fmt.Errorf("source %q: weft takes the patch from the stage alone: write it there", cut(source, 40))
	}
	if err := j.bindsNothing(); err != nil {
		return err
	}
	t, err := j.target()
	if err != nil {
		return err
	}
	if t.Selector != "" {
		return errors.New("mode: a patch is of one object")
	}
	options, _ := j.raw["options"].(object)
	c := &v1alpha1.PatchStage{Object: *t, Type: text(options["mergeStrategy"])}
	if c.Type != "" && !slices.Contains(patchTypes, c.Type) {
		return fmt.Errorf("options.mergeStrategy %q: weft has %v", cut(c.Type, 40), patchTypes)
	}
	c.Patch, err = j.patch(c.Type)
	out.Patch = c
	return named("patchBody", err)
}

// patch is the patch as JSON: of json a list, of others the one object of the list.
func (j *job) patch(kind string) (string, error) {
	body := j.raw["patchBody"]
	if list, is := body.([]any); is && kind != "json" {
		if len(list) != 1 {
			return "", fmt.Errorf("it has %d documents, and a patch is one", len(list))
		}
		body = list[0]
	}
	if empty(body) {
		return "", errors.New("it says nothing")
	}
	return j.document(body)
}
