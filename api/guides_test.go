package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// What guides show is taken as it stands.
func TestGuides(t *testing.T) {
	pages, err := filepath.Glob("../docs/guides/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%v: no guides", err)
	}
	objects := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlock.FindAllSubmatch(text, -1) {
			for _, document := range strings.Split(string(block[1]), "\n---\n") {
				if !strings.HasPrefix(document, "apiVersion: weft.dev/") && !strings.Contains(document, "\napiVersion: weft.dev/") {
					continue
				}
				objects++
				body, err := yaml.YAMLToJSONStrict([]byte(document))
				o := Object{}
				if err == nil {
					o, err = Decode(body)
				}
				if err != nil || o.Err != "" {
					t.Errorf("%s: %v%s:\n%s", page, err, o.Err, document)
				}
			}
		}
	}
	if objects < 2 {
		t.Errorf("%d objects: the pages have more", objects)
	}
}
