package web

import (
	"fmt"
	"slices"
	"testing"

	"weft.dev/model"
)

func TestMembers(t *testing.T) {
	workload := func(name string, health model.Health) model.Workload {
		return model.Workload{Namespace: "shop", Name: name, App: "a", Health: health}
	}
	unproxied := workload("bare", model.Healthy)
	unproxied.Interception = model.NoProxy
	mesh := Mesh{
		Workloads: func() []model.Workload {
			return []model.Workload{unproxied, workload("behind", model.Healthy), workload("draining", model.Draining), workload("gone", model.Healthy),
				workload("lost", model.Lost), workload("refusing", model.Healthy), workload("sick", model.Unhealthy), workload("well", model.Healthy)}
		},
		Proxies: func() []model.Proxy {
			return []model.Proxy{{ID: "shop/behind", Connected: true}, {ID: "shop/gone"}, {ID: "shop/well", Connected: true},
				{ID: "shop/refusing", Connected: true, Refusals: []model.Refusal{{Type: "Cluster", Name: "c", Reason: "no"}}}}
		},
		Behind:   func() []string { return []string{"shop/behind"} },
		Revision: func(string) uint64 { return 7 },
	}
	want := []string{
		"bare idle it has no proxy", "behind changing its proxy is at revision 7", "draining changing it takes no new calls, and ends",
		"gone warn its proxy is not connected: it goes on with what it has", "lost bad nothing is heard of it any more",
		"refusing bad its proxy refuses Cluster c: no, and keeps what it had", "sick bad it is unhealthy, and gets no calls", "well ok ",
	}
	var got []string
	for _, m := range members(mesh) {
		got = append(got, fmt.Sprintf("%s %s %s", m.ID[len("shop/"):], m.State, m.Why))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
