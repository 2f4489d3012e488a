package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/test/process"
)

// caller calls all applications.
const caller = `
apiVersion: v1
kind: Service
metadata: {name: caller}
spec:
  selector: {app: caller}
  ports: [{name: http, port: 9080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: caller}
spec:
  selector: {matchLabels: {app: caller}}
  template:
    metadata: {labels: {app: caller, version: v1}}
    spec:
      containers: [{name: caller, image: "releases-v1:%s", args: [call, %s]}]
`

// tally is what came back from one application.
type tally struct {
	Sent, Own, Failed int
	Why               []string
}

// TestReleases: five teams, one for each strategy, bring versions out on their own Deployments, well, bad and
// aborted, and undo one. Only a recreate may fail requests that the application does not fail itself.
func TestReleases(t *testing.T) {
	Mesh(t)
	namespace := Namespace(t, "releases", Injected)
	var teams []team
	var apps []string
	for _, kind := range []v1alpha1.StrategyType{v1alpha1.Canary, v1alpha1.BlueGreen, v1alpha1.Rolling, v1alpha1.Highlander, v1alpha1.Recreate} {
		x := found(t, namespace, kind)
		teams, apps = append(teams, x), append(apps, x.app)
	}
	Apply(t, namespace, fmt.Sprintf(caller, os.Getenv("IMAGE_TAG"), strings.Join(apps, ", ")))
	Rollout(t, namespace)
	for _, x := range teams {
		if err := x.adopted(); err != nil {
			t.Fatal(err)
		}
	}
	called := ServiceURL(t, namespace, "caller")
	countFrom(t, called)
	var running sync.WaitGroup
	for _, x := range teams {
		running.Go(func() {
			if err := x.live(t); err != nil {
				t.Errorf("%s: %v", x.app, err)
			}
		})
	}
	running.Wait()
	all, err := tallies(called)
	if err != nil {
		t.Fatal(err)
	}
	for app, tally := range all {
		t.Logf("%s: %d requests, %d failed by itself, %d otherwise", app, tally.Sent, tally.Own, tally.Failed)
		if tally.Failed > 0 && app != "recreate" || tally.Sent == 0 {
			t.Errorf("%s: %d of %d requests failed, not by the application itself:\n%s", app, tally.Failed, tally.Sent, strings.Join(tally.Why, "\n"))
		}
	}
}

// countFrom waits until all applications answer, and has the caller count from now on.
func countFrom(t *testing.T, called string) {
	t.Helper()
	err := process.Until(Patience, func() error {
		all, err := tallies(called)
		for app, tally := range all {
			if tally.Sent-tally.Failed < 100 {
				return fmt.Errorf("%s does not answer: %+v", app, tally)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Post(called, "", nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%+v: %v", response, err)
	}
	response.Body.Close()
}

func tallies(called string) (all map[string]tally, err error) {
	response, err := client.Get(called)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return all, json.NewDecoder(response.Body).Decode(&all)
}
