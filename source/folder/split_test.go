package folder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// A file is cut into objects whose lines are lines of the file, in order; what
// is cut out is an object again, and nothing is left out silently.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"", "# nothing\n", "a: 1\n---\nb: 2\n", "---\n---\na: [{b: 1}, {b: 2}]\n", "- a\n- b\n", "text", "a: &x [*x]\n", "a: &x {b: 1}\nc: *x\n",
		"? {a: 1}\n: [{b: 1}]\n", "{\"a\": [{\"b\": 1}]}", "<<: {a: 1}\n", "a: !!binary x\n", "%YAML 1.2\n---\na: 1\n...\n", "a: 1\na: 2\n", "\ufeffa: 1\n", "a: |\n  ---\n  b\n", "1: 2\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		documents, err := Split("x.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.yaml:") {
				t.Errorf("the error names no file: %v", err)
			}
			return
		}
		last, lines := 0, strings.Count(string(text), "\n")+strings.Count(string(text), "\r")+2*strings.Count(string(text), "\xe2\x80")+strings.Count(string(text), "\xc2\x85")+1
		for _, d := range documents {
			if d.Line < last || d.Line > lines || len(d.Lines) > maxLines {
				t.Errorf("%d lines, and a document at %d after one at %d", lines, d.Line, last)
			}
			for path, line := range d.Lines {
				if line < d.Line || line > lines {
					t.Errorf("%s of the document at %d is at %d", path, d.Line, line)
				}
			}
			last = d.Line
			if _, err := json.Marshal(d.Object); err != nil {
				t.Errorf("%v is nothing that JSON has: %v", d.Object, err)
			}
		}
	})
}

// Nothing but objects can be applied: another document is an error, not silence.
func TestSplitRefusesOthers(t *testing.T) {
	for _, text := range []string{"- a\n", "a: 1\n---\ntext\n"} {
		if _, err := Split("x.yaml", []byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if got, err := Split("x.yaml", []byte("# only a comment\n---\n---\nnull\n---\na: 1\n")); err != nil || len(got) != 1 {
		t.Errorf("got %d documents, %v", len(got), err)
	}
}

// A file means what it means to kubectl.
func TestSplitAsKubectl(t *testing.T) {
	texts := []string{
		"a: yes\nb: \"yes\"\nc: !!str yes\nd: 2020-01-01\ne: 0644\nf: 1e3\ng: ~\nh: 'null'\ni: 0x10\nj: 9007199254740993\nk: 1_000\n",
		"1: 2\ntrue: x\n2020-01-01: q\n",
		"base: &b {x: 1, z: off}\nmade: {<<: *b, x: 2}\nlist: [*b, a, 1.5, .5]\n",
		"text: |\n  a\n  b\nfolded: >-\n  a\n  b\n",
		"{\n\t\"a\": [\n\t\t{\"b\": 1}\n\t]\n}\n",
	}
	for _, text := range append(texts, samples(t)...) {
		for one := range strings.SplitSeq(text, "\n---\n") {
			got, err := Split("x.yaml", []byte(one))
			if err != nil {
				t.Errorf("%s\n%v", one, err)
				continue
			}
			wanted, err := yaml.YAMLToJSON([]byte(one))
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := kjson.UnmarshalCaseSensitivePreserveInts(wanted, &want); err != nil {
				t.Fatal(err)
			}
			switch {
			case want == nil && len(got) == 0:
			case len(got) != 1 || !reflect.DeepEqual(got[0].Object, want):
				t.Errorf("%s\nis %v\nwant %v", one, got, want)
			}
		}
	}
}

// samples are what people wrote for Istio.
func samples(t *testing.T) (texts []string) {
	t.Helper()
	files, err := filepath.Glob("../../../shared/samples/*/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func TestSplitList(t *testing.T) {
	got, err := Split("x.yaml", []byte("apiVersion: v1\nkind: List\nitems:\n- kind: A\n  spec:\n    x:\n    - y: 1\n- kind: B\n"))
	if err != nil || len(got) != 2 || got[0].At("spec.x[0].y") != "x.yaml:7" || got[1].At("spec") != "x.yaml:8" {
		t.Errorf("got %v, %v", got, err)
	}
}
