package spinnaker

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"weft.dev/api/v1alpha1"
)

const (
	maxRevision  = 256
	maxPath      = 1024
	maxName      = 253
	maxOverrides = 100
)

// bakers are Spinnaker's renderers that weft has: kind, and what is different.
var bakers = map[string]struct{ kind, differs string }{
	"HELM2":      {"helm", "it is rendered by Helm 4"},
	"HELM3":      {"helm", "it is rendered by Helm 4"},
	"HELM":       {"helm", "it is rendered by Helm 4"},
	"KUSTOMIZE":  {"kustomize", "it is built by kustomize 5"},
	"KUSTOMIZE4": {"kustomize", "it is built by kustomize 5"},
}

// bakeManifest converts what renders a folder of a Git repository. What renders
// anything else is kept: weft bakes nothing that is not in Git.
func bakeManifest(j *job, out *v1alpha1.Stage) error {
	b, known := bakers[text(j.raw["templateRenderer"])]
	if !known {
		return fmt.Errorf("templateRenderer %q: weft bakes with helm and kustomize", cut(text(j.raw["templateRenderer"]), 40))
	}
	for _, key := range []string{"kubeVersion", "apiVersions"} {
		if !empty(j.raw[key]) {
			return fmt.Errorf("%s: weft bakes for one version of Kubernetes", key)
		}
	}
	c := &v1alpha1.BakeStage{Kind: b.kind}
	if err := j.source(c); err != nil {
		return err
	}
	if err := j.place(c); err != nil {
		return err
	}
	if c.Kind == "helm" {
		if err := j.helm(c); err != nil {
			return err
		}
	}
	j.note(Changed, "templateRenderer", "%s", b.differs)
	j.note(Changed, "inputArtifacts", "the server checks it out as itself, and has to allow it: weft serve --bake-repository")
	out.Bake = c
	return nil
}

// source is the repository that the stage renders.
func (j *job) source(c *v1alpha1.BakeStage) error {
	inputs := objects(j.raw["inputArtifacts"])
	if one, is := j.raw["inputArtifact"].(object); is {
		inputs = append(inputs, one)
	}
	if len(inputs) != 1 {
		return fmt.Errorf("inputArtifacts: there are %d, and weft bakes one repository; put values into it", len(inputs))
	}
	artifact, is := inputs[0]["artifact"].(object)
	if !is {
		return errors.New("inputArtifacts: it names an artifact that something else brings, and weft bakes what is in Git: name the repository in the stage")
	}
	if kind := text(artifact["type"]); kind != "git/repo" {
		return fmt.Errorf("inputArtifacts: %q is no repository of Git, and weft bakes nothing else", cut(kind, 80))
	}
	var err error
	if c.Repository, err = j.within("reference", artifact["reference"], maxURL); err != nil {
		return err
	}
	if c.Revision, err = j.within("version", artifact["version"], maxRevision); err != nil {
		return err
	}
	if c.Repository == "" {
		return errors.New("inputArtifacts: it names no repository")
	}
	if c.Revision == "" {
		c.Revision = "master" // Clouddriver's
	}
	metadata, _ := artifact["metadata"].(object)
	c.Folder, err = j.within("subPath", metadata["subPath"], maxPath)
	return err
}

// place is what to render in the repository, or in its folder.
func (j *job) place(c *v1alpha1.BakeStage) error {
	key := "helmChartFilePath"
	if c.Kind == "kustomize" {
		key = "kustomizeFilePath"
	}
	at, err := j.text(key, maxPath)
	switch {
	case err != nil:
		return err
	case at == "" && c.Kind == "kustomize":
		return errors.New("kustomizeFilePath: it does not say what to build")
	case at == "":
		return nil
	case c.Kind == "kustomize": // it is that of the file
		if at = path.Dir(at); strings.Contains(at, "${") {
			return errors.New("kustomizeFilePath: it has an expression, and the folder of the file is wanted")
		}
	}
	if c.Folder = strings.Trim(c.Folder, "/"); c.Folder != "" && at != c.Folder {
		below, is := strings.CutPrefix(at, c.Folder+"/")
		if !is {
			return fmt.Errorf("%s: %q is not below the subPath %q of the repository", key, cut(at, 80), cut(c.Folder, 80))
		}
		c.Path = below
	} else if at != c.Folder {
		c.Path = at
	}
	return nil
}

// helm is what a chart is rendered with.
func (j *job) helm(c *v1alpha1.BakeStage) (err error) {
	if c.Name, err = j.text("outputName", maxName); err != nil {
		return err
	}
	if c.Namespace, err = j.text("namespace", maxName); err != nil {
		return err
	}
	c.CRDs = truth(j.raw["includeCRDs"], false)
	overrides, _ := j.raw["overrides"].(object)
	switch {
	case len(overrides) == 0:
		return nil
	case truth(j.raw["rawOverrides"], false):
		return errors.New("rawOverrides: helm reads types out of them, and weft's are texts; put them into a file of values")
	case len(overrides) > maxOverrides:
		return fmt.Errorf("overrides: there are %d, at most %d are possible", len(overrides), maxOverrides)
	}
	c.Set = map[string]v1alpha1.Value{}
	for _, key := range sortedKeys(overrides) {
		value, err := j.override(overrides[key])
		if err != nil {
			return named("overrides."+key, err)
		}
		c.Set[key] = v1alpha1.Value(value)
	}
	return nil
}

func (j *job) override(value any) (string, error) {
	said := text(value)
	if b, is := value.(bool); is {
		said = fmt.Sprint(b)
	}
	switch {
	case said == "" && !empty(value):
		return "", errors.New("it is a list or an object")
	case strings.ContainsAny(said, `,\`) && !hasExpression(said), strings.HasPrefix(said, "{"):
		return "", errors.New("helm takes it apart, and weft leaves a text as it is; put it into a file of values")
	case hasExpression(said) && !truth(j.raw["evaluateOverrideExpressions"], false):
		return "", errors.New("it has an expression, and evaluateOverrideExpressions is off")
	}
	return j.within("value", said, maxText)
}
