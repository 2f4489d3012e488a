package spinnaker

import (
	"errors"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
)

// maxVersion is what a field has that names a version or an application.
const maxVersion = 256

// deployManifest converts a deploy to Kubernetes: what only applies manifests is an apply stage, what also
// leads traffic is a version that is deployed, and then released.
func deployManifest(j *job, out *v1alpha1.Stage) error {
	if err := j.bindsNothing(); err != nil {
		return err
	}
	if !empty(j.raw["labelSelectors"]) {
		return errors.New("labelSelectors: weft applies all manifests, or none")
	}
	management, _ := j.raw["trafficManagement"].(object)
	if truth(management["enabled"], false) {
		options, _ := management["options"].(object)
		return j.shifted(options, out)
	}
	out.Apply = &v1alpha1.ApplyStage{}
	if text(j.raw["source"]) == "artifact" {
		return j.baked(out.Apply)
	}
	all, err := j.manifests(j.raw["manifests"])
	if err != nil {
		return err
	}
	if out.Apply.Manifests, err = j.documents(all); err != nil {
		return named("manifests", err)
	}
	j.differs(all)
	return j.into(all)
}

// baked takes what a stage before bakes.
func (j *job) baked(c *v1alpha1.ApplyStage) error {
	id := text(j.raw["manifestArtifactId"])
	if text(j.raw["namespaceOverride"]) != "" {
		return errors.New("namespaceOverride: what is baked has its namespace already")
	}
	for _, other := range j.scope.stages {
		if other.typ != "bakeManifest" || !j.follows(other) {
			continue
		}
		for _, artifact := range objects(other.raw["expectedArtifacts"]) {
			if id != "" && text(artifact["id"]) == id {
				c.From = other.name
				_, err := j.namespace()
				return err
			}
		}
	}
	return errors.New("manifestArtifactId: no stage before it bakes that, and weft applies what stands in the stage, or what one bakes")
}

// documents are the manifests as one text.
func (j *job) documents(all []manifest) (string, error) {
	var documents []string
	for _, m := range all {
		if err := m.plain(); err != nil {
			return "", err
		}
		document, err := j.document(m.object)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", m.kind, cut(m.name, 80), err)
		}
		documents = append(documents, document)
	}
	text := strings.Join(documents, "\n---\n")
	if len(text) > maxBody {
		return "", fmt.Errorf("they have %d bytes, at most %d are possible: put them into Git and bake them", len(text), maxBody)
	}
	return text, nil
}

// differs notes what Spinnaker does with manifests and weft does not.
func (j *job) differs(all []manifest) {
	for _, m := range all {
		if m.keepsName() {
			j.note(Changed, "manifests", "%s %s keeps its name: a change of it alone restarts no pods", m.kind, cut(m.name, 80))
		}
		for _, image := range m.images() {
			if !strings.ContainsAny(image, "@$") && tagOf(image) == "" {
				j.note(Changed, "manifests", "image %s is taken as it is written: weft puts no artifact of a trigger or a stage into manifests; write it with an expression", cut(image, 80))
			}
		}
	}
}

// into notes where the manifests go: a run is refused that is elsewhere.
func (j *job) into(all []manifest) error {
	if j.raw["location"] == nil && j.raw["namespace"] == nil && text(all[0].meta["namespace"]) != "" {
		j.note(Changed, "manifests", "its pipeline has to be in namespace %s", cut(text(all[0].meta["namespace"]), 80))
	}
	_, err := j.namespace()
	return err
}

// isShift says whether a stage becomes two, if it can be converted.
func isShift(raw object) bool {
	management, _ := raw["trafficManagement"].(object)
	options, _ := management["options"].(object)
	return text(raw["type"]) == "deployManifest" && truth(management["enabled"], false) && truth(options["enableTraffic"], false)
}

// strategyOf are weft's words for how Spinnaker leads traffic.
var strategyOf = map[string]v1alpha1.StrategyType{
	"redblack": v1alpha1.BlueGreen, "bluegreen": v1alpha1.BlueGreen, "highlander": v1alpha1.Highlander,
	"rollingredblack": v1alpha1.Rolling, "monitored": v1alpha1.Canary,
}

// shifted converts a deploy that leads traffic: a version with a workload of its own starts, and a release
// brings it into service.
func (j *job) shifted(options object, out *v1alpha1.Stage) error {
	said := strings.ToLower(text(options["strategy"]))
	strategy, known := strategyOf[said]
	dark := !truth(options["enableTraffic"], false)
	switch {
	case dark: // it runs, and gets nothing
	case !known:
		return fmt.Errorf("trafficManagement: strategy %q has both versions answer, by how many pods each has, for ever: choose one of weft's", cut(said, 40))
	}
	c, err := j.version()
	if err != nil {
		return err
	}
	out.Deploy = c
	if services := texts(options["services"]); len(services) > 0 {
		j.note(Changed, "trafficManagement.options.services", "pods of every version have to have the labels that %s selects: the mesh leads to the right ones", cut(strings.Join(services, ", "), 200))
	}
	if !dark {
		j.second = &v1alpha1.ReleaseStage{Application: c.Application, Version: c.Version, Strategy: &v1alpha1.Strategy{Type: strategy}}
		j.note(Changed, "trafficManagement", "it is two stages: %s starts the version, %s releases it, strategy %s, and goes back where it does harm", j.name, j.ending, strategy)
	}
	return j.account()
}

func (j *job) account() error {
	_, err := j.namespace()
	return err
}

// version is the deploy of the only workload in the stage, under a name of the version's own.
func (j *job) version() (*v1alpha1.DeployStage, error) {
	if text(j.raw["source"]) == "artifact" {
		return nil, errors.New("source: weft has to see which version it is: write the manifest into the stage")
	}
	all, err := j.manifests(j.raw["manifests"])
	switch {
	case err != nil:
		return nil, err
	case len(all) != 1:
		return nil, fmt.Errorf("manifests: there are %d, and a version has a workload of its own: put what versions share into a stage before it", len(all))
	}
	m := all[0]
	said := m.version()
	switch {
	case m.kind != "ReplicaSet" && m.kind != "Deployment":
		return nil, fmt.Errorf("manifests: a %s is no version of an application", cut(m.kind, 80))
	case said == "":
		return nil, errors.New("manifests: neither a label version of its pods nor the tag of its only image says which version it is")
	}
	c := &v1alpha1.DeployStage{}
	if c.Application, err = j.within("application", m.application(), maxVersion); err != nil {
		return nil, err
	}
	if c.Version, err = j.within("version", said, maxVersion); err != nil {
		return nil, err
	}
	if c.Manifests, err = j.document(m.ofVersion(said)); err != nil {
		return nil, named("manifests", err)
	}
	j.note(Changed, "manifests", "it is Deployment %s-VERSION of application %s, which has to say spec.runs.kubernetes; the version is %s", cut(m.name, 80), cut(m.application(), 80), cut(said, 80))
	return c, nil
}

// labels of its pods.
func (m manifest) labels() object {
	meta, _ := m.template()["metadata"].(object)
	labels, _ := meta["labels"].(object)
	return labels
}

func (m manifest) version() string {
	for _, key := range []string{"version", "app.kubernetes.io/version"} {
		if label := text(m.labels()[key]); label != "" {
			return label
		}
	}
	if images := m.images(); len(images) == 1 {
		return tagOf(images[0])
	}
	return ""
}

// application is the one whose pods they are, as the mesh sees it.
func (m manifest) application() string {
	for _, key := range []string{"app", "app.kubernetes.io/name"} {
		if label := text(m.labels()[key]); label != "" {
			return label
		}
	}
	return m.name
}

// ofVersion is the workload under a name, and with pods, that no other version has.
func (m manifest) ofVersion(version string) object {
	spec, _ := m.object["spec"].(object)
	selector, _ := spec["selector"].(object)
	matches, _ := selector["matchLabels"].(object)
	template := m.template()
	meta, _ := template["metadata"].(object)
	template = with(template, "metadata", with(meta, "labels", with(m.labels(), "version", version)))
	spec = with(with(spec, "template", template), "selector", with(selector, "matchLabels", with(matches, "version", version)))
	out := with(with(m.object, "kind", "Deployment"), "metadata", with(m.meta, "name", m.name+"-"+version))
	return with(with(out, "apiVersion", "apps/v1"), "spec", spec)
}
