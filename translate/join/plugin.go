package join

import (
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
	m.ModuleSources = flow.Group(from, "module sources", func(_ *flow.Ctx, _ string, all []model.Plugin) *model.ModuleSource {
		source := all[0].Source()
		return &source
	})
}
