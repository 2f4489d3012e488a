package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"weft.dev/model"
)

// Fleet is every workload with its proxy, what needs attention first.
type Fleet struct {
	Members  []Member `json:"members"`
	Total    int      `json:"total"` // that match, of which Members are the first
	All      int      `json:"all"`
	Revision uint64   `json:"revision"` // the newest
}

// Member is a workload and its proxy.
type Member struct {
	ID        string   `json:"id"`
	App       string   `json:"app"` // or the gateway that it is
	Version   string   `json:"version,omitempty"`
	Gateway   bool     `json:"gateway"`
	Address   string   `json:"address,omitempty"`
	Health    string   `json:"health"`
	Connected bool     `json:"connected"`
	Current   bool     `json:"current"` // its proxy holds all of the newest configuration
	Revision  uint64   `json:"revision"`
	Envoy     string   `json:"envoy,omitempty"`
	Refused   []string `json:"refused,omitempty"`
	State     State    `json:"state"`
	Why       string   `json:"why,omitempty"`
}

func fleet(mesh Mesh, r *http.Request) (any, error) {
	s, err := spanOf(r)
	if err != nil {
		return nil, err
	}
	all := members(mesh)
	f := Fleet{All: len(all), Revision: mesh.Status().Revision}
	all = slices.DeleteFunc(all, func(m Member) bool { return !s.has(m.ID, m.App, m.Version, m.Health, m.Why) })
	slices.SortStableFunc(all, func(a, b Member) int {
		return cmp.Or(cmp.Compare(ranks[a.State], ranks[b.State]), cmp.Compare(a.ID, b.ID))
	})
	f.Members, f.Total = first(all, s.limit), len(all)
	return f, nil
}

func members(mesh Mesh) []Member {
	behind := behind(mesh)
	proxies := map[string]model.Proxy{}
	for _, p := range mesh.Proxies() {
		proxies[p.ID] = p
	}
	var all []Member
	for _, w := range mesh.Workloads() {
		m := Member{ID: w.Key(), App: cmp.Or(w.App, w.Gateway), Version: w.Version, Gateway: w.Gateway != "", Address: w.Address, Health: string(w.Health)}
		if p, ok := proxies[m.ID]; ok {
			m.proxy(mesh, p, behind[m.ID])
		}
		m.State, m.Why = m.state(w.Interception)
		all = append(all, m)
	}
	return all
}

func (m *Member) proxy(mesh Mesh, p model.Proxy, behind bool) {
	m.Connected, m.Envoy, m.Revision = p.Connected, p.Version, mesh.Revision(p.ID)
	m.Current, m.Refused = p.Connected && !behind, refused(p)
}

func (m *Member) state(how model.Interception) (State, string) {
	switch {
	case len(m.Refused) > 0:
		return Bad, fmt.Sprintf("its proxy refuses %s, and keeps what it had", m.Refused[0])
	case m.Health == string(model.Lost):
		return Bad, "nothing is heard of it any more"
	case m.Health == string(model.Unhealthy):
		return Bad, "it is unhealthy, and gets no calls"
	case m.Health == string(model.Draining):
		return Changing, "it takes no new calls, and ends"
	case how == model.NoProxy:
		return Idle, "it has no proxy"
	case !m.Connected:
		return Warn, "its proxy is not connected: it goes on with what it has"
	case !m.Current:
		return Changing, fmt.Sprintf("its proxy is at revision %d", m.Revision)
	}
	return OK, ""
}
