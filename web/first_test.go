package web

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"weft.dev/api/v1alpha1"
)

// What a new pipeline begins with is one, of its name, whatever YAML would make of that.
func TestFirstText(t *testing.T) {
	for first := range beginnings {
		for _, name := range []string{"ship", "true"} {
			text, err := FirstText("shop", name, first)
			if err != nil {
				t.Fatal(err)
			}
			var o v1alpha1.Pipeline
			if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil || o.Name != name || o.Namespace != "shop" || len(o.Spec.Stages) == 0 {
				t.Errorf("%s %s: %v\n%s", first, name, err, text)
			}
			if app := o.Spec.Application; app != "" && app != name {
				t.Errorf("%s %s: of %s", first, name, app)
			}
		}
	}
	if _, err := FirstText("shop", "ship", "nothing"); err == nil || !strings.Contains(err.Error(), "there are deploy and empty") {
		t.Errorf("of nothing: %v", err)
	}
}
