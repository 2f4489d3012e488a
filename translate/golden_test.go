package translate_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate"
	"weft.dev/translate/join"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// mesh is a graph with objects in it.
type mesh struct {
	*join.Mesh
	graph    *flow.Graph
	statuses *flow.Collection[join.Status]
	objects  *flow.Source[api.Object]
	pods     *flow.Source[model.Pod]
}

func newMesh() mesh {
	g := flow.New(flow.Options{})
	objects := flow.NewSource[api.Object](g, "objects")
	m := mesh{graph: g, objects: objects, pods: flow.NewSource[model.Pod](g, "kube/pods")}
	m.Mesh = translate.New(objects.Collection, translate.Options{TrustDomain: "shop.example", Pods: m.pods.Collection})
	m.statuses = m.Statuses(nil)
	return m
}

func (m mesh) set(all ...api.Object) {
	m.graph.Commit(func(tx *flow.Tx) {
		for _, o := range all {
			m.objects.Set(tx, o)
		}
	})
}

func (m mesh) setPods(t testing.TB, text []byte) {
	t.Helper()
	var given []struct {
		Name, Address  string
		Ready, Leaving bool
		model.PodTemplate
	}
	if err := yaml.UnmarshalStrict(text, &given); err != nil {
		t.Fatal(err)
	}
	pods := make([]model.Pod, len(given))
	for i, p := range given {
		one := model.Instance{Workload: p.Namespace + "/" + p.Name, Address: p.Address, Health: model.Unhealthy}
		switch {
		case p.Leaving:
			one.Health = model.Draining
		case p.Ready:
			one.Health = model.Healthy
		}
		pods[i] = model.Pod{Instance: &one, PodTemplate: model.NewPodTemplate(p.PodTemplate)}
	}
	m.graph.Commit(func(tx *flow.Tx) { m.pods.Replace(tx, "pods", pods) })
}

// parse reads the documents of a YAML file. Objects without a namespace are of
// "default"; each is a second older than the next.
func parse(t testing.TB, text string) []api.Object {
	t.Helper()
	var all []api.Object
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		j, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if string(j) == "null" {
			continue
		}
		o, err := api.Decode(j)
		if err != nil {
			if strings.Contains(err.Error(), "does not accept this kind") {
				continue // Deployments and such of the samples
			}
			t.Fatalf("%v in\n%s", err, document)
		}
		if info, _ := o.Kind.Info(); o.Namespace == "" && info.Namespaced {
			o.Namespace = "default"
		}
		if o.Created.IsZero() {
			o.Created = time.Unix(int64(1_000_000+len(all)), 0)
		}
		all = append(all, o)
	}
	return all
}

// TestGolden reads testdata of all translators. The comment of a case says what
// it is about, and with "show: routes problems" which rows it expects.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("*/testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d goldens found: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.ReplaceAll(file, "/testdata/", "/"), ".txtar"), func(t *testing.T) { golden(t, file) })
	}
}

func golden(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, show, found := strings.Cut(string(archive.Comment), "show:")
	last := len(archive.Files) - 1
	if !found || last < 1 || last > 2 {
		t.Fatal("a case is a comment with show:, objects.yaml, perhaps pods.yaml, and want")
	}
	m := newMesh()
	m.set(parse(t, string(archive.Files[0].Data))...)
	if last == 2 {
		m.setPods(t, archive.Files[1].Data)
	}
	var got strings.Builder
	for word := range strings.FieldsSeq(show) {
		got.WriteString(m.show(t, word))
	}
	if *update {
		archive.Files[last].Data = []byte(got.String())
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(archive.Files[last].Data); got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func (m mesh) show(t *testing.T, word string) string {
	t.Helper()
	switch word {
	case "problems":
		var out strings.Builder
		for _, p := range m.Problems.All() {
			fmt.Fprintln(&out, line(p))
		}
		return out.String()
	case "services":
		return rowsText(t, m.Services.All())
	case "workloads":
		return rowsText(t, model.Workloads(m.Replicas.All()))
	case "policies":
		return rowsText(t, m.Policies.All())
	case "splits":
		return rowsText(t, m.Splits.All())
	case "fallbacks":
		return rowsText(t, m.Fallbacks.All())
	case "concurrencies":
		return rowsText(t, m.Concurrencies.All())
	case "statuses":
		return m.statusText()
	case "gateways":
		return rowsText(t, m.Gateways.All())
	case "gateway-pods":
		return rowsText(t, m.GatewayPods.All())
	case "certificates": // who trusts whom; what Secrets hold is in TestSecrets
		var out strings.Builder
		for _, c := range m.Certificates.All() {
			fmt.Fprintf(&out, "%s: %d certificates, %d authorities\n", c.Name, strings.Count(string(c.Chain), "BEGIN"), strings.Count(string(c.CA), "BEGIN"))
		}
		return out.String()
	case "routes":
		return rowsText(t, m.Routes.All())
	case "ratelimits":
		return rowsText(t, m.RateLimits.All())
	case "peers":
		return rowsText(t, m.PeerAuths.All())
	case "plugins":
		return rowsText(t, m.Plugins.All())
	case "telemetries":
		return rowsText(t, m.Telemetries.All())
	case "tokens":
		return rowsText(t, m.RequestAuths.All())
	case "authorizers":
		return rowsText(t, m.Authorizers.All())
	case "envoy-filters":
		return rowsText(t, m.EnvoyFilters.All())
	case "authorizations":
		return rowsText(t, m.Authorizations.All())
	case "egresses":
		return rowsText(t, m.Egresses.All())
	case "inbounds":
		return rowsText(t, m.Inbounds.All())
	case "declared":
		return rowsText(t, m.Declared.All())
	case "origins":
		var out strings.Builder
		for _, table := range m.Routes.All() {
			for _, rule := range table.Rules {
				fmt.Fprintln(&out, rule.Origin)
			}
		}
		return out.String()
	}
	t.Fatalf("show: %q is not known", word)
	return ""
}

func (m mesh) statusText() string {
	var out strings.Builder
	said := func(indent string, all []metav1.Condition) {
		for _, c := range all {
			fmt.Fprintf(&out, "%s%s=%s %s\n", indent, c.Type, c.Status, strings.TrimSpace(c.Reason+" "+c.Message))
		}
	}
	for _, s := range m.statuses.All() {
		fmt.Fprintf(&out, "%s generation %d\n", s.Object, s.Generation)
		said("  ", s.Conditions)
		for _, a := range s.Addresses {
			fmt.Fprintf(&out, "  at %s %s\n", *a.Type, a.Value)
		}
		for _, l := range s.Listeners {
			fmt.Fprintf(&out, "  listener %s: %d routes, %d kinds\n", l.Name, l.AttachedRoutes, len(l.SupportedKinds))
			said("    ", l.Conditions)
		}
		for _, a := range s.Ancestors {
			fmt.Fprintf(&out, "  at %s\n", a.Gateway)
			said("    ", a.Conditions)
		}
		for _, p := range s.Parents {
			fmt.Fprintf(&out, "  parent %d\n", p.Index)
			said("    ", p.Conditions)
		}
	}
	return out.String()
}

func line(p model.Problem) string {
	return strings.TrimSuffix(p.Object.String()+" "+p.Path, " ") + ": " + p.Code + ": " + p.Message
}

func rowsText[V flow.Row[V]](t *testing.T, rows []V) string {
	t.Helper()
	var out strings.Builder
	for _, row := range rows {
		text, err := yaml.Marshal(compact(reflect.ValueOf(row)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s:\n", row.Key())
		for l := range strings.Lines(string(text)) {
			out.WriteString("  " + l)
		}
	}
	return out.String()
}

// compact leaves out what is zero, and where it came from.
func compact(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return compact(v.Elem())
	case reflect.Map:
		entries := map[string]any{}
		for _, key := range v.MapKeys() {
			entries[fmt.Sprint(key)] = compact(v.MapIndex(key))
		}
		return entries
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Type().Field(i).Anonymous {
				maps.Copy(fields, compact(v.Field(i)).(map[string]any))
				continue
			}
			if !v.Field(i).IsZero() && !slices.Contains([]string{"From", "Origin", "Object", "Rank"}, name) || name == "From" && v.Type() == reflect.TypeFor[model.AuthzRule]() && v.Field(i).Len() > 0 {
				fields[name] = compact(v.Field(i))
			}
		}
		return fields
	case reflect.Slice:
		if text, ok := v.Interface().([]byte); ok {
			return fmt.Sprintf("%d certificates", strings.Count(string(text), "BEGIN CERTIFICATE"))
		}
		list := []any{}
		for i := range v.Len() {
			list = append(list, compact(v.Index(i)))
		}
		return list
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return v.Interface()
}
