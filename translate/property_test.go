package translate_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate"
	"weft.dev/translate/object"
)

// corpus are the objects of all goldens.
func corpus(t testing.TB) []api.Object {
	t.Helper()
	var all []api.Object
	for _, text := range documents(t) {
		all = append(all, parse(t, text)...)
	}
	return all
}

func documents(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("*/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d goldens found: %v", len(files), err)
	}
	var all []string
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq("\n"+string(archive.Files[0].Data), "\n---") {
			all = append(all, document)
		}
	}
	return all
}

// TestIncremental: whatever the order of changes, the rows are those that the
// last objects alone give.
func TestIncremental(t *testing.T) {
	pool := corpus(t)
	rapid.Check(t, func(t *rapid.T) {
		changed := newMesh()
		last := map[string]api.Object{}
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			picks := rapid.SliceOfN(rapid.IntRange(0, len(pool)-1), 1, 12).Draw(t, "picks")
			drop := rapid.Bool().Draw(t, "drop")
			changed.graph.Commit(func(tx *flow.Tx) {
				for _, i := range picks {
					o := pool[i]
					if _, have := last[o.Key()]; have && drop {
						changed.objects.Delete(tx, o.Key())
						delete(last, o.Key())
						continue
					}
					changed.objects.Set(tx, o)
					last[o.Key()] = o
				}
			})
		}
		fresh := newMesh()
		fresh.set(slices.Collect(maps.Values(last))...)
		same(t, "services", changed.Services, fresh.Services)
		same(t, "policies", changed.Policies, fresh.Policies)
		same(t, "splits", changed.Splits, fresh.Splits)
		same(t, "gateways", changed.Gateways, fresh.Gateways)
		same(t, "routes", changed.Routes, fresh.Routes)
		same(t, "rate limits", changed.RateLimits, fresh.RateLimits)
		same(t, "peers", changed.PeerAuths, fresh.PeerAuths)
		same(t, "envoy filters", changed.EnvoyFilters, fresh.EnvoyFilters)
		same(t, "egresses", changed.Egresses, fresh.Egresses)
		same(t, "inbounds", changed.Inbounds, fresh.Inbounds)
		same(t, "declared", changed.Declared, fresh.Declared)
		same(t, "problems", changed.Problems, fresh.Problems)
		checkLaws(t, changed)
	})
}

func same[V flow.Row[V]](t *rapid.T, name string, a, b *flow.Collection[V]) {
	if !reflect.DeepEqual(a.All(), b.All()) {
		t.Fatalf("%s differ: incremental\n%+v\nfrom scratch\n%+v", name, a.All(), b.All())
	}
}

// checkLaws: what compile relies on.
func checkLaws(t *rapid.T, m mesh) {
	for _, table := range m.Routes.All() {
		for _, rule := range table.Rules {
			for _, b := range rule.Backends {
				if b.Invalid != "" {
					continue
				}
				s, ok := m.Services.Get(b.Host)
				if _, has := s.Port(b.Port); !ok || !has && b.Port != 0 {
					t.Fatalf("%s: %s:%d is no port of a service", rule.Origin, b.Host, b.Port)
				}
			}
		}
		for _, host := range table.Hosts {
			if s, ok := m.Services.Get(host); ok && slices.Contains(table.Gateways, model.Mesh) && s.Namespace != table.Object.Namespace && !visits(table) {
				t.Fatalf("%s routes %s, which belongs to %s", table.Object, host, s.Namespace)
			}
		}
	}
	for _, s := range m.Services.All() {
		if s.Resolution == model.ByWorkload && len(s.Selector) == 0 {
			t.Fatalf("%s would select every workload", s.Host)
		}
	}
}

// visits says whether a table is for calls of its own namespace alone.
func visits(table model.RouteTable) bool {
	return table.Visiting && !slices.ContainsFunc(table.Rules, func(r model.Rule) bool {
		return len(r.Matches) == 0 || slices.ContainsFunc(r.Matches, func(m model.Match) bool { return m.SourceNamespace != table.Object.Namespace })
	})
}

// TestMutants: no object can stop the translation, whatever is missing or wrong in it.
func TestMutants(t *testing.T) {
	var trees []any
	for _, text := range documents(t) {
		var tree any
		if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	rapid.Check(t, func(t *rapid.T) {
		tree := rapid.SampledFrom(trees).Draw(t, "object")
		text, err := json.Marshal(mutate(t, tree, 0))
		if err != nil {
			t.Fatal(err)
		}
		survive(t, text)
	})
}

// mutate changes about one node in ten.
func mutate(t *rapid.T, node any, depth int) any {
	if depth > 1 && rapid.IntRange(0, 9).Draw(t, "change") == 0 {
		return rapid.SampledFrom([]any{
			nil, "", "*", "a.b", "((", "1s", "-1s", "99999999999s", strings.Repeat("a", object.MaxRegex+1), "%", "\n", 0, -1, 1, 65536, 1e9,
			true, []any{}, []any{nil}, map[string]any{}, map[string]any{"": nil}, "STRICT", "UNKNOWN",
		}).Draw(t, "value")
	}
	switch node := node.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			out[key] = mutate(t, node[key], depth+1)
		}
		return out
	case []any:
		var out []any
		for _, v := range node {
			out = append(out, mutate(t, v, depth+1))
		}
		return out
	}
	return node
}

type failer interface {
	Fatalf(format string, args ...any)
}

func survive(t failer, text []byte) {
	o, err := api.Decode(text)
	if err != nil {
		return
	}
	part := translate.Object(o, translate.Options{TrustDomain: "shop.example"})
	for _, p := range part.Problems {
		if p.Message == "" || p.Code == "" || len(p.Message) > 2*object.MaxString {
			t.Fatalf("a problem that says nothing, or too much: %+v", p)
		}
	}
	m := newMesh()
	m.set(o)
	if n := m.Problems.Len(); n > 4*object.MaxProblems {
		t.Fatalf("%d problems", n)
	}
}

// FuzzObject: no text can stop the translation.
func FuzzObject(f *testing.F) {
	for _, text := range documents(f) {
		j, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(j)
	}
	f.Fuzz(func(t *testing.T, text []byte) { survive(t, text) })
}
