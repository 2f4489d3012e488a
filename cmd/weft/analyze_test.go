package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"weft.dev/web"
)

// wrong has an object whose problems count, and one whose owner knows of them.
const wrong = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: lost, namespace: shop}
spec:
  hosts: [lost.example.com]
  http:
  - route:
    - destination: {host: nobody}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: known, namespace: shop, annotations: {weft.dev/suppress: "WFT0012, WFT0002"}}
spec:
  hosts: [known.example.com]
  http:
  - route:
    - destination: {host: nobody}
`

// ran is what a command prints, and its exit code.
func ran(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	var text bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&text)
	root.SetErr(t.Output())
	err := root.ExecuteContext(t.Context())
	coded := exitCode{}
	if errors.As(err, &coded) {
		code = coded.code
	} else if err != nil {
		t.Fatal(err)
	}
	return text.String(), code
}

func TestAnalyze(t *testing.T) {
	dir := withFile(t, wrong)
	out, code := ran(t, "analyze", dir)
	if code != exitFindings || strings.Count(out, "\n") != 2 || !strings.Contains(out, "more.yaml:2: WFT0002") || !strings.Contains(out, "more.yaml:9: WFT0002 MissingService: VirtualService shop/lost spec.http[0].route[0].destination") {
		t.Errorf("code %d:\n%s", code, out)
	}
	if out, code := ran(t, "analyze", exampleRepository); code != exitOK || out != "" {
		t.Errorf("nothing is wrong with the example; code %d:\n%s", code, out)
	}
	if _, code := ran(t, "analyze"); code != exitUsage {
		t.Errorf("of nothing: code %d", code)
	}
	if _, code := ran(t, "analyze", dir, "-o", "xml"); code != exitUsage {
		t.Errorf("as xml: code %d", code)
	}
}

func TestAnalyzeSARIF(t *testing.T) {
	out, code := ran(t, "analyze", withFile(t, wrong), "-o", "sarif")
	var log sarif
	if err := json.Unmarshal([]byte(out), &log); err != nil || code != exitFindings || log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("code %d, %v:\n%s", code, err, out)
	}
	run := log.Runs[0]
	if len(run.Results) != 4 || len(run.Tool.Driver.Rules) != len(web.ProblemKinds) {
		t.Fatalf("%d results, %d rules", len(run.Results), len(run.Tool.Driver.Rules))
	}
	suppressed := 0
	for _, r := range run.Results {
		at := r.Locations[0]
		if r.RuleID != "WFT0002" || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || !strings.HasSuffix(at.Physical.Artifact.URI, "more.yaml") || at.Physical.Region.StartLine == 0 {
			t.Errorf("%+v", r)
		}
		suppressed += len(r.Suppressions)
	}
	if suppressed != 2 {
		t.Errorf("%d are suppressed, want 2", suppressed)
	}
}

// Each code of the model has an id, and the guide tells them all.
func TestProblemKinds(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../model/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Problem") {
			codes++
		}
		return true
	})
	if codes != len(web.ProblemKinds) {
		t.Errorf("model/problem.go has %d codes, and %d have an id", codes, len(web.ProblemKinds))
	}
	guide, err := os.ReadFile("../../docs/guides/troubleshoot.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range web.ProblemKinds {
		if want := fmt.Sprintf("WFT%04d", i+1); k.ID != want || web.ProblemKindOf(k.Code) != k {
			t.Errorf("%s is the %d. kind, or its code is that of another", k.ID, i+1)
		}
		if row := fmt.Sprintf("| %s | %s | %s | %s |", k.ID, k.Code, k.Meaning, k.Remedy); !strings.Contains(string(guide), row) {
			t.Errorf("docs/guides/troubleshoot.md lacks\n%s", row)
		}
	}
}

// What denies by path has its effect, and is told only here.
func TestAnalyzePaths(t *testing.T) {
	policy := "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: "
	for spec, want := range map[string]string{
		`{action: DENY, rules: [{to: [{operation: {paths: ["/admin*"]}}]}]}`:   "spec.rules[0].to[0].operation.paths: it denies by path: where the application takes /ADMIN (no difference of case), /admin;x=1 (path parameters) or /%2561dmin",
		`{action: ALLOW, rules: [{to: [{operation: {notPaths: [/admin]}}]}]}`:  "operation.notPaths",
		`{action: DENY, rules: [{to: [{operation: {paths: ["/*"]}}]}]}`:        "",
		`{action: ALLOW, rules: [{to: [{operation: {paths: ["/public*"]}}]}]}`: "",
	} {
		if out, _ := ran(t, "analyze", withFile(t, policy+spec+"\n")); want != "" && !strings.Contains(out, "WFT0017 Evadable") || !strings.Contains(out, want) || want == "" && strings.Contains(out, "WFT0017") {
			t.Errorf("%s: %s", spec, out)
		}
	}
}
