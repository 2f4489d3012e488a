package compile_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/test/selfsigned"
	"weft.dev/test/wiring"
	"weft.dev/translate"
	"weft.dev/translate/join"
)

// tenantMesh is a mesh of objects whose proxies of the namespace shop know the
// services of it.
type tenantMesh struct {
	graph   *flow.Graph
	objects *flow.Source[api.Object]
	known   *flow.Source[model.Known]
	cohorts *flow.Collection[model.Cohort]
	rows    *join.Mesh
	*compile.Compiled
}

func newTenantMesh() *tenantMesh {
	g := flow.New(flow.Options{})
	m := &tenantMesh{graph: g, objects: flow.NewSource[api.Object](g, "objects"), known: flow.NewSource[model.Known](g, "known")}
	rows := translate.New(m.objects.Collection, translate.Options{TrustDomain: "mesh.test"})
	in := wiring.Inputs(rows)
	in.Known = m.known.Collection
	m.rows, m.cohorts = rows, in.Cohorts
	m.Compiled = compile.New(g, in, compile.Options{TrustDomain: "mesh.test"})
	return m
}

// holding is the mesh with the shop in it.
func holding(shop []api.Object) *tenantMesh {
	m := newTenantMesh()
	m.commit(shop, nil)
	var hosts []string
	for _, s := range m.rows.Services.All() {
		hosts = append(hosts, s.Host)
	}
	m.graph.Commit(func(tx *flow.Tx) {
		for _, c := range m.cohorts.All() {
			m.known.Set(tx, model.Known{Cohort: c.ID, Hosts: hosts})
		}
	})
	return m
}

func (m *tenantMesh) commit(set, gone []api.Object) {
	m.graph.Commit(func(tx *flow.Tx) {
		for _, o := range gone {
			m.objects.Delete(tx, o.Key())
		}
		for _, o := range set {
			m.objects.Set(tx, o)
		}
	})
}

// views are what Envoy sees of each proxy of a namespace, and what a call to each
// of some names adds to it; and which proxies a cluster is to run there.
func (m *tenantMesh) views(namespace string) map[string]string {
	all := map[string]string{}
	for _, w := range model.Workloads(m.rows.Replicas.All()) {
		if w.Namespace != namespace {
			continue
		}
		for _, called := range []string{"", "reviews", "reviews.shop:9080", "ratings.shop.svc", "10.96.0.5:9080", "api.example.com"} {
			all[w.Key()+" "+called] = contentOf(m.View(w.Key(), called))
		}
	}
	for _, p := range m.rows.GatewayPods.All() {
		if p.Namespace == namespace {
			all["pods of "+p.Key()] = fmt.Sprintf("%+v", p)
		}
	}
	return all
}

// Whatever another namespace writes, the proxies of the shop are told the same:
// objects of every kind, those of the goldens with the shop's names in them, and
// the ways in that are known. What namespaces share is not among it: a host outside
// of the mesh is that of the oldest ServiceEntry.
func TestTenants(t *testing.T) {
	shop := parse(t, readOne(t, "testdata/tenants/shop.yaml"))
	m := holding(append(shop, certificate(t)))
	before := m.views("shop")
	if !strings.Contains(before["shop/front-1 "], "Secret shop/shop-tls ") {
		t.Fatalf("the shop's own gateway has no certificate:\n%s", before["shop/front-1 "])
	}
	if len(before) < 5*5 {
		t.Fatalf("only %d views", len(before))
	}
	r := rand.New(rand.NewPCG(1, 0))
	known := documentsOf(readOne(t, "testdata/tenants/known.yaml"))
	for i, document := range known {
		o := hostile(t, r, document, i)
		if o.Kind == "" {
			t.Fatalf("cannot be read: %v", document)
		}
		m.intrude(t, before, append(thieves(t), o))
	}
	pool, intruded := goldenDocuments(t), 0
	for range 600 {
		var all []api.Object
		for i := range 1 + r.IntN(6) {
			document := pool[r.IntN(len(pool))]
			if r.IntN(3) == 0 {
				document = known[r.IntN(len(known))]
			}
			all = append(all, hostile(t, r, mixed(r, document), i))
		}
		all = slices.DeleteFunc(all, func(o api.Object) bool { return o.Kind == "" })
		if intruded += len(all); r.IntN(2) == 0 {
			all = append(thieves(t), all...)
		}
		m.intrude(t, before, all)
	}
	if intruded < 1000 {
		t.Errorf("only %d objects could be read", intruded)
	}
}

// thieves are proxies of the other namespace that would show the shop's certificate, if they had it.
func thieves(t *testing.T) []api.Object {
	return parse(t, `{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: thief-1, namespace: evil}, spec: {gateway: thief, address: 10.1.0.7}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: front-1, namespace: evil}, spec: {gateway: front, address: 10.1.0.8}}
---
{apiVersion: weft.dev/v1alpha1, kind: Workload, metadata: {name: web-1, namespace: evil}, spec: {app: web, address: 10.1.0.9, outboundPort: 15001}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: evil}, spec: {selector: {app: web}, ports: [{name: http, port: 80}]}}`)
}

// intrude adds objects and compares views, then takes them away.
func (m *tenantMesh) intrude(t *testing.T, before map[string]string, all []api.Object) {
	t.Helper()
	m.commit(all, nil)
	after := m.views("shop")
	for key := range after {
		if _, there := before[key]; !there {
			t.Fatalf("there is a %s now, for %v", key, all)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if before[key] != after[key] {
			var text []string
			for _, o := range all {
				body, _ := yaml.Marshal(o)
				text = append(text, string(body))
			}
			t.Fatalf("%s is told something else for\n%s\n%s", key, strings.Join(text, "---\n"), difference(before[key], after[key]))
		}
	}
	for key, view := range m.views("evil") {
		if strings.Contains(view, "Secret shop/") || strings.Contains(view, "Secret credential/shop/") {
			t.Fatalf("%s is told a secret of the shop:\n%s", key, view)
		}
	}
	m.commit(nil, all)
}

// certificate is one of the shop's own.
func certificate(t *testing.T) api.Object {
	t.Helper()
	chain, key := selfsigned.Pair(t, "www.example.org")
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "shop-tls", "namespace": "shop"}, "type": "kubernetes.io/tls",
		"data": map[string][]byte{"tls.crt": chain, "tls.key": key},
	})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(body))[0]
}

func difference(before, after string) (text string) {
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			text += "-" + line
		}
	}
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			text += "+" + line
		}
	}
	return text
}

// hostile is an object of the other namespace, older or younger than the shop's.
func hostile(t *testing.T, r *rand.Rand, tree map[string]any, i int) api.Object {
	t.Helper()
	body, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	o, err := api.Decode(body)
	if err != nil {
		return api.Object{} // its kind is none of ours, or a value is of the wrong type
	}
	if info, _ := o.Kind.Info(); !info.Namespaced {
		return api.Object{} // no tenant's
	}
	if spec, ok := o.Spec.(*networking.Gateway); ok && slices.ContainsFunc(slices.Collect(maps.Values(spec.Selector)), func(v string) bool { return v == "gw" || v == "front" }) {
		return api.Object{} // a proxy serves whoever selects it: TestSharedGateway
	}
	o.Namespace = "evil"
	o.Created = time.Unix(int64(2_000_000+i), 0)
	if o.Kind != api.ServiceEntry && r.IntN(2) == 0 {
		o.Created = time.Unix(int64(1000+i), 0)
	}
	return o
}

// shopNames are what an intruder may put anywhere.
var shopNames = []any{
	"reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local", "ratings.shop", "db.shop.svc.cluster.local", "*.shop.svc.cluster.local", "*.svc.cluster.local", "*.local", "*",
	"shop", "evil", "shop/gw", "gw", "shop/front", "front", "mesh", "api.example.com", "*.example.com", "www.example.org", "*.example.org", "shop-tls", "web", "v1", "10.96.0.7", "Service", "Gateway", float64(80), float64(9080), float64(5432),
}

// mixed puts the shop's names into a copy of an object.
func mixed(r *rand.Rand, tree map[string]any) map[string]any {
	out := mixedNode(r, tree, 0).(map[string]any)
	return out
}

func mixedNode(r *rand.Rand, node any, depth int) any {
	switch node := node.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if depth == 0 && (key == "kind" || key == "apiVersion") || key == "creationTimestamp" {
				out[key] = node[key]
				continue
			}
			out[key] = mixedNode(r, node[key], depth+1)
		}
		return out
	case []any:
		var out []any
		for _, v := range node {
			out = append(out, mixedNode(r, v, depth+1))
		}
		return out
	case string:
		for r.IntN(3) == 0 {
			if v, ok := shopNames[r.IntN(len(shopNames))].(string); ok {
				return v
			}
		}
	case float64:
		for r.IntN(3) == 0 {
			if v, ok := shopNames[r.IntN(len(shopNames))].(float64); ok {
				return v
			}
		}
	}
	return node
}

func readOne(t *testing.T, file string) string { return read(t, file)[0] }

func documentsOf(text string) (all []map[string]any) {
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var tree map[string]any
		if yaml.Unmarshal([]byte(document), &tree) == nil && tree != nil {
			all = append(all, tree)
		}
	}
	return all
}

func goldenDocuments(t *testing.T) (all []map[string]any) {
	files, err := filepath.Glob("../translate/*/testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d goldens (%v)", len(files), err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, documentsOf(string(archive.Files[0].Data))...)
	}
	kinds := map[string]int{}
	for _, tree := range all {
		kinds[fmt.Sprint(tree["kind"])]++
	}
	if len(kinds) < 20 {
		t.Fatalf("goldens of few kinds: %v", kinds)
	}
	return all
}
