package spinnaker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bindsNothing refuses what puts artifacts into manifests: weft never does.
func (j *job) bindsNothing() error {
	for _, key := range []string{"requiredArtifactIds", "requiredArtifacts"} {
		if !empty(j.raw[key]) {
			return fmt.Errorf("%s: weft puts no artifacts into manifests: write the image with an expression, such as ${trigger['tag']}", key)
		}
	}
	return nil
}

// document is an object as JSON, with its expressions in CEL, each of which gives JSON.
func (j *job) document(value any) (string, error) {
	if truth(j.raw["skipExpressionEvaluation"], false) {
		return escape(string(encode(value))), nil
	}
	var out strings.Builder
	err := j.scope.json(&out, value)
	if err == nil && out.Len() > maxBody {
		err = fmt.Errorf("it has %d bytes, at most %d are possible: put it into Git and bake it", out.Len(), maxBody)
	}
	return out.String(), err
}

// escape keeps a text from being an expression.
func escape(text string) string { return strings.ReplaceAll(text, "${", `${"$"}{`) }

// manifest is one object of a stage's.
type manifest struct {
	object
	kind, name string
	meta       object
}

// Kinds and annotations of which an apply would do something else than Spinnaker does.
var (
	wideKinds = []string{"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume", "StorageClass",
		"PriorityClass", "IngressClass", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
	renamedKinds = []string{"ReplicaSet", "Pod"}
	strategies   = []string{"strategy.spinnaker.io/recreate", "strategy.spinnaker.io/replace", "strategy.spinnaker.io/use-source-capacity"}
)

// manifests are those that stand in the stage, in the namespace that it says.
func (j *job) manifests(value any) (all []manifest, err error) {
	list, _ := value.([]any)
	if one, is := value.(object); is {
		list = []any{one}
	}
	override := text(j.raw["namespaceOverride"])
	for i, element := range list {
		m := manifest{}
		m.object, _ = element.(object)
		m.meta, _ = m.object["metadata"].(object)
		if m.kind, m.name = text(m.object["kind"]), text(m.meta["name"]); m.kind == "" || m.name == "" {
			return nil, fmt.Errorf("manifests[%d]: it has no kind or no name", i)
		}
		if override != "" {
			m.meta = with(m.meta, "namespace", override)
			m.object = with(m.object, "metadata", m.meta)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, errors.New("manifests: there are none")
	}
	return all, nil
}

// with is a copy with another value; o may be nil.
func with(o object, key string, value any) object {
	out := object{}
	maps.Copy(out, o)
	out[key] = value
	return out
}

// plain says why a manifest cannot be applied as it is.
func (m manifest) plain() error {
	switch {
	case slices.Contains(wideKinds, m.kind):
		return fmt.Errorf("%s %s is of the whole cluster, and a run changes its namespace alone", m.kind, cut(m.name, 80))
	case m.kind == "Secret":
		return fmt.Errorf("Secret %s: a run neither sees nor changes Secrets", cut(m.name, 80))
	case slices.Contains(renamedKinds, m.kind):
		return fmt.Errorf("%s %s gets a new name at each deploy there: make it a Deployment", m.kind, cut(m.name, 80))
	}
	annotations, _ := m.meta["annotations"].(object)
	for _, key := range strategies {
		if truth(annotations[key], false) {
			return fmt.Errorf("%s %s: an apply does not do what %s asks for", m.kind, cut(m.name, 80), key)
		}
	}
	return nil
}

// keepsName says whether Spinnaker gives the object a new name at each deploy, and weft does not.
func (m manifest) keepsName() bool {
	annotations, _ := m.meta["annotations"].(object)
	return m.kind == "ConfigMap" && truth(annotations["strategy.spinnaker.io/versioned"], true)
}

// template is that of a workload's pods.
func (m manifest) template() object {
	spec, _ := m.object["spec"].(object)
	template, _ := spec["template"].(object)
	return template
}

// images are those of a workload's containers.
func (m manifest) images() (all []string) {
	spec, _ := m.template()["spec"].(object)
	for _, c := range objects(spec["containers"]) {
		all = append(all, text(c["image"]))
	}
	return all
}

// tagOf is what stands behind the colon of an image; empty: nothing that could be a version.
func tagOf(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	before, tag, _ := strings.Cut(name, ":")
	if strings.ContainsAny(before, "@$") || (!hasExpression(tag) && span(tag, isVersion) < len(tag)) {
		return ""
	}
	return tag
}

func isVersion(c byte) bool { return isWord(c) || c == '.' || c == '-' }
