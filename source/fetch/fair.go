package fetch

import (
	"slices"

	"weft.dev/model"
)

// fairly are the keys of those that are asked for where more are wanted than may be: those of the root namespace, then
// one of each namespace, then a second one, so that nobody takes the places of others. By key, the same on every server.
func fairly[W model.Thing](wanted []model.Named[W], most int) map[string]bool {
	asked := map[string]bool{}
	of := map[string][]string{}
	for _, w := range wanted {
		for _, namespace := range w.By {
			of[namespace] = append(of[namespace], w.Key())
		}
	}
	take := func(key string) {
		if len(asked) < most {
			asked[key] = true
		}
	}
	for _, keys := range of {
		slices.Sort(keys)
	}
	for _, key := range of[model.RootNamespace] {
		take(key)
	}
	names := model.SortedKeys(of)
	for round := 0; len(names) > 0; round++ {
		names = slices.DeleteFunc(names, func(namespace string) bool { return len(of[namespace]) <= round })
		for _, namespace := range names {
			take(of[namespace][round])
		}
	}
	return asked
}
