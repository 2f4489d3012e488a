package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// weft runs a command as a person does: what it prints, and its exit code.
func weft(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	root := newRoot()
	var out, progress bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&progress)
	if err := root.ExecuteContext(t.Context()); err != nil {
		code = exitError
		if coded := (exitCode{}); errors.As(err, &coded) {
			code = coded.code
		}
		progress.WriteString(err.Error())
	}
	return out.String(), progress.String(), code
}

const (
	theirWait   = `{"application":"shop","name":"ship","tags":[{"n":1.5}],"stages":[{"refId":"1","type":"wait","name":"soak","waitTime":5}]}`
	theirDeploy = `{"application":"shop","name":"roll","stages":[{"refId":1,"type":"deployManifest","name":"up","manifests":[{"a":[1,2]}]}]}`
)

func TestImportSpinnaker(t *testing.T) {
	for name, test := range map[string]struct {
		stdin, output  string
		code           int
		stdout, stderr string // parts of them
	}{
		"a table":        {theirWait, "table", exitOK, "Exact    is stage soak", "1 stages: 1 exact"},
		"a kept stage":   {theirDeploy, "table", exitFindings, "Kept", "1 stages are kept as they are"},
		"json":           {theirDeploy, "json", exitFindings, `"kept": 1`, ""},
		"yaml":           {theirWait, "yaml", exitOK, "  name: shop-ship\n", ""},
		"not Spinnaker":  {"local x = 1; x", "table", exitError, "", "-: not JSON"},
		"no such format": {theirWait, "xml", exitUsage, "", `output format "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := weft(t, test.stdin, "import", "spinnaker", "-", "--dry-run", "-o", test.output)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
				t.Errorf("code %d, want %d\n%s\n%s", code, test.code, stdout, stderr)
			}
		})
	}
	if _, _, code := weft(t, "", "import", "spinnaker"); code != exitUsage {
		t.Errorf("no files: code %d", code)
	}
	if _, stderr, code := weft(t, theirWait, "import", "spinnaker", "-", "--kubeconfig", filepath.Join(t.TempDir(), "none")); code == exitOK {
		t.Errorf("applied to no server: %s", stderr)
	}
}

// TestExportSpinnaker: what was imported and kept in Git comes out as it came in.
func TestExportSpinnaker(t *testing.T) {
	both := "[" + theirWait + "," + theirDeploy + "]"
	for _, came := range []string{theirWait, both} {
		resources, _, _ := weft(t, came, "import", "spinnaker", "-", "--dry-run", "-o", "yaml")
		file := filepath.Join(t.TempDir(), "pipelines.yaml")
		if err := os.WriteFile(file, []byte(resources), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := weft(t, "", "export", "spinnaker", file)
		var want, got any
		if err := errors.Join(json.Unmarshal([]byte(came), &want), json.Unmarshal([]byte(stdout), &got)); err != nil || code != exitOK || !reflect.DeepEqual(want, got) {
			t.Errorf("code %d (%v), %s\ncame in  %s\ncame out %s", code, err, stderr, came, stdout)
		}
		changed := strings.Replace(resources, "for: 5s", "for: 6s", 1)
		if _, stderr, code := weft(t, changed, "export", "spinnaker", "-"); code != exitError || !strings.Contains(stderr, "stdin:2: pipeline shop-ship: stage soak is not as it was imported") {
			t.Errorf("changed: code %d, %s", code, stderr)
		}
	}
	if _, stderr, code := weft(t, "kind: Secret\nmetadata: {name: s}\n", "export", "spinnaker", "-"); code != exitError || !strings.Contains(stderr, "no Pipeline") {
		t.Errorf("no pipeline: code %d, %s", code, stderr)
	}
}
