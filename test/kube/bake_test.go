package kube

import (
	"fmt"
	"os"
	"testing"

	"weft.dev/test/gitserver"
)

// baked is an application whose versions are what a chart in Git says.
const baked = `
apiVersion: weft.dev/v1alpha1
kind: Application
metadata: {name: baked}
spec: {runs: {kubernetes: {}}}
---
apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata: {name: baked}
spec:
  application: baked
  parameters: [{name: version, required: true}]
  stages:
  - name: bake
    bake: {kind: helm, repository: "%s", revision: main, path: chart, set: {version: "${params.version}", tag: "%s"}}
  - name: start
    after: [bake]
    deploy: {version: "${params.version}", from: bake}
`

const bakedChart = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: "baked-{{ .Values.version }}"}
spec:
  selector: {matchLabels: {app: baked, own: "{{ .Values.version }}"}}
  template:
    metadata: {labels: {app: baked, own: "{{ .Values.version }}"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: baked, image: "releases-v1:{{ .Values.tag }}", env: [{name: WEFT_APP, value: baked}]}]
`

// TestBake: weft in its pod, without any right, checks a chart out, makes manifests of it in its jail, and starts them.
func TestBake(t *testing.T) {
	repository := gitserver.On(t, gitAddress)
	repository.Write("chart/Chart.yaml", "apiVersion: v2\nname: baked\nversion: 1.0.0\n")
	repository.Write("chart/templates/baked.yaml", bakedChart)
	repository.Push()
	Mesh(t)
	namespace := Namespace(t, "baked", Injected)
	Apply(t, namespace, fmt.Sprintf(baked, repository.URL, os.Getenv("IMAGE_TAG")))
	weft(t, t.TempDir(), "pipeline", "run", "baked", "-n", namespace, "--name", "baked-1", "--wait", "-p", "version=v1")
	ready := Kubectl(t, "get", "deployment", "baked-v1", "-n", namespace, "-o", "jsonpath={.status.readyReplicas}")
	if ready != "1" {
		t.Errorf("of what was baked %q instances are ready, want 1", ready)
	}
}
