package web

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/topology"
)

// town is a mesh of services of one namespace.
type town struct {
	services []model.Service
	replicas []model.Replicas
	edges    []metrics.Edge
	problems []model.Problem
	splits   []model.Split
	releases []Release
	calls    []metrics.Call
	plain    map[string]bool
}

func (w town) mesh() Mesh {
	return Mesh{
		Services: func() []model.Service { return w.services },
		Replicas: func() []model.Replicas { return w.replicas },
		Problems: func() []model.Problem { return w.problems },
		Splits:   func() []model.Split { return w.splits },
		Releases: func() []Release { return w.releases },
		Runs:     func() []Run { return nil },
		Edges:    func(time.Duration) []metrics.Edge { return w.edges },
		Proxies:  func() []model.Proxy { return nil },
		Status:   func() Status { return Status{} },
		Calls:    func(time.Time) []metrics.Call { return w.calls },
		Past:     &topology.History{},
		Plain:    func(clusters []string) map[string]bool { return w.plain },

		ReleasesChanged: func() uint64 { return 0 },
	}
}

// serve adds a service with instances of a version, of which some are healthy.
func (w *town) serve(name, version string, instances, healthy int) {
	if !slices.ContainsFunc(w.services, func(s model.Service) bool { return s.Name == name }) {
		w.services = append(w.services, model.Service{
			Host: model.HostOf("shop", name), Namespace: "shop", Name: name,
			Resolution: model.ByWorkload, Selector: map[string]string{"app": name},
		})
	}
	r := model.Replicas{ID: name + version, Workload: model.Workload{Namespace: "shop", App: name, Version: version, Labels: map[string]string{"app": name}}}
	for i := range instances {
		health := model.Unhealthy
		if i < healthy {
			health = model.Healthy
		}
		r.Instances = append(r.Instances, &model.Instance{Workload: fmt.Sprintf("shop/%s-%s-%d", name, version, i), Health: health})
	}
	w.replicas = append(w.replicas, r)
}

// call adds calls of 10 seconds.
func (w *town) call(name, version string, requests, errors, fallbacks uint64) {
	w.edges = append(w.edges, metrics.Edge{
		Source: metrics.End{Namespace: "shop", App: "web"}, Destination: metrics.End{Namespace: "shop", App: name, Version: version},
		Rate: float64(requests) / 10, Counts: metrics.Counts{Requests: requests, Errors: errors, Fallbacks: fallbacks},
	})
}

// What needs attention comes first, and says why.
func TestServicesByAttention(t *testing.T) {
	w := &town{}
	for _, name := range []string{"busy", "calm", "cart", "few", "hidden", "lost", "quiet", "released", "reviews", "weak", "wrong"} {
		w.serve(name, "v1", 2, map[string]int{"lost": 0, "weak": 1}[name]+map[bool]int{true: 2}[name != "lost" && name != "weak"])
	}
	w.serve("reviews", "v2", 1, 1)
	w.call("busy", "", 100_000, 0, 0)
	w.call("calm", "", 100, 0, 0)
	w.call("cart", "", 100_000, 200, 0)  // 0.2%
	w.call("few", "", 10, 9, 0)          // too few to say anything
	w.call("hidden", "", 1000, 900, 900) // a fallback answers
	w.call("released", "", 1000, 0, 0)
	w.call("reviews", "v1", 900, 0, 0)
	w.call("reviews", "v2", 100, 50, 0)
	w.call("weak", "", 1000, 0, 0)
	w.call("wrong", "", 1000, 0, 0)
	w.problems = []model.Problem{{Object: model.Key{Kind: "VirtualService", Namespace: "shop", Name: "wrong"}}}
	w.releases = []Release{{Namespace: "shop", Application: "released", Version: "v2", Weight: 25, Phase: "Progressing"}, {Namespace: "shop", Application: "busy", Phase: "Succeeded"}}
	want := []string{
		"reviews bad 5% of its requests fail: 50% of those to v2",
		"lost bad none of its 2 instances is healthy",
		"cart warn 0.2% of its requests fail",
		"hidden warn 90% of its requests are answered by a fallback",
		"weak warn 1 of its 2 instances are healthy",
		"wrong warn 1 problem with what is written for it",
		"released changing v2 is at 25%: progressing",
		"few ok ", "busy ok ", "calm ok ",
		"quiet idle ",
	}
	var got []string
	for _, s := range survey(w.mesh(), w.edges).services() {
		got = append(got, fmt.Sprintf("%s %s %s", s.Name, s.State, s.Why))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// Of those that fail, the one that others only suffer from comes first, however few its calls are.
func TestCauseFirst(t *testing.T) {
	w := &town{}
	for _, name := range []string{"front", "catalog", "other"} {
		w.serve(name, "v1", 1, 1)
	}
	w.serve("pricing", "v1", 0, 0)
	w.call("front", "", 10_000, 10_000, 0)
	w.call("catalog", "", 1000, 1000, 0)
	w.call("pricing", "", 100, 100, 0)
	w.call("other", "", 1000, 1000, 1000)
	for i, caller := range []string{"outside", "front", "catalog", "front"} {
		w.edges[i].Source.App = caller
	}
	want := []string{
		"pricing 100% of its requests fail: no workload serves it",
		"front 100% of its requests fail; catalog, which it calls, fails, too",
		"catalog 100% of its requests fail; pricing, which it calls, fails, too",
		"other 100% of its requests are answered by a fallback",
	}
	var got []string
	for _, s := range survey(w.mesh(), w.edges).services() {
		got = append(got, s.Name+" "+s.Why)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// The lines at the top are few, the worst first, and none when all is well.
func TestAttention(t *testing.T) {
	now := time.Unix(10_000, 0)
	w := &town{}
	if o := overview(newGlances(w.mesh()), now); len(o.Attention) != 0 || o.More != 0 {
		t.Errorf("nothing is wrong: %+v", o)
	}
	for i := range 4 {
		name := fmt.Sprintf("s%d", i)
		w.serve(name, "v1", 1, 1)
		w.call(name, "", 1000, 500, 0)
	}
	just, before := now.Add(-time.Minute), now.Add(-time.Hour)
	w.releases = []Release{
		{Namespace: "shop", Name: "r1", Application: "a", Version: "v2", Phase: "Inconclusive", State: Warn, Weight: 5},
		{Namespace: "shop", Name: "r2", Application: "a", Version: "v2", Phase: "RolledBack", State: Bad, Why: "worse", Ended: &just},
		{Namespace: "shop", Name: "r3", Application: "a", Version: "v2", Phase: "RolledBack", State: Bad, Why: "old news", Ended: &before},
	}
	o := overview(newGlances(w.mesh()), now)
	if len(o.Attention) != 3 || o.More != 3 || o.Attention[0] != (Attention{Bad, "a v2: worse", "releases/shop/r2"}) || o.Attention[1].Page != "services/shop/s0" {
		t.Errorf("%+v", o)
	}
}

func TestRoutesOf(t *testing.T) {
	host, other := model.HostOf("shop", "reviews"), model.HostOf("shop", "web")
	at := model.Origin{Key: model.Key{Kind: "VirtualService", Namespace: "shop", Name: "x"}, Path: "spec.http[0]", File: "x.yaml", Line: 7}
	tables := []model.RouteTable{
		{Hosts: []string{host}, Gateways: []string{model.Mesh}, Rules: []model.Rule{
			{Matches: []model.Match{{Path: model.StringMatch{PathPrefix: "/a"}, Headers: []model.HeaderMatch{{Name: "end-user", Value: model.StringMatch{Exact: "beta"}, Invert: true}}}},
				Backends: []model.Backend{{Host: host, Subset: "v1", Weight: 3}, {Host: host, Subset: "v2", Weight: 1}}, Calls: model.Calls{Timeout: 2 * time.Second, Retry: &model.Retry{}}, Origin: at},
			{Redirect: &model.Redirect{Code: 301, Host: "a.example"}, Calls: model.Calls{Timeout: model.NoTimeout}},
		}},
		{Hosts: []string{"shop.example"}, Gateways: []string{"shop/edge"}, Rules: []model.Rule{{Backends: []model.Backend{{Host: host}}}, {Backends: []model.Backend{{Host: other}}}}},
	}
	want := []Route{
		{Via: "mesh", Match: "/a/*, not header end-user beta", Action: "75% shop/reviews v1, 25% shop/reviews v2", Timeout: "2s", Retries: "never", From: Origin{"VirtualService shop/x", "spec.http[0]", "x.yaml:7"}},
		{Via: "mesh", Match: "everything", Action: "redirect 301 to a.example", Timeout: "none", From: originOf(model.Origin{})},
		{Via: "shop/edge", Match: "everything", Action: "shop/reviews", From: originOf(model.Origin{})},
	}
	if got := routesOf(host, tables); !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// What is called in plain text is said of the edge.
func TestPlainEdges(t *testing.T) {
	w := town{plain: map[string]bool{"rates.example.com:80": true}}
	w.edges = []metrics.Edge{
		{Source: metrics.End{Namespace: "shop", App: "web"}, Destination: metrics.End{App: "rates.example.com"}, Port: 80},
		{Source: metrics.End{Namespace: "shop", App: "web"}, Destination: metrics.End{Namespace: "shop", App: "reviews", Version: "v1"}, Port: 80},
	}
	if got := secured(w.mesh(), w.edges); !got[0].Plain || got[1].Plain {
		t.Errorf("plain %v and %v, want only the first", got[0].Plain, got[1].Plain)
	}
}

// Versions that a split tells apart have private addresses, those without a share, too.
func TestAddresses(t *testing.T) {
	all := addresses(model.Split{Host: model.HostOf("shop", "reviews"), Service: "reviews", Versions: []model.VersionShare{{Version: "v1", Weight: 100}, {Version: "v2"}}})
	if len(all) != 2 || all[1] != (Address{"v2", "x-weft-version: reviews.shop=v2"}) {
		t.Errorf("%v", all)
	}
	if none := addresses(model.Split{}); none == nil || len(none) > 0 {
		t.Errorf("%v, want [], which is no null in JSON", none)
	}
}
