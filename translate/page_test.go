package translate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/translate"
	honoured "weft.dev/translate/istio"
)

//go:generate go test . -run TestIstioPage -update

const istioPage = "../docs/istio.md"

// TestIstioPage: docs/istio.md has every field of Istio's API that weft accepts, with a test that sets it or what to do instead.
func TestIstioPage(t *testing.T) {
	p := page{t: t, set: fieldsSet(t), seen: map[string]bool{}}
	p.write()
	if readme, err := os.ReadFile("../README.md"); err != nil || !strings.Contains(string(readme), fmt.Sprintf("%d of %d fields", p.honoured, p.known)) {
		t.Errorf("README.md has not the newest total (%v): %d of %d fields", err, p.honoured, p.known)
	}
	if *update {
		if err := os.WriteFile(istioPage, []byte(p.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(istioPage); err != nil || string(got) != p.text.String() {
		t.Errorf("%s is not what the code does (%v): go generate ./translate writes it anew", istioPage, err)
	}
}

// page is written kind by kind, and each message once.
type page struct {
	t               *testing.T
	set             map[string][]string // tests that set a field, by "Message.field"
	seen            map[string]bool
	text            strings.Builder
	honoured, known int
}

func (p *page) write() {
	var kinds strings.Builder
	for _, info := range api.Kinds() {
		spec, ok := emptySpec(p.t, info).(proto.Message)
		if !ok {
			continue
		}
		fmt.Fprintf(&kinds, "\n## %s\n", info.Kind)
		if why, none := translate.NotHonoured[info.Kind]; none {
			fmt.Fprintf(&kinds, "\nNot honoured: %s.\n", why)
			p.known += spec.ProtoReflect().Descriptor().Fields().Len()
			continue
		}
		p.message(&kinds, spec.ProtoReflect().Descriptor())
	}
	fmt.Fprintf(&p.text, "# Istio's API\n\nMade of the code by `go generate ./translate`. weft accepts these kinds of Istio's API; of their %d fields %d are honoured, each set in the tests named beside it "+
		"(of `translate/*/testdata` and `test/scenario/testdata`). Every other one is a problem in the status of the object that sets it, and in `weft get problems`: it names the field, and says what to do.\n", p.known, p.honoured)
	p.text.WriteString(kinds.String())
}

func emptySpec(t *testing.T, info api.Info) any {
	o, err := api.Decode(fmt.Appendf(nil, `{"apiVersion": %q, "kind": %q, "metadata": {"name": "x"}, "spec": {}}`, info.Version.GroupVersion(), info.Version.Kind))
	if err != nil {
		t.Fatal(err)
	}
	return o.Spec
}

// message writes the fields of a message, and of those that it has.
func (p *page) message(to *strings.Builder, m protoreflect.MessageDescriptor) {
	name := goName(m)
	words, ours := honoured.Fields()[name]
	if p.seen[name] || !ours || m.ParentFile().Package() == "google.protobuf" {
		return
	}
	p.seen[name] = true
	fmt.Fprintf(to, "\n| %s | |\n| --- | --- |\n", name)
	var inner []protoreflect.MessageDescriptor
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		p.known++
		if !slices.Contains(strings.Fields(words), f.JSONName()) {
			instead, said := honoured.Fields()[name+"."+f.JSONName()]
			if !said {
				instead = "so it has no effect; remove it"
			}
			fmt.Fprintf(to, "| `%s` | not honoured, %s |\n", f.JSONName(), instead)
			continue
		}
		p.honoured++
		fmt.Fprintf(to, "| `%s` | %s |\n", f.JSONName(), p.tests(name+"."+f.JSONName()))
		if of := f.Message(); of != nil && !f.IsMap() {
			inner = append(inner, of)
		}
	}
	for _, of := range inner {
		p.message(to, of)
	}
}

// mostTests are named of a field.
const mostTests = 3

func (p *page) tests(field string) string {
	all := p.set[field]
	if len(all) == 0 {
		p.t.Errorf("no test sets %s, which is honoured", field)
	}
	return strings.Join(all[:min(len(all), mostTests)], ", ")
}

// goName is the name of a message's Go type.
func goName(m protoreflect.MessageDescriptor) string {
	name := strings.TrimPrefix(string(m.FullName()), string(m.ParentFile().Package())+".")
	return strings.ReplaceAll(name, ".", "_")
}

// fieldsSet are the tests that set each field.
func fieldsSet(t *testing.T) map[string][]string {
	set := map[string][]string{}
	for _, pattern := range []string{"*/testdata/*.txtar", "../test/scenario/testdata/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no archives (%v)", pattern, err)
		}
		for _, file := range files {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				for document := range strings.SplitSeq("\n"+string(f.Data), "\n---") {
					specOf(document, func(field string) {
						if name := strings.TrimSuffix(filepath.Base(file), ".txtar"); !slices.Contains(set[field], name) {
							set[field] = append(set[field], name)
						}
					})
				}
			}
		}
	}
	return set
}

// specOf calls for each field that an object of Istio's sets.
func specOf(document string, of func(field string)) {
	text, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		return // an expectation, or a script's part
	}
	o, err := api.Decode(text)
	if err != nil {
		return
	}
	if spec, ok := o.Spec.(proto.Message); ok {
		fieldsOf(spec.ProtoReflect(), of)
	}
}

func fieldsOf(m protoreflect.Message, of func(field string)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		of(goName(m.Descriptor()) + "." + f.JSONName())
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { fieldsOf(v.Message(), of); return true })
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				fieldsOf(v.List().Get(i).Message(), of)
			}
		case !f.IsList() && !f.IsMap() && f.Message() != nil:
			fieldsOf(v.Message(), of)
		}
		return true
	})
}
