package openapi_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The generated file is what go generate writes today.
func TestGenerated(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const name = "zz_generated.openapi.go"
	for _, line := range regexp.MustCompile(`(?m)^//go:generate (.*)$`).FindAllStringSubmatch(string(doc), -1) {
		command := strings.Replace(line[1], "--output-dir .", "--output-dir "+dir, 1)
		command = strings.Replace(command, " "+name+" corev1", " "+filepath.Join(dir, name)+" corev1", 1)
		args := strings.Fields(command)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	want, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not what go generate writes; run it", name)
	}
}
