package pin

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// Named is a ConfigMap or a Secret that manifests mention.
type Named struct{ Kind, Name string }

// references are the fields of a pod that name one, and the field of them that has the name.
var references = map[string]struct{ kind, name string }{
	"configMapRef":    {"ConfigMap", "name"},
	"configMapKeyRef": {"ConfigMap", "name"},
	"configMap":       {"ConfigMap", "name"},
	"secretRef":       {"Secret", "name"},
	"secretKeyRef":    {"Secret", "name"},
	"secret":          {"Secret", "secretName"},
}

// maxNamed of them are kept, of each version.
const maxNamed = 100

// Mentioned are the ConfigMaps and Secrets that instances made of manifests, YAML documents, read; sorted.
// Documents that cannot be read mention nothing: nothing could be started from them either.
func Mentioned(manifests []byte) []Named {
	var all []Named
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(manifests)), 4096)
	for {
		var document any
		if decoder.Decode(&document) != nil {
			break
		}
		walk(document, func(field string, value any) {
			object, _ := value.(map[string]any)
			if r, ok := references[field]; ok && text(object[r.name]) != "" {
				all = append(all, Named{r.kind, text(object[r.name])})
			}
			if source, isProjected := object["secret"].(map[string]any); isProjected && text(source["name"]) != "" {
				all = append(all, Named{"Secret", text(source["name"])})
			}
		})
	}
	slices.SortFunc(all, func(a, b Named) int { return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name) })
	all = slices.Compact(all)
	return all[:min(len(all), maxNamed)]
}

// Leads reports whether an object of RouteKinds is about the traffic of a service.
func Leads(o map[string]any, namespace, service string) bool {
	names := []string{service, service + "." + namespace, service + "." + namespace + ".svc", service + "." + namespace + ".svc.cluster.local"}
	found := false
	is := func(v any) { found = found || slices.Contains(names, text(v)) }
	walk(o["spec"], func(field string, value any) {
		switch field {
		case "host", "service":
			is(value)
		case "hosts":
			each(value, is)
		case "backendRefs", "parentRefs":
			each(value, func(ref any) {
				object, _ := ref.(map[string]any)
				if kind := text(object["kind"]); kind == "" && field == "backendRefs" || kind == "Service" {
					is(object["name"])
				}
			})
		}
	})
	return found
}

func each(list any, do func(any)) {
	all, _ := list.([]any)
	for _, one := range all {
		do(one)
	}
}

// walk visits every field of a tree; those of a list have the list's name.
func walk(tree any, visit func(field string, value any)) {
	switch tree := tree.(type) {
	case map[string]any:
		for field, value := range tree {
			visit(field, value)
			walk(value, visit)
		}
	case []any:
		for _, value := range tree {
			visit("", value)
			walk(value, visit)
		}
	}
}
