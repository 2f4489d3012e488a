package model

import (
	"slices"
	"testing"
)

func replicas(id string, workloads ...string) Replicas {
	r := Replicas{ID: id, Workload: Workload{Namespace: "shop", App: id}}
	for i, name := range workloads {
		r.Instances = append(r.Instances, &Instance{Workload: "shop/" + name, Address: "10.0.0." + string(rune('1'+i)), Health: Healthy})
	}
	return r
}

// An index by families finds each instance, and nothing else by its key.
func TestAmong(t *testing.T) {
	all := []Replicas{
		replicas("web", "web-a-1", "web-a-2", "web-b-1"), replicas("web old", "web-a-0"), replicas("bare", "solo"),
		Single(Workload{Namespace: "other", Name: "web-a-1", App: "elsewhere"}),
	}
	family := func(key string) (found []Replicas) {
		for _, r := range all {
			if slices.Contains(r.Families(), Family(key)) {
				found = append(found, r)
			}
		}
		return found
	}
	for key, app := range map[string]string{
		"shop/web-a-1": "web", "shop/web-a-2": "web", "shop/web-b-1": "web", "shop/web-a-0": "web old", "shop/solo": "bare",
		"other/web-a-1": "elsewhere", "shop/web-a-3": "", "shop/web": "", "solo": "", "": "",
	} {
		w, ok := Among(family(key), key)
		if ok != (app != "") || w.App != app || ok && w.Key() != key {
			t.Errorf("%q is %+v, %v, want one of %q", key, w, ok, app)
		}
	}
	if w, ok := all[0].At("10.0.0.2"); !ok || w.Key() != "shop/web-a-2" || !slices.Contains(all[0].Neighbourhoods(), Neighbourhood("10.0.0.2")) {
		t.Errorf("at 10.0.0.2 is %+v, %v", w, ok)
	}
	if n := Neighbourhood("fd00::1:2"); n != "fd00::1:" {
		t.Errorf("the neighbourhood of fd00::1:2 is %q", n)
	}
	var keys []string
	for _, w := range Workloads(all) {
		keys = append(keys, w.Key())
	}
	if want := []string{"other/web-a-1", "shop/solo", "shop/web-a-0", "shop/web-a-1", "shop/web-a-2", "shop/web-b-1"}; !slices.Equal(keys, want) {
		t.Errorf("workloads are %v, want %v", keys, want)
	}
}

// Proxies hear of an assignment that gives them another scope, and of no other one.
func TestMoved(t *testing.T) {
	given := func(scope string, names ...string) *Assignment {
		return &Assignment{Replicas: "web", Scope: scope, Instances: replicas("web", names...).Instances}
	}
	for _, test := range []struct {
		old, now *Assignment
		want     []string
	}{
		{nil, given("s", "a", "b"), []string{"shop/a", "shop/b"}},
		{given("s", "a", "b"), nil, []string{"shop/a", "shop/b"}},
		{given("s", "a", "b"), given("s", "b", "c"), []string{"shop/a", "shop/c"}},
		{given("s", "a", "b"), given("other", "a", "b"), []string{"shop/a", "shop/b"}},
		{given("s", "a"), given("s", "a"), nil},
	} {
		if got := Moved(test.old, test.now); !slices.Equal(got, test.want) {
			t.Errorf("from %+v to %+v moved %v, want %v", test.old, test.now, got, test.want)
		}
	}
	if scope := ScopeOf([]Assignment{*given("s", "a", "c")}, "shop/b"); scope != "" {
		t.Errorf("who is not assigned has the scope %q", scope)
	}
}
