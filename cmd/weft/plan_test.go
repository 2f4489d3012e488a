package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const exampleRepository = "../../examples/repository"

// planFor plans a folder, against another one.
func planFor(t *testing.T, dir, against string) plan {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	before, err := rehearse(t.Context(), against, streetOptions{}, log)
	if err != nil {
		t.Fatal(err)
	}
	after, err := rehearse(t.Context(), dir, streetOptions{}, log)
	if err != nil {
		t.Fatal(err)
	}
	return planOf(before, after, true)
}

// edited is a copy of the example in which one line of a file is another.
func edited(t *testing.T, file, old, now string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(exampleRepository)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, file)
	text, err := os.ReadFile(name)
	if err != nil || strings.Count(string(text), old) != 1 {
		t.Fatalf("%s: %q is %d times in it, want 1 (%v)", name, old, strings.Count(string(text), old), err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), old, now, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The words of the library for weft's own kinds make objects that hold.
func TestLibraryOfTheExample(t *testing.T) {
	dir := edited(t, "mesh.jsonnet", "+ [weft.caller", `+ [
  { apiVersion: 'v1', kind: 'Service', metadata: { name: 'frontend', namespace: 'shop' }, spec: { selector: { app: 'frontend' }, ports: [{ port: 80, name: 'http' }] } },
  weft.resilience('frontend', 'shop', { timeout: '2s', retries: 1, paths: [{ prefix: '/slow', timeout: '30s' }] }),
  weft.limits('frontend', 'shop', [weft.limit('all', 100), weft.limit('tenant', 5, 'minute', { header: 'x-tenant' })]),
]
+ [weft.caller`)
	p := planFor(t, dir, exampleRepository)
	if len(p.Problems) != 0 || !slices.ContainsFunc(p.Changes, func(c change) bool { return c.What == "service" }) {
		t.Errorf("changes %v, problems %v; want a service and no problem", p.Changes, p.Problems)
	}
	limits := edited(t, "mesh.jsonnet", "+ [weft.caller", "+ [weft.limits('frontend', 'shop', [weft.limit('all', 0)])]\n+ [weft.caller")
	if p := planFor(t, limits, exampleRepository); len(p.Problems) == 0 {
		t.Error("a limit of no requests is no problem")
	}
}

func TestPlanOfTheExample(t *testing.T) {
	p := planFor(t, exampleRepository, "")
	services := 0
	for _, c := range p.Changes {
		if c.What == "service" && c.Change == "added" {
			services++
		}
	}
	if services != 100 || len(p.Problems) != 0 {
		t.Errorf("%d services are added, want 100; problems: %v", services, p.Problems)
	}
	again := planFor(t, edited(t, "mesh.jsonnet", "// Everything", "// All\n// Everything"), exampleRepository)
	if len(again.Changes) != 0 || again.Diff != "" {
		t.Errorf("a comment in another folder changes %v\n%s", again.Changes, again.Diff)
	}
}

func TestPlanOfATimeout(t *testing.T) {
	line := "name: 'api', address: '10.20.0.2', timeout: "
	p := planFor(t, edited(t, "services.libsonnet", line+"'2s'", line+"'9s'"), exampleRepository)
	if len(p.Changes) != 1 || len(p.Problems) != 0 {
		t.Fatalf("want one change and no problem, got %v, %v", p.Changes, p.Problems)
	}
	c := p.Changes[0]
	if c.Change != "changed" || c.What != "route" || !strings.Contains(c.Name, "cart-api.example.com") || !slices.Equal(c.Proxies, []string{"shop/frontend"}) {
		t.Errorf("got %v, want the route of cart-api changed for shop/frontend", c)
	}
	if !strings.Contains(p.Diff, "-    timeout: 2s\n+    timeout: 9s\n") || strings.Count(p.Diff, "\n@@") != 1 {
		t.Errorf("the diff is\n%s", p.Diff)
	}
}

func TestPlanOfWhatIsWrong(t *testing.T) {
	broken := edited(t, "lib/weft.libsonnet", "host: host,\n      trafficPolicy", "hosts: host,\n      trafficPolicy")
	if p := planFor(t, broken, exampleRepository); len(p.Problems) < 100 {
		t.Errorf("want a problem for each breaker, got %d", len(p.Problems))
	}
	if code := run(t.Context(), []string{"plan", broken, "-o", "json"}); code != exitFindings {
		t.Errorf("code %d, want %d", code, exitFindings)
	}
	if code := run(t.Context(), []string{"plan", exampleRepository, "-o", "json"}); code != exitOK {
		t.Errorf("code %d, want %d", code, exitOK)
	}
}
