package ui

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/test/process"
)

// pipelines are one that asks people, and one of thirty stages.
//
//go:embed testdata/pipelines.yaml
var pipelines string

// openPipelines has ann, who is of the group dev, start a run of each, and returns when these have come as far as they do by
// themselves. The link is bob's, of the same group.
func openPipelines(t *testing.T) (link string) {
	t.Helper()
	_, err := server.Token("", namespace) // which makes the namespace
	check(t, err)
	apply(t, pipelines)
	ann := person(t, "ann", "dev")
	for _, args := range [][]string{{"ship", "-p", "version=v2", "--name", "ship-1"}, {"wide", "--name", "wide-1"}} {
		out, err := server.Command(append([]string{"pipeline", "run", "-n", namespace, "--kubeconfig", ann}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	config, err := server.Config()
	check(t, err)
	client, err := store.NewClient(config)
	check(t, err)
	runs := store.For[v1alpha1.PipelineRun](client, api.PipelineRun)
	for name, stages := range map[string]int{"ship-1": 4, "wide-1": 29} {
		check(t, process.Until(time.Minute, func() error {
			run, err := runs.Get(t.Context(), namespace, name)
			if err == nil && len(run.Status.Stages) < stages {
				err = fmt.Errorf("%s is at stage %d of %d: %s", name, len(run.Status.Stages), stages, run.Status.Why)
			}
			return err
		}))
	}
	return leadAs(t, person(t, "bob", "dev"))
}

// leadAs is the link of somebody.
func leadAs(t *testing.T, kubeconfig string) (link string) {
	t.Helper()
	link, end, err := lead("--kubeconfig", kubeconfig)
	check(t, err)
	t.Cleanup(end)
	return link
}

// person is the kubeconfig of somebody who is in a group.
func person(t *testing.T, name, group string) (kubeconfig string) {
	t.Helper()
	kubeconfig = filepath.Join(t.TempDir(), name+".kubeconfig")
	text, err := server.Command("user", "add", name, "--group", group).Output()
	check(t, err)
	check(t, os.WriteFile(kubeconfig, text, 0o600))
	return kubeconfig
}
