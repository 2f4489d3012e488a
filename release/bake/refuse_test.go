package bake_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"weft.dev/release/bake"
)

const secret = "canary-7c1d"

// trap is what no bake may touch: a file, and an address that counts who calls.
type trap struct {
	file  string
	url   string
	calls atomic.Int32
}

func newTrap(t *testing.T) *trap {
	t.Setenv("PATH", "") // a library that is let through finds no git to run
	w := &trap{file: filepath.Join(t.TempDir(), "canary")}
	if err := os.WriteFile(w.file, []byte(`{"type":"`+secret+`","const":"`+secret+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w.url = "http://" + l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.calls.Add(1)
			c.Close()
		}
	}()
	return w
}

const minimal = "\n-- Chart.yaml --\napiVersion: v2\nname: c\nversion: 1.0.0\n"

// refusal is a tree that has to be refused, with a text that has want in it.
type refusal struct {
	request bake.Request
	files   string // with a link named linked to the trap, where the case's name ends with "a link"
	want    string
}

// refused: what leads out of the tree is refused by name, and neither read nor called.
func (w *trap) refused(t *testing.T, cases map[string]refusal) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			all := tree(c.files)
			if strings.HasSuffix(name, "a link") {
				all.Links["linked"] = filepath.Dir(w.file)
			}
			got, err := bake.Render(all, c.request)
			text := fmt.Sprint(err, string(got))
			if err == nil || !strings.Contains(text, c.want) {
				t.Errorf("want %q, got %v\n%s", c.want, err, got)
			}
			if strings.Contains(text, secret) {
				t.Errorf("the file outside was read: %s", text)
			}
		})
	}
	if n := w.calls.Load(); n > 0 {
		t.Errorf("%d calls", n)
	}
}

func TestRefusedHelm(t *testing.T) {
	w := newTrap(t)
	template := func(text string) string {
		return minimal + "-- templates/a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: " + text + "}\n"
	}
	schema := func(text string) string { return template("b") + "-- values.schema.json --\n" + text + "\n" }
	w.refused(t, map[string]refusal{
		"path up":              {bake.Request{Kind: bake.Helm, Path: "../x"}, minimal, `path "../x" leads out`},
		"path absolute":        {bake.Request{Kind: bake.Helm, Path: "/etc"}, minimal, "leads out"},
		"path is a link":       {bake.Request{Kind: bake.Kustomize, Path: "linked/app"}, minimal, "linked is a link"},
		"no kind":              {bake.Request{Kind: "cmd"}, minimal, `kind "cmd" is none`},
		"nothing":              {bake.Request{Kind: bake.Helm}, minimal, "gives no object"},
		"another kind's":       {bake.Request{Kind: bake.Kustomize, Values: "a: b"}, kustomization("resources: [cm.yaml]"), "values: kustomize takes none"},
		"values file up":       {bake.Request{Kind: bake.Helm, ValuesFiles: []string{"../v.yaml"}}, template("b"), "leads out"},
		"values file abs":      {bake.Request{Kind: bake.Helm, ValuesFiles: []string{w.file}}, template("b"), "leads out"},
		"no values file":       {bake.Request{Kind: bake.Helm, ValuesFiles: []string{"v.yaml"}}, template("b"), "there is no file v.yaml"},
		"no chart":             {bake.Request{Kind: bake.Helm}, "\n-- a.yaml --\n", "Chart.yaml file is missing"},
		"library":              {bake.Request{Kind: bake.Helm}, minimal + "type: library\n", "library chart"},
		"missing dependency":   {bake.Request{Kind: bake.Helm}, minimal + "dependencies: [{name: d, version: 1.0.0, repository: " + w.url + "}]\n", "helm dependency build"},
		"env":                  {bake.Request{Kind: bake.Helm}, template(`{{ env "HOME" }}`), `function "env" not defined`},
		"expandenv":            {bake.Request{Kind: bake.Helm}, template(`{{ expandenv "$HOME" }}`), `function "expandenv" not defined`},
		"recursion":            {bake.Request{Kind: bake.Helm}, template(`{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`), "nested reference name"},
		"required":             {bake.Request{Kind: bake.Helm}, template(`{{ required "say who" .Values.who }}`), "say who"},
		"schema file":          {bake.Request{Kind: bake.Helm}, schema(`{"$ref": "file://` + w.file + `"}`), "refers to"},
		"schema http":          {bake.Request{Kind: bake.Helm}, schema(`{"properties": {"a": {"$ref": "` + w.url + `/s.json"}}}`), "refers to"},
		"schema relative":      {bake.Request{Kind: bake.Helm}, schema(`{"$id": "file://` + w.file + `", "anyOf": [{"$ref": "canary"}]}`), "refers to"},
		"schema of a schema":   {bake.Request{Kind: bake.Helm}, schema(`{"$schema": "` + w.url + `/draft"}`), "refers to"},
		"schema of a subchart": {bake.Request{Kind: bake.Helm}, template("b") + strings.ReplaceAll(minimal, "-- ", "-- charts/d/") + "-- charts/d/values.schema.json --\n" + `{"$dynamicRef": "file://` + w.file + `"}` + "\n", "refers to"},
		"not an object":        {bake.Request{Kind: bake.Helm}, minimal + "-- templates/a.yaml --\nhello\n", "no object with apiVersion and kind"},
		"anchors":              {bake.Request{Kind: bake.Helm}, minimal + "-- templates/a.yaml --\n" + bomb(), "excessive aliasing"},
	})
}

func TestRefusedKustomize(t *testing.T) {
	w := newTrap(t)
	w.refused(t, map[string]refusal{
		"base http":         {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [" + w.url + "/a.yaml]"), "nothing is fetched"},
		"base file":         {bake.Request{Kind: bake.Kustomize}, kustomization("resources: ['file://" + w.file + "']"), "nothing is fetched"},
		"base git":          {bake.Request{Kind: bake.Kustomize}, kustomization("resources: ['git::" + w.url + "/a?ref=--upload-pack=touch']"), "nothing is fetched"},
		"base ext":          {bake.Request{Kind: bake.Kustomize}, kustomization("resources: ['ext::sh -c touch%20x']"), "nothing is fetched"},
		"base ssh":          {bake.Request{Kind: bake.Kustomize}, kustomization("bases: ['git@127.0.0.1:a/b']"), "nothing is fetched"},
		"base user":         {bake.Request{Kind: bake.Kustomize}, kustomization("components: ['x@127.0.0.1/a/b']"), "nothing is fetched"},
		"base github":       {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [GitHub.com/a/b]") + "-- GitHub.com/a/b/kustomization.yaml --\n", "nothing is fetched"},
		"base, other case":  {bake.Request{Kind: bake.Kustomize}, kustomization("RESOURCES: [" + w.url + "/a.yaml]"), "nothing is fetched"},
		"base of a base":    {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [b]") + "-- b/kustomization.yaml --\nresources: [" + w.url + "/a]\n", "b/kustomization.yaml: resources"},
		"base absolute":     {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [" + w.file + "]"), "canary"},
		"base is a link":    {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [linked]"), "linked is a link"},
		"patch http":        {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [cm.yaml]\npatches: [{path: " + w.url + "/p}]"), "nothing is fetched"},
		"patch up":          {bake.Request{Kind: bake.Kustomize, Path: "b"}, "\n-- b/kustomization.yaml --\nresources: [../cm.yaml]\n-- cm.yaml --\napiVersion: v1\nkind: X\n", "is not in or below"},
		"config map http":   {bake.Request{Kind: bake.Kustomize}, kustomization("configMapGenerator: [{name: x, files: ['k=" + w.url + "']}]"), "nothing is fetched"},
		"crd http":          {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [cm.yaml]\ncrds: [" + w.url + "]"), "nothing is fetched"},
		"openapi http":      {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [cm.yaml]\nopenapi: {path: " + w.url + "}"), "nothing is fetched"},
		"chart":             {bake.Request{Kind: bake.Kustomize}, kustomization("helmCharts: [{name: x, repo: " + w.url + "}]"), "kind helm"},
		"chart generator":   {bake.Request{Kind: bake.Kustomize}, kustomization("generators: [g.yaml]") + "-- g.yaml --\napiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\nname: x\nrepo: " + w.url + "\n", "must specify --enable-helm"},
		"exec plugin":       {bake.Request{Kind: bake.Kustomize}, kustomization("generators: [g.yaml]") + "-- g.yaml --\napiVersion: x.example/v1\nkind: Run\nmetadata: {name: x, annotations: {config.kubernetes.io/function: '{exec: {path: /bin/sh}}'}}\n", "external plugins disabled"},
		"inline plugin":     {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [cm.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: x}\n  path: " + w.url), "nothing is fetched"},
		"plugin in a file":  {bake.Request{Kind: bake.Kustomize}, kustomization("resources: [cm.yaml]\ntransformers: [p.yaml]") + "-- p.yaml --\napiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\npath: " + w.url + "\n", "nothing is fetched"},
		"kustomize anchors": {bake.Request{Kind: bake.Kustomize}, "\n-- kustomization.yaml --\n" + bomb(), "excessive aliasing"},
		"no kustomization":  {bake.Request{Kind: bake.Kustomize}, minimal, "unable to find one of"},
	})
}

func TestRefusedJsonnet(t *testing.T) {
	w := newTrap(t)
	w.refused(t, map[string]refusal{
		"import absolute": {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nimportstr '/etc/passwd'\n", "leads out"},
		"import canary":   {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nimport '" + w.file + "'\n", "leads out"},
		"import up":       {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nimport '../../x'\n", "leads out"},
		"import a link":   {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nimport 'linked/x.libsonnet'\n", "linked is a link"},
		"no such import":  {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nimport 'x.libsonnet'\n", "there is no file x.libsonnet"},
		"no recursion":    {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nlocal f(x) = f(x + 1) + 1; f(0)\n", "max stack frames"},
		"no variable":     {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\nstd.extVar('HOME')\n", "Undefined external variable"},
		"no program":      {bake.Request{Kind: bake.Jsonnet}, minimal, "there is no file main.jsonnet"},
		"a number":        {bake.Request{Kind: bake.Jsonnet}, "\n-- main.jsonnet --\n{ a: 4 }\n", `main.jsonnet.a is "4"`},
	})
}

func kustomization(text string) string {
	return "\n-- kustomization.yaml --\n" + text + "\n-- cm.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
}

// TestLinkInChart: a link in a chart is a file that would be missing without a word.
func TestLinkInChart(t *testing.T) {
	all := tree(shopChart)
	all.Links["elsewhere"] = "/etc"
	render(t, all, bake.Request{Kind: bake.Helm, Path: "shop"})
	all.Links["shop/templates/more.yaml"] = "../../values/prod.yaml"
	if _, err := bake.Render(all, bake.Request{Kind: bake.Helm, Path: "shop"}); err == nil || !strings.Contains(err.Error(), "shop/templates/more.yaml is a link") {
		t.Errorf("got %v", err)
	}
}

// bomb is YAML of 10^9 values by aliases.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}
