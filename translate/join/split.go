package join

import (
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// wireSplits makes the split of each service: the shares that were written, and
// nothing for the versions that run and were not named. So a version that was
// just deployed gets no traffic, but has its private address at once.
func (m *Mesh) wireSplits() {
	written := oldestOf(said(m.parts, "split claims", model.Split.Key), "written splits")
	m.Splits = flow.Derive(written, "splits", func(x *flow.Ctx, s model.Split) []model.Split {
		_, namespace, _ := model.SplitHost(s.Host)
		app := s.Service
		if service, ok := flow.Get(x, m.Services, s.Host); ok && service.Selector[appLabel] != "" {
			app = service.Selector[appLabel]
		}
		s.Versions = slices.Clone(s.Versions)
		for _, w := range flow.Lookup(x, m.instances, model.HostOf(namespace, app)) {
			named := slices.ContainsFunc(s.Versions, func(v model.VersionShare) bool { return v.Version == w.Version })
			if !named && w.Version != "" {
				s.Versions = append(s.Versions, model.VersionShare{Version: w.Version})
			}
		}
		return []model.Split{s}
	})
}

// appLabel is the label of a workload that names its application.
const appLabel = "app"
