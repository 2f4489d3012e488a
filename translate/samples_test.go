package translate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft.dev/model"
)

// samples of Istio, which lie beside the repository.
const samples = "../../shared/samples/bookinfo"

// expected are the problems that a sample does have; every other is a mistake
// of this package.
var expected = map[string][]string{
	"networking/fault-injection-details-v1.yaml": {"VirtualService default/details spec.http[1]: Unreachable"},
	"networking/certmanager-gateway.yaml":        {"VirtualService istio-system/cert-manager spec.http[0].route[0].destination.host: MissingService"},
}

func TestSamples(t *testing.T) {
	var files []string
	for _, folder := range []string{"networking", "gateway-api"} {
		found, err := filepath.Glob(filepath.Join(samples, folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) != 27 {
		t.Fatalf("%d samples in %s, want 27: `shared` belongs beside the repository", len(files), samples)
	}
	for _, file := range files {
		name, _ := filepath.Rel(samples, file)
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			for _, base := range []string{
				"platform/kube/bookinfo.yaml", "platform/kube/bookinfo-versions.yaml", "networking/destination-rule-all.yaml", name,
			} {
				m.set(parse(t, read(t, filepath.Join(samples, base)))...)
			}
			var got []string
			for _, p := range m.Problems.All() {
				got = append(got, strings.TrimSuffix(line(p), ": "+p.Message))
			}
			if !slices.Equal(got, expected[name]) {
				t.Errorf("problems\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(expected[name], "\n"))
			}
			check(t, m, name)
		})
	}
}

// check that every route of the sample arrived, and leads somewhere.
func check(t *testing.T, m mesh, name string) {
	wanted := strings.Count(read(t, filepath.Join(samples, name)), "kind: VirtualService") +
		strings.Count(read(t, filepath.Join(samples, name)), "kind: HTTPRoute")
	tables := m.Routes.All()
	if len(tables) != wanted {
		t.Errorf("%d route tables, want %d", len(tables), wanted)
	}
	for _, table := range tables {
		for _, rule := range table.Rules {
			for _, b := range rule.Backends {
				if b.Invalid != "" && len(expected[name]) == 0 || b.Port == 0 && b.Host != model.HostOf("istio-system", "cert-manager-resolver") {
					t.Errorf("%s: %s:%d is not usable: %s", rule.Origin, b.Host, b.Port, b.Invalid)
				}
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
