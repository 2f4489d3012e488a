package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/test/process"
)

// team has one application, on a Deployment of its own, and brings versions of it out by a pipeline.
type team struct {
	namespace, app, dir string
	kind                v1alpha1.StrategyType
}

// owned is what a team applies: what runs, and how it is released. Numbers are: 1 application, 2 images' tag,
// 3 fields of the strategy, 4 whether versions never run side by side.
const owned = `
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports: [{name: http, port: 9080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s, version: v1}}
    spec:
      containers:
      - name: %[1]s
        image: "releases-v1:%[2]s"
        env: [{name: WEFT_APP, value: %[1]s}]
        ports: [{containerPort: 9080}]
        readinessProbe: {httpGet: {path: /, port: 9080}, periodSeconds: 1}
---
apiVersion: weft.dev/v1alpha1
kind: Application
metadata: {name: %[1]s}
spec:
  runs: {kubernetes: {}}
  strategy: {%[3]s, analysis: {maxErrorIncrease: "5", deadline: 3m}}
---
apiVersion: weft.dev/v1alpha1
kind: Pipeline
metadata: {name: %[1]s}
spec:
  application: %[1]s
  parameters: [{name: version, required: true}, {name: image, required: true}]
  stages:
  - name: start
    deploy: {version: "${params.version}", image: "${params.image}"}
  - name: alone
    after: [start]
    when: "%[4]t"
    scale: {version: "${params.version}", replicas: "0"}
  - name: shift
    after: [alone]
    release: {version: "${params.version}"}
`

// found applies the objects of a team.
func found(t *testing.T, namespace string, kind v1alpha1.StrategyType) team {
	t.Helper()
	strategy := "type: " + string(kind)
	switch kind {
	case v1alpha1.Canary:
		strategy += ", steps: [25, 50, 100], keepFor: 3s"
	case v1alpha1.BlueGreen:
		strategy += ", keepFor: 3s"
	}
	x := team{namespace, strings.ToLower(string(kind)), t.TempDir(), kind}
	Apply(t, namespace, fmt.Sprintf(owned, x.app, os.Getenv("IMAGE_TAG"), strategy, kind == v1alpha1.Recreate))
	return x
}

// adopted waits until the version that runs serves.
func (x team) adopted() error {
	return process.Until(Patience, func() error {
		serves, err := Try("", "get", "application", x.app, "-n", x.namespace, "-o", "jsonpath={.status.version}")
		if err == nil && serves != "v1" {
			err = fmt.Errorf("application %s serves %q", x.app, serves)
		}
		return err
	})
}

// live is what a team goes through: a good version, which it undoes, one that fails requests, and one that it aborts.
func (x team) live(t *testing.T) error {
	if phase, err := x.release(t, "v2", "v2"); err != nil || phase != v1alpha1.ReleaseSucceeded {
		return fmt.Errorf("a good version ended as %s: %w", phase, err)
	}
	if err := x.whole("v2", "v2"); err != nil {
		return err
	}
	if said, err := tryWeft(x.dir, "undo", x.app, "-n", x.namespace, "--wait"); err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	if err := x.whole("v1", "v1"); err != nil {
		return err
	}
	if x.kind != v1alpha1.Highlander && x.kind != v1alpha1.Recreate { // which nobody judges
		if phase, err := x.release(t, "v3", "bad"); err != nil || phase != v1alpha1.ReleaseRolledBack {
			return fmt.Errorf("a bad version ended as %s: %w", phase, err)
		}
		if err := x.whole("v1", "v1"); err != nil {
			return err
		}
	}
	return x.abort(t, "v4")
}

// abort takes a version back as soon as it has traffic.
func (x team) abort(t *testing.T, version string) error {
	aborted := make(chan error, 1)
	go func() {
		aborted <- process.Until(2*Patience, func() error {
			rel, err := x.find(version)
			if err == nil && rel.Status.Weight == 0 {
				err = fmt.Errorf("release %s is %s: %s", rel.Name, rel.Status.Phase, rel.Status.Why)
			}
			if err == nil {
				_, err = tryWeft(x.dir, "release", "abort", rel.Name, "-n", x.namespace)
			}
			return err
		})
	}()
	phase, err := x.release(t, version, "v2")
	if err = errors.Join(err, <-aborted); err != nil {
		return err
	}
	if phase == v1alpha1.ReleaseSucceeded && x.kind != v1alpha1.Canary { // it was too late
		return x.whole(version, "v2")
	}
	if phase != v1alpha1.ReleaseRolledBack {
		return fmt.Errorf("an aborted version ended as %s", phase)
	}
	return x.whole("v1", "v1")
}

// release runs the team's pipeline with a version, and gives the end of its release.
func (x team) release(t *testing.T, version, image string) (v1alpha1.ReleasePhase, error) {
	begun := time.Now()
	said, err := tryWeft(x.dir, "pipeline", "run", x.app, "-n", x.namespace, "--name", x.app+"-"+version, "--wait",
		"-p", "version="+version, "-p", "image=releases-"+image+":"+os.Getenv("IMAGE_TAG"))
	rel, missing := x.find(version)
	if missing != nil {
		return "", fmt.Errorf("%w: %w\n%s", missing, err, said)
	}
	t.Logf("%s %s: %s after %s: %s", x.app, version, rel.Status.Phase, time.Since(begun).Round(time.Second), rel.Status.Why)
	if !release.Final(rel.Status.Phase) {
		return rel.Status.Phase, fmt.Errorf("%w\n%s", err, said)
	}
	return rel.Status.Phase, nil
}

// find is the release of a version.
func (x team) find(version string) (*v1alpha1.Release, error) {
	text, err := Try("", "get", "releases.weft.dev", "-n", x.namespace, "-o", "json")
	if err != nil {
		return nil, err
	}
	var all v1alpha1.ReleaseList
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, err
	}
	for i, rel := range all.Items {
		if rel.Spec.Application == x.app && rel.Spec.Version == version && !rel.Spec.Undo {
			return &all.Items[i], nil
		}
	}
	return nil, fmt.Errorf("%s %s has no release", x.app, version)
}

// whole waits until one version runs alone, and the Deployment is as the team had it but for that.
func (x team) whole(version, image string) error {
	want := fmt.Sprintf("%[1]s %[1]s |releases-%[2]s:%[3]s 2  25%% 600", version, image, os.Getenv("IMAGE_TAG"))
	return process.Until(Patience, func() error {
		pods, err := Try("", "get", "pods", "-l", "app="+x.app, "-n", x.namespace, "-o", `jsonpath={range .items[*]}{.metadata.labels.version}{" "}{end}`)
		if err != nil {
			return err
		}
		d, err := Try("", "get", "deployment", x.app, "-n", x.namespace, "-o", "jsonpath={.spec.template.spec.containers[0].image} {.status.availableReplicas} "+
			"{.spec.minReadySeconds} {.spec.strategy.rollingUpdate.maxSurge} {.spec.progressDeadlineSeconds}")
		if found := pods + "|" + d; err == nil && found != want {
			err = fmt.Errorf("%s: there is %q, want %q", x.app, found, want)
		}
		return err
	})
}
