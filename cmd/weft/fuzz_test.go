package main

import (
	"strings"
	"testing"

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
		documents, err := split("x.yaml", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.yaml:") {
				t.Errorf("the error names no file: %v", err)
			}
			return
		}
		last, lines := 0, strings.Count(string(text), "\n")+strings.Count(string(text), "\r")+2*strings.Count(string(text), "\xe2\x80")+strings.Count(string(text), "\xc2\x85")+1
		for _, d := range documents {
			if d.line < last || d.line > lines || len(d.lines) > maxLines {
				t.Errorf("%d lines, and a document at %d after one at %d", lines, d.line, last)
			}
			for path, line := range d.lines {
				if line < d.line || line > lines {
					t.Errorf("%s of the document at %d is at %d", path, d.line, line)
				}
			}
			last = d.line
			again, err := split("x.yaml", d.body)
			if err != nil || len(again) != 1 || len(again[0].lines) != len(d.lines) {
				t.Errorf("%q is cut into %d, %v", d.body, len(again), err)
			}
			var object map[string]any
			_ = yaml.Unmarshal(d.body, &object) // must not panic
		}
	})
}

// Nothing but objects can be applied: another document is an error, not silence.
func TestSplitRefusesOthers(t *testing.T) {
	for _, text := range []string{"- a\n", "a: 1\n---\ntext\n"} {
		if _, err := split("x.yaml", []byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if got, err := split("x.yaml", []byte("# only a comment\n---\n---\nnull\n---\na: 1\n")); err != nil || len(got) != 1 {
		t.Errorf("got %d documents, %v", len(got), err)
	}
}
