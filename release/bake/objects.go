package bake

import (
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Objects reads what Render gave.
func Objects(manifests []byte) (all []map[string]any, err error) {
	for part := range strings.SplitSeq(string(manifests), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// containers are the fields of a pod that have images.
var containers = []string{"containers", "initContainers", "ephemeralContainers"}

// Images are those of all containers of objects, each once, in order.
func Images(objects []map[string]any) []string {
	found := map[string]bool{}
	for _, o := range objects {
		images(o, found)
	}
	return slices.Sorted(maps.Keys(found))
}

func images(v any, found map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			images(item, found)
		}
	case map[string]any:
		for key, value := range v {
			images(value, found)
			list, _ := value.([]any)
			for _, item := range list {
				c, _ := item.(map[string]any)
				if image, is := c["image"].(string); is && slices.Contains(containers, key) {
					found[image] = true
				}
			}
		}
	}
}
