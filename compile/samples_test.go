package compile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/test/envoytest"
	"weft.dev/test/wiring"
	"weft.dev/translate"
)

// instances are the proxies that a mesh of the samples has.
const instances = `
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: ingress-1, namespace: default}, spec: {gateway: ingressgateway, address: 127.0.0.1, ports: [{number: 80, protocol: http, proxyPort: 8080, appPort: 1}]}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: bookinfo-1, namespace: default}, spec: {gateway: bookinfo-gateway, address: 127.0.0.1, ports: [{number: 80, protocol: http, proxyPort: 8081, appPort: 1}]}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: productpage-1, namespace: default}, spec: {app: productpage, version: v1, address: 127.0.0.1, outboundPort: 15001, ports: [{number: 9080, protocol: http, proxyPort: 20001, appPort: 30001}]}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: reviews-1, namespace: default}, spec: {app: reviews, version: v3, address: 127.0.0.1, outboundPort: 15002, ports: [{number: 9080, protocol: http, proxyPort: 20002, appPort: 30002}]}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: ratings-1, namespace: default}, spec: {app: ratings, version: v1, address: 127.0.0.1, outboundPort: 15003, ports: [{number: 9080, protocol: http, proxyPort: 20003, appPort: 30003}]}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: details-1, namespace: default}, spec: {app: details, version: v1, address: 127.0.0.1, outboundPort: 15004, ports: [{number: 9080, protocol: http, proxyPort: 20004, appPort: 30004}]}}
`

// A real Envoy accepts what each file of Istio's samples, unmodified, becomes.
func TestEnvoyAcceptsSamples(t *testing.T) {
	binary := envoytest.Binary(t)
	files, err := filepath.Glob("../../shared/samples/bookinfo/*/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("../../shared/samples/bookinfo: %d files (%v)", len(files), err)
	}
	files = append(files, "../examples/shop/*.yaml")
	accepted := map[string]bool{} // many files say nothing to most proxies
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			g := flow.New(flow.Options{})
			objects := flow.NewSource[api.Object](g, "objects")
			rows := translate.New(objects.Collection, translate.Options{TrustDomain: "mesh.test"})
			compiled := compile.New(g, wiring.Inputs(rows), compile.Options{TrustDomain: "mesh.test"})
			g.Commit(func(tx *flow.Tx) {
				for _, text := range append(read(t, file), instances) {
					for _, o := range parse(t, text) {
						objects.Set(tx, o)
					}
				}
			})
			for _, w := range model.Workloads(rows.Replicas.All()) {
				v := compiled.View(w.Key(), "")
				if content := contentOf(v); !accepted[content] {
					compile.Validate(t, binary, v)
					accepted[content] = true
				}
			}
			for _, p := range compiled.Problems.All() {
				for _, q := range rows.Problems.All() {
					if p.Object == q.Object && p.Path == q.Path && p.Code == q.Code {
						t.Errorf("told twice: %s: %s; %s", p.Object, p.Message, q.Message)
					}
				}
			}
		})
	}
}

// contentOf is all that Envoy sees of a view.
func contentOf(v *model.View) string {
	var b strings.Builder
	for kind := range model.NumTypes {
		for r := range v.All(kind) {
			fmt.Fprintf(&b, "%v %s %x\n", r.Type, r.Name, r.Version)
		}
	}
	return b.String()
}

func read(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no such file", pattern)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

func parse(t *testing.T, text string) []api.Object {
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
			continue // a Deployment and such
		}
		if info, _ := o.Kind.Info(); o.Namespace == "" && info.Namespaced {
			o.Namespace = "default"
		}
		o.Created = time.Unix(int64(1_000_000+len(all)), 0)
		all = append(all, o)
	}
	return all
}
