package join

import (
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/translate/weft"
)

// wireSplits makes the split of each service: the shares that were written, and
// nothing for the versions that run and were not named. So a version that was
// just deployed gets no traffic, but has its private address at once.
func (m *Mesh) wireSplits() {
	written := oldestOf(said(m.parts, "split claims", model.Split.Key), "written splits")
	m.Splits = flow.Union("splits",
		flow.Derive(written, "splits as written", func(x *flow.Ctx, s model.Split) []model.Split {
			s.Versions = slices.Clone(s.Versions)
			for _, version := range m.versions(x, s.Host, s.Service) {
				if !slices.ContainsFunc(s.Versions, func(v model.VersionShare) bool { return v.Version == version }) {
					s.Versions = append(s.Versions, model.VersionShare{Version: version})
				}
			}
			return []model.Split{s}
		}),
		flow.Derive(m.owned(), "splits of applications", func(x *flow.Ctx, app weft.App) []model.Split {
			if _, ok := flow.Get(x, written, app.Host); ok {
				return nil
			}
			return m.unsplit(x, app)
		}))
}

// owned are the applications, one for a service.
func (m *Mesh) owned() *flow.Collection[weft.App] {
	return oldestOf(said(m.parts, "owners of services", weft.App.Key), "owned services")
}

// unsplit gives each version of an application its private address where nobody has split its
// traffic, which goes to all of them. One alone needs none.
func (m *Mesh) unsplit(x *flow.Ctx, app weft.App) []model.Split {
	name, namespace, ok := model.SplitHost(app.Host)
	if !ok || namespace != app.From[0].Key.Namespace || !m.has(x, app.Host) {
		return nil
	}
	s := model.Split{Host: app.Host, Service: name, From: app.From}
	for _, version := range m.versions(x, app.Host, name) {
		s.Versions = append(s.Versions, model.VersionShare{Version: version})
	}
	if len(s.Versions) < 2 {
		return nil
	}
	return []model.Split{s}
}

// versions of a service that run, by name.
func (m *Mesh) versions(x *flow.Ctx, host, app string) (all []string) {
	_, namespace, _ := model.SplitHost(host)
	if service, ok := flow.Get(x, m.Services, host); ok && service.Selector[appLabel] != "" {
		app = service.Selector[appLabel]
	}
	for _, w := range flow.Lookup(x, m.instances, model.HostOf(namespace, app)) {
		usable := w.Version != "" && !strings.ContainsAny(w.Version, "/,= ")
		if usable && !slices.Contains(all, w.Version) {
			all = append(all, w.Version)
		}
	}
	slices.Sort(all)
	return all
}

// appLabel is the label of a workload that names its application.
const appLabel = "app"
