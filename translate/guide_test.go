package translate_test

import (
	"os"
	"regexp"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// What guides show of policies has its whole effect, where the services are that it names.
func TestGuides(t *testing.T) {
	services := `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {selector: {app: reviews}, ports: [{port: 9080, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: top-cache, namespace: shop}
spec: {selector: {app: top-cache}, ports: [{port: 9080, name: http}]}
`
	for _, name := range []string{"resilience", "plugins", "protocols"} {
		page, err := os.ReadFile("../docs/guides/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		blocks := yamlBlock.FindAllSubmatch(page, -1)
		if len(blocks) == 0 {
			t.Errorf("%s: no YAML", name)
		}
		for _, block := range blocks {
			m := newMesh()
			m.set(parse(t, services+"---\n"+string(block[1]))...)
			for _, p := range m.Problems.All() {
				t.Errorf("%s: %s", name, line(p))
			}
		}
	}
}
