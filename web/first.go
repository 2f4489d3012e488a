package web

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// beginnings are what a new pipeline can begin with, by name: below its metadata.
var beginnings = map[string]string{
	"empty": `spec:
  stages:
  - name: begin
    wait: {for: 1s}
`,
	"deploy": `spec:
  application: NAME
  description: Deploy a version, have a person look at it, and give it the traffic
  parameters:
  - name: version
    required: true
  - name: image
    required: true
  stages:
  - name: deploy
    deploy: {version: "${params.version}", image: "${params.image}"}
  - name: ask
    title: May it get traffic?
    after: [deploy]
    judgment:
      instructions: "${params.version} runs and has no traffic: look at it by its private address."
  - name: release
    after: [ask]
    release: {version: "${params.version}"}
    onFailure: failLater
  - name: clean
    after: [release]
    when: stages.release.phase == "Failed"
    delete: {version: "${params.version}"}
`,
}

const beginning = `apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata:
  name: NAME
  namespace: NAMESPACE
`

// FirstText is what a new pipeline may begin with; where it is of an application, of that of its name.
func FirstText(namespace, name, first string) (string, error) {
	spec, ok := beginnings[first]
	if !ok {
		return "", fmt.Errorf("a pipeline begins with nothing named %q: there are deploy and empty", first)
	}
	return strings.NewReplacer("NAMESPACE", inYAML(namespace), "NAME", inYAML(name)).Replace(beginning + spec), nil
}

// inYAML is quoted where YAML would read another type.
func inYAML(name string) string {
	text, err := yaml.Marshal(name)
	if err != nil {
		panic(err) // every text is one in YAML
	}
	return strings.TrimSpace(string(text))
}
