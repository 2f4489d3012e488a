package bake

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/yaml"
)

// How a kustomization, and the configuration of a plugin, name files: by these
// fields, at any depth, in lower case, since the library does not mind the case.
var (
	bases    = []string{"resources", "bases", "components", "generators", "transformers", "validators"}
	files    = []string{"path", "paths", "files", "env", "envs", "crds", "configurations", "patchesstrategicmerge", "valuesfile"}
	inflates = []string{"helmcharts", "helmchartinflationgenerator", "helmglobals"}
	// anything is what people write for others: it names no file.
	anything = []string{"commonannotations", "annotations", "commonlabels", "labels"}
)

// vetKustomization refuses a kustomization that names what is not in the tree.
func vetKustomization(name string, text []byte) error {
	var k map[string]any
	if err := yaml.Unmarshal(text, &k); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return vet(name, k)
}

// vetPlugins does the same for each configuration of a builtin plugin in a text.
func vetPlugins(name, text string) error {
	if !strings.Contains(text, konfig.BuiltinPluginApiVersion) {
		return nil
	}
	for part := range strings.SplitSeq("\n"+text, "\n---") {
		var config map[string]any
		if yaml.Unmarshal([]byte(part), &config) == nil && config["apiVersion"] == konfig.BuiltinPluginApiVersion {
			if err := vet(name, config); err != nil {
				return err
			}
		}
	}
	return nil
}

func vet(name string, node any) error {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			if err := vet(name, item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if slices.Contains(anything, strings.ToLower(key)) {
				continue
			}
			if err := vetField(name, key, node[key]); err != nil {
				return err
			}
			if err := vet(name, node[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func vetField(name, key string, value any) error {
	field := strings.ToLower(key)
	if slices.Contains(inflates, field) && value != nil {
		return fmt.Errorf("%s: %s: charts are not fetched and not inflated by kustomize here; bake the chart with kind helm", name, key)
	}
	for _, text := range texts(value) {
		switch {
		case slices.Contains(bases, field) && strings.Contains(text, "\n"): // a plugin's configuration in place
			if err := vetPlugins(name, text); err != nil {
				return err
			}
		case slices.Contains(bases, field) && isAddress(text), slices.Contains(files, field) && isURL(text):
			return fmt.Errorf("%s: %s: %.200q is not in the folder, and nothing is fetched; put a copy there and name it by its path", name, key, text)
		}
	}
	return nil
}

// texts are a string, or those of a list.
func texts(value any) (all []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			if text, is := item.(string); is {
				all = append(all, text)
			}
		}
	}
	return all
}

var user = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]*@`)

// isAddress reports whether kustomize might take a base for one of Git: rather too often than once too little.
func isAddress(base string) bool {
	base = strings.ToLower(strings.TrimSpace(base))
	return isURL(base) || strings.Contains(base, "::") || strings.HasPrefix(base, "github.com/") || strings.HasPrefix(base, "github.com:") ||
		strings.HasPrefix(base, "gh:") || user.MatchString(base)
}

// isURL reports whether kustomize might take a file, or what follows KEY=, for an address.
func isURL(file string) bool {
	file = strings.ToLower(strings.TrimSpace(file))
	if _, after, ok := strings.Cut(file, "="); ok && isURL(after) {
		return true
	}
	return strings.Contains(file, "://") || strings.HasPrefix(file, "http:") || strings.HasPrefix(file, "https:")
}
