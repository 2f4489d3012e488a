package compile

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"weft.dev/model"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// Each archive has rows.yaml and expectations. The name of an expectation asks:
//
//	problems                                           all problems
//	WORKLOAD TYPE                                      names of the resources
//	WORKLOAD TYPE NAME [PATH]                          a part of one, as YAML
//
// PATH is of field names; [x] picks the element of a list that is named x, or
// the x-th one.
func TestGolden(t *testing.T) {
	for _, file := range goldens(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := newMesh()
			m.set(parseRows(t, archive.Files[0].Data))
			for i, f := range archive.Files[1:] {
				got := answer(t, m, f.Name)
				if *update {
					archive.Files[i+1].Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("%s:\n--- got\n%s--- want\n%s", f.Name, got, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func goldens(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: no archives (%v)", err)
	}
	return files
}

func answer(t *testing.T, m *mesh, question string) string {
	words := strings.Fields(question)
	if question == "problems" {
		var b strings.Builder
		for _, p := range m.Problems.All() {
			fmt.Fprintf(&b, "%s: %s: %s: %s\n", p.Object, p.Path, p.Code, p.Message)
		}
		return b.String()
	}
	v, kind := m.viewOf(t, words[0]), typeNamed(t, words[1])
	if len(words) == 2 {
		var names []string
		for r := range v.All(kind) {
			names = append(names, r.Name)
		}
		slices.Sort(names)
		return strings.Join(append(names, ""), "\n")
	}
	r := v.Find(kind, words[2])
	if r == nil {
		return "none\n"
	}
	tree := jsonOf(t, r)
	path := ""
	if len(words) > 3 {
		path = words[3]
	}
	switch path {
	case "from":
		return fmt.Sprintln(r.From)
	case "needs":
		return fmt.Sprintln(r.Needs)
	}
	part, err := yaml.Marshal(pick(t, tree, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(part)
}

func typeNamed(t testing.TB, name string) model.Type {
	for kind := range model.NumTypes {
		if kind.String() == name {
			return kind
		}
	}
	t.Fatalf("no type %s", name)
	return 0
}

func jsonOf(t testing.TB, r *model.Resource) map[string]any {
	t.Helper()
	tree, err := treeOf(r)
	if err != nil {
		t.Fatalf("%v %s: %v", r.Type, r.Name, err)
	}
	return tree
}

func decode(t testing.TB, r *model.Resource) proto.Message {
	t.Helper()
	m, err := Message(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// pick follows a path: a.b[name].c
func pick(t testing.TB, tree any, path string) any {
	for _, part := range splitPath(strings.ReplaceAll(path, "[", ".[")) {
		next, ok := child(tree, part)
		if !ok {
			t.Fatalf("path %s: nothing at %s", path, part)
		}
		tree = next
	}
	return tree
}

// splitPath cuts at dots outside of brackets.
func splitPath(path string) []string {
	var parts []string
	depth, start := 0, 0
	for i, r := range path + "." {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '.' && depth == 0:
			if i > start {
				parts = append(parts, path[start:i])
			}
			start = i + 1
		}
	}
	return parts
}

func child(tree any, part string) (any, bool) {
	name, isElement := strings.CutPrefix(strings.TrimSuffix(part, "]"), "[")
	switch v := tree.(type) {
	case map[string]any:
		c, ok := v[name]
		return c, ok
	case []any:
		for i, e := range v {
			if m, ok := e.(map[string]any); ok && isElement && (m["name"] == name || fmt.Sprint(i) == name) {
				return e, true
			}
		}
	}
	return nil, false
}
