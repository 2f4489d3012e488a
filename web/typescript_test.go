package web

import (
	"encoding"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"weft.dev/explain"
	"weft.dev/metrics"
	"weft.dev/trace"
)

//go:generate go test . -run TestTypeScript -update

var update = flag.Bool("update", false, "write the types of the UI anew")

// answered are the types of what the UI reads.
var answered = []any{
	Overview{},
	Services{},
	ServicePage{},
	Releases{},
	ReleasePage{},
	Fleet{},
	Topology{},
	Past{},
	Board{},
	Change{},
	Problem{},
	Pipelines{},
	PipelinePage{},
	RunPage{},
	JudgeRequest{},
	CancelRequest{},
	StartRequest{},
	Freeze{},
	FreezeRequest{},
	PipelineText{},
	EditRequest{},
	Edited{},
	ReleaseRequest{},
	UndoPlan{},
	UndoRequest{},
	Done{},
	metrics.Edge{},
	Traces{},
	trace.Waterfall{},
	PreviewRequest{},
	PreviewReply{},
	Settings{},
	Session{},
	SignIn{},
	Rights{},
	explain.Trace{},
}

const typesFile = "ui/src/api.ts"

// The UI's types are those of the API.
func TestTypeScript(t *testing.T) {
	want := typeScript(answered)
	if *update {
		if err := os.WriteFile(typesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(typesFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the API answers: go generate ./web writes it anew", typesFile)
	}
}

// typeScript declares the types, and all that they are made of, as they are in JSON.
func typeScript(roots []any) string {
	g := generator{done: map[reflect.Type]bool{}}
	g.out.WriteString("// Generated from Go by `go generate ./web`: what the API answers.\n")
	fmt.Fprintf(&g.out, "\nexport type State = %q | %q | %q | %q | %q;\n", Bad, Warn, Changing, OK, Idle)
	fmt.Fprintf(&g.out, "\nexport type NodeKind = %q | %q | %q | %q;\n", InMesh, Outside, Entry, Caller)
	for _, root := range roots {
		g.declare(reflect.TypeOf(root))
	}
	g.out.WriteString("\n// What the code of a problem means.\nexport const meanings: Record<string, string> = {\n")
	for _, k := range ProblemKinds {
		fmt.Fprintf(&g.out, "  %s: %q,\n", k.Code, sentence(k.Meaning))
	}
	g.out.WriteString("};\n")
	return g.out.String()
}

// sentence begins as one does; weft's own name is small everywhere.
func sentence(text string) string {
	if strings.HasPrefix(text, "weft ") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

type generator struct {
	out  strings.Builder
	done map[reflect.Type]bool
}

func (g *generator) declare(t reflect.Type) {
	if g.done[t] {
		return
	}
	g.done[t] = true
	var body strings.Builder
	g.fields(&body, t)
	fmt.Fprintf(&g.out, "\nexport interface %s {\n%s}\n", called(t), body.String())
}

// called tells the words of explain from those of the pages, which mean other things by some of them.
func called(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[explain.Trace]().PkgPath() {
		return "Explain" + t.Name()
	}
	return t.Name()
}

func (g *generator) fields(body *strings.Builder, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "":
			g.fields(body, f.Type)
		case strings.Contains(options, "omit"):
			fmt.Fprintf(body, "  %s?: %s;\n", name, g.name(f.Type))
		default:
			fmt.Fprintf(body, "  %s: %s;\n", name, g.name(f.Type))
		}
	}
}

func (g *generator) name(t reflect.Type) string {
	switch {
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "string"
	case t == reflect.TypeFor[State](), t == reflect.TypeFor[NodeKind]():
		return t.Name()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Pointer:
		return g.name(t.Elem())
	case reflect.Slice:
		return g.name(t.Elem()) + "[]"
	case reflect.Map:
		return "Record<string, " + g.name(t.Elem()) + ">"
	case reflect.Struct:
		g.declare(t)
		return called(t)
	}
	return "number"
}
