package api_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"weft.dev/api"
)

// The files in crds are what go generate writes today: from the pinned modules
// and from the Go types of weft's kinds.
func TestCRDsAreGenerated(t *testing.T) {
	dir, experimental := t.TempDir(), t.TempDir()
	run(t, "go", "run", "./internal/crdgen", dir, experimental)
	routes := "gateway.networking.k8s.io_httproutes.yaml"
	sameFile(t, filepath.Join(experimental, routes), filepath.Join("experimental", routes))
	run(t, "go", "tool", "-modfile=tools.mod", "controller-gen", "crd:crdVersions=v1", "paths=./v1alpha1", "output:crd:dir="+dir)
	run(t, "go", "tool", "-modfile=tools.mod", "controller-gen", "object", "paths=./v1alpha1", "output:object:dir="+dir)
	sameFile(t, filepath.Join(dir, "zz_generated.deepcopy.go"), "v1alpha1/zz_generated.deepcopy.go")
	wanted, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range wanted {
		sameFile(t, file, filepath.Join("crds", filepath.Base(file)))
	}
	present, err := fs.Glob(api.CRDs(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(present) != len(wanted) {
		t.Errorf("crds has %d files, go generate writes %d", len(present), len(wanted))
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func sameFile(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s is not what go generate ./api writes; run it", got)
	}
}
