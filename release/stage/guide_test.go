package stage

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/expr"
	"weft.dev/release/pipeline"
)

// TestGuide: the guide names each kind, and its pipelines can run.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind := range All() {
		if !strings.Contains(string(text), "\n| `"+kind+"` |") {
			t.Errorf("the guide has no line for %s", kind)
		}
	}
	eval, err := expr.New()
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("the guide has no pipeline")
	}
	for _, block := range blocks {
		if !bytes.Contains(block[1], []byte("\nkind: Pipeline\n")) {
			continue // what other kinds are, the tests of package api say
		}
		var p v1alpha1.Pipeline
		if err := yaml.UnmarshalStrict(block[1], &p); err != nil {
			t.Fatalf("%s\n%v", block[1], err)
		}
		for _, problem := range pipeline.Check(&p.Spec, pipeline.With{Stages: All(), Eval: eval}) {
			t.Errorf("%s: %s: %s", p.Name, problem.Path, problem.Message)
		}
	}
}
