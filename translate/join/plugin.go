package join

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// wirePlugins is whose code proxies run, and where it is to be had.
func (m *Mesh) wirePlugins() {
	m.Plugins = rows(m.parts, "plugins", Of[model.Plugin])
	m.PullSecrets = rows(m.parts, "pull secrets", Of[model.PullSecret])
	from := flow.NewIndex(m.Plugins, func(p model.Plugin) []string {
		if p.Source() == (model.ModuleSource{}) {
			return nil
		}
		return []string{p.Source().Key()}
	})
	m.ModuleSources = flow.Group(from, "module sources", func(_ *flow.Ctx, _ string, all []model.Plugin) *model.Named[model.ModuleSource] {
		return &model.Named[model.ModuleSource]{Thing: all[0].Source(), By: namespacesOf(all, func(p model.Plugin) model.Key { return p.Object })}
	})
}

// namespacesOf are those of some rows' objects, each once.
func namespacesOf[V any](all []V, object func(V) model.Key) (names []string) {
	for _, row := range all {
		names = append(names, object(row).Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
