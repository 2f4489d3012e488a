package join

import (
	"cmp"
	"fmt"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// wireScopes takes what is written of who calls whom as it is, but for the
// hosts, which get their canonical form.
func (m *Mesh) wireScopes() {
	m.Egresses = rows(m.parts, "egresses", Of[model.Egress])
	m.Inbounds = rows(m.parts, "inbounds", Of[model.Inbound])
	m.defaultsOf = flow.NewIndex(m.Egresses, func(e model.Egress) []string {
		if len(e.Selector) > 0 {
			return nil
		}
		return []string{e.Namespace}
	})
	m.Declared = flow.Derive(m.parts, "declared", func(x *flow.Ctx, p Part) []model.Declared {
		all := slices.Clone(Of[model.Declared](p))
		for i, d := range all {
			all[i].Hosts = slices.Clone(d.Hosts)
			for j, h := range d.Hosts {
				all[i].Hosts[j].Host = m.host(x, h.Host)
			}
		}
		return all
	})
}

// checkScopes says which of several defaults of a namespace decides, and which
// dependencies lead nowhere.
func (m *Mesh) checkScopes(x *flow.Ctx, p *problems) {
	for _, e := range Of[model.Egress](p.part) {
		if len(e.Selector) > 0 {
			continue
		}
		all := flow.Lookup(x, m.defaultsOf, e.Namespace)
		first := slices.MinFunc(all, func(a, b model.Egress) int {
			return cmp.Or(cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
		})
		if first.Object != e.Object {
			p.add(model.ProblemConflict, "spec", fmt.Sprintf("%s is older and decides for the namespace; remove one of them, or add a workloadSelector", first.Object))
		}
	}
	for _, d := range Of[model.Declared](p.part) {
		for _, h := range d.Hosts {
			if host := m.host(x, h.Host); !m.has(x, host) {
				p.add(model.ProblemMissingService, h.Origin.Path, missing(host))
			}
		}
	}
}
