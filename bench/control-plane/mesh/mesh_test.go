package mesh

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// count is how often a text stands in the files that a server reads.
func count(t *testing.T, f Files, text string) (n int) {
	err := filepath.WalkDir(f.Config(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		n += strings.Count(string(b), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWrite(t *testing.T) {
	m := Mesh{Services: 30, Endpoints: 4, SplitEvery: 10, Scopes: []Scope{{Namespace: "default"}, {Namespace: "n0", Services: []int{3, 4}}}}
	f, err := m.Write(filepath.Join(t.TempDir(), "mesh"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		"kind: ServiceEntry": 30, "- {address: ": 120, "kind: DestinationRule": 3, "kind: VirtualService": 3, "kind: Sidecar": 2,
		`hosts: ["*/*"]`: 1, "default/" + Host(3) + ", default/" + Host(4): 1, "address: 10.0.0.120,": 1, "{i}": 0, "{lo}": 0,
	} {
		if got := count(t, f, text); got != want {
			t.Errorf("%d times %q, want %d", got, text, want)
		}
	}
	for template, of := range map[string]string{f.EndpointTemplate(Hot): f.Service(Hot), f.LabelTemplate(Witness): f.Service(Witness), f.RouteTemplate(): f.Route()} {
		changed, err := os.ReadFile(template)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(changed), "{i}") && !strings.Contains(string(changed), "{lo}") {
			t.Errorf("%s is always the same", template)
		}
		if _, err := os.Stat(of); err != nil {
			t.Errorf("%s is a template of nothing: %v", template, err)
		}
	}
	if _, err := (Mesh{Services: 2}).Write(f.Dir); err == nil {
		t.Error("a mesh without services to change is written")
	}
}
