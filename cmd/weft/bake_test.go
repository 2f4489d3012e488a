package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is the process that bakes, too: it is of the same binary as who waits for it. So is the one that follows pods.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[2] == "--"+jailedFlag {
		os.Exit(run(context.Background(), os.Args[1:]))
	}
	if server := os.Getenv(followedServer); server != "" {
		if err := followPods(server); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// bakes runs weft bake and returns what it printed.
func bakes(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"bake"}, args...))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestBakeCommand(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"chart/Chart.yaml":       "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"chart/templates/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\nspec: {containers: [{name: a, image: \"shop:{{ .Values.tag }}\"}]}\n",
		"prod.yaml":              "tag: v1\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chart := []string{dir, "--kind", "helm", "--path", "chart", "--name", "web", "--values-file", "../prod.yaml"}
	if out, err := bakes(t, append(chart, "-o", "json")...); err != nil || !strings.Contains(out, `"image": "shop:v1"`) || !strings.Contains(out, `"name": "web"`) {
		t.Errorf("got %v\n%s", err, out)
	}
	if out, err := bakes(t, append(chart, "--set", "tag=v2")...); err != nil || !strings.Contains(out, "image: shop:v2\n") {
		t.Errorf("got %v\n%s", err, out)
	}
	for name, args := range map[string][]string{
		"--kind helm, kustomize or jsonnet": {dir},
		"want yaml or json":                 append(chart, "-o", "table"),
		"leads out of what may be read":     {dir, "--kind", "helm", "--path", "../x"},
		"unable to find one of":             {dir, "--kind", "kustomize"},
		"no such file":                      {dir + "/nothing", "--kind", "kustomize"},
	} {
		if out, err := bakes(t, args...); err == nil || !strings.Contains(err.Error(), name) || out != "" {
			t.Errorf("want %q, got %v\n%s", name, err, out)
		}
	}
}
