package explain_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/compile"
	"weft.dev/explain"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/test/wiring"
	"weft.dev/translate"
	"weft.dev/translate/join"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// mesh is what people wrote, translated and compiled.
type mesh struct {
	rows     *join.Mesh
	compiled *compile.Compiled
}

func newMesh(t testing.TB, text string) mesh {
	t.Helper()
	g := flow.New(flow.Options{})
	objects := flow.NewSource[api.Object](g, "objects")
	rows := translate.New(objects.Collection, translate.Options{TrustDomain: "mesh.test"})
	compiled := compile.New(g, wiring.Inputs(rows), compile.Options{TrustDomain: "mesh.test"})
	all := parse(t, text)
	g.Commit(func(tx *flow.Tx) {
		for _, o := range all {
			objects.Set(tx, o)
		}
	})
	return mesh{rows, compiled}
}

func parse(t testing.TB, text string) []api.Object {
	t.Helper()
	var all []api.Object
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		body, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if string(body) == "null" {
			continue
		}
		o, err := api.Decode(body)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		o.Created = time.Unix(int64(1_000_000+len(all)), 0)
		all = append(all, o)
	}
	return all
}

// The name of an expectation is the question: WORKLOAD METHOD URL [NAME:VALUE]..., or WORKLOAD routes.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: no archives (%v)", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := newMesh(t, string(archive.Files[0].Data))
			for i, f := range archive.Files[1:] {
				got := m.answer(f.Name)
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

func (m mesh) answer(question string) string {
	words := strings.Fields(question)
	workload, ok := model.Among(m.rows.Replicas.All(), words[0])
	switch {
	case !ok:
		return "no such workload\n"
	case words[1] == "routes":
		return m.routes(workload)
	}
	r := explain.Request{Method: words[1], URL: words[2], Headers: map[string]string{}}
	for _, h := range words[3:] {
		name, value, _ := strings.Cut(h, ":")
		r.Headers[name] = value
	}
	trace, err := explain.Explain(m.compiled, workload, r)
	if err != nil {
		return err.Error() + "\n"
	}
	var lines []string
	for line := range strings.SplitSeq(trace.Text(), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

func (m mesh) routes(workload model.Workload) string {
	table, err := explain.Routes(m.compiled, workload)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, r := range table.Routes {
		line, _ := json.Marshal(r)
		b.Write(append(line, '\n'))
	}
	return b.String()
}
