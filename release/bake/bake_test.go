package bake_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"weft.dev/release/bake"
)

// tree is one of the files of a txtar.
func tree(archive string) bake.Tree {
	t := bake.Tree{Files: map[string][]byte{}, Links: map[string]string{}}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		t.Files[f.Name] = f.Data
	}
	return t
}

const shopChart = `
-- shop/Chart.yaml --
apiVersion: v2
name: shop
version: 1.0.0
dependencies: [{name: cache, version: 1.0.0, repository: "https://charts.example", condition: cache.enabled}]
-- shop/values.yaml --
replicas: 1
big: 10000000
cache: {enabled: true, size: small}
-- shop/templates/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.replicas }}
  big: {{ int .Values.big }}
  owner: {{ .Values.owner | default "nobody" | quote }}
  found: {{ len (lookup "v1" "Secret" "" "") }}
  resolved: {{ getHostByName "localhost" | quote }}
---
# nothing
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, labels: {k: "{{ .Capabilities.KubeVersion.Major }}"}}
-- shop/templates/test.yaml --
apiVersion: v1
kind: Pod
metadata: {name: probe, annotations: {"helm.sh/hook": test}}
-- shop/templates/job.yaml --
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {"helm.sh/hook": "pre-install,test"}}
-- shop/templates/NOTES.txt --
Thank you.
-- shop/.helmignore --
ignored
-- shop/templates/ignored/x.yaml --
{{ fail "it is ignored" }}
-- shop/crds/crd.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example}
-- shop/charts/cache/Chart.yaml --
apiVersion: v2
name: cache
version: 1.0.0
-- shop/charts/cache/templates/cm.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: cache-{{ .Values.size }}}
-- values/prod.yaml --
replicas: 7
owner: a file
`

func TestHelm(t *testing.T) {
	r := bake.Request{
		Kind: bake.Helm, Path: "shop", Name: "web", Namespace: "prod", ValuesFiles: []string{"../values/prod.yaml"},
		Values: "replicas: 9", Set: map[string]string{"cache.size": "007", "owner": "a, b=c"}, CRDs: true,
	}
	got := render(t, tree(shopChart), r)
	for _, want := range []string{
		"name: web\n  namespace: prod\n", "replicas: 9\n", "big: 10000000\n", "owner: a, b=c\n", "found: 0\n", "resolved: \"\"\n",
		"kind: Service\n", "name: cache-007\n", "name: migrate\n", "name: shops.example\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count("\n"+got, "\nkind: "); n != 5 || strings.Contains(got, "probe") {
		t.Errorf("%d objects, want 5, and no test:\n%s", n, got)
	}
	r.Set, r.CRDs, r.Values = nil, false, "cache: {enabled: false}"
	got = render(t, tree(shopChart), r)
	if strings.Contains(got, "cache") || strings.Contains(got, "shops.example") || !strings.Contains(got, "owner: a file\n") {
		t.Errorf("a chart that is switched off, or CRDs, or no file of values:\n%s", got)
	}
}

const shopKustomization = `
-- base/kustomization.yaml --
resources: [deployment.yaml]
configMapGenerator: [{name: settings, files: [logo=logo@2x.txt], literals: ["site=https://shop.example"]}]
commonAnnotations: {path: "https://shop.example/runbook"}
-- base/logo@2x.txt --
a cat
-- base/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: shop}]}}}
-- prod/kustomization.yaml --
namespace: prod
resources: [../base]
images: [{name: shop, newTag: v2}]
patches: [{path: replicas.yaml}]
-- prod/replicas.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 3}
-- builtin/kustomization.yaml --
resources: [../base]
transformers: [labels.yaml]
-- builtin/labels.yaml --
apiVersion: builtin
kind: PrefixTransformer
metadata: {name: x}
prefix: pre-
fieldSpecs: [{path: metadata/name}]
`

func TestKustomize(t *testing.T) {
	got := render(t, tree(shopKustomization), bake.Request{Kind: bake.Kustomize, Path: "prod"})
	for _, want := range []string{"namespace: prod\n", "image: shop:v2\n", "replicas: 3\n", "site: https://shop.example\n", "logo: |\n    a cat\n", "name: settings-"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := render(t, tree(shopKustomization), bake.Request{Kind: bake.Kustomize, Path: "builtin"}); !strings.Contains(got, "name: pre-web\n") {
		t.Errorf("a builtin transformer did nothing:\n%s", got)
	}
}

const shopProgram = `
-- env/main.jsonnet --
local k = import 'k.libsonnet';
function(replicas='1') {
  web: k.deployment('web', std.extVar('image')) { spec+: { replicas: std.parseInt(replicas), big: 12345678901 } },
  off: null,
  more: [{ apiVersion: 'v1', kind: 'List', items: [import 'cm.libsonnet'] }],
}
-- env/cm.libsonnet --
{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cm' }, data: { text: importstr '../text.txt' } }
-- text.txt --
hello
-- vendor/k.libsonnet --
{ deployment(name, image):: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: name }, spec: { image: image } } }
`

func TestJsonnet(t *testing.T) {
	r := bake.Request{Kind: bake.Jsonnet, Path: "env", Variables: map[string]string{"image": "shop:v2"}, Arguments: map[string]string{"replicas": "4"}}
	got := render(t, tree(shopProgram), r)
	for _, want := range []string{"image: shop:v2\n", "replicas: 4\n", "big: 12345678901\n", "kind: ConfigMap\n", "hello\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "---\n"); n != 1 {
		t.Errorf("%d separators:\n%s", n, got)
	}
}

func TestObjects(t *testing.T) {
	objects, err := bake.Objects([]byte(`kind: A
spec: {template: {spec: {containers: [{image: b}, {image: a}, {name: x}], initContainers: [{image: c}], volumes: [{image: no}], image: no}}}
---
kind: B
items: [{spec: {containers: [{image: a}]}}]
`))
	if got := bake.Images(objects); err != nil || len(objects) != 2 || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %v of %v, %v", got, objects, err)
	}
}

// TestSame: the same request gives the same bytes.
func TestSame(t *testing.T) {
	for _, r := range []bake.Request{{Kind: bake.Helm, Path: "shop"}, {Kind: bake.Kustomize, Path: "prod"}} {
		all := tree(shopChart)
		maps.Copy(all.Files, tree(shopKustomization).Files)
		first := render(t, all, r)
		for range 5 {
			if again := render(t, all, r); again != first {
				t.Fatalf("%s gave\n%s\nand then\n%s", r.Kind, first, again)
			}
		}
	}
}

func render(t *testing.T, all bake.Tree, r bake.Request) string {
	t.Helper()
	got, err := bake.Render(all, r)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}
