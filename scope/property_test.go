package scope_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
)

// pool are rows that refer to each other in most ways.
func pool() []any {
	all := []any{model.Workload{Namespace: "a", Name: "edge", Gateway: "x"}}
	namespaces, names := []string{"a", "b"}, []string{"x", "y"}
	var hosts []string
	for _, namespace := range namespaces {
		for _, name := range names {
			all = append(all, service(namespace, name), reported(service(namespace, name)))
			hosts = append(hosts, model.HostOf(namespace, name))
			for i := range 2 {
				w := workload(fmt.Sprintf("%s/%s-%d", namespace, name, i))
				all = append(all, w, drained(w), moved(w))
			}
		}
	}
	all = append(all, outside("x.b"), outside("a.example.com"), outside("*.example.com"))
	hosts = append(hosts, "a.example.com")
	for i, account := range []string{"a/x", "a/y", "b/x"} {
		all = append(all, declares(account, hosts[i]), declares(account, hosts[i+1], hosts[0]), only(declares(account, hosts[i])))
		for _, host := range hosts {
			all = append(all, learned(account, host))
		}
	}
	for i, patterns := range [][]string{{"*/*"}, {"./*"}, {"a/*", "-*/" + hosts[0]}, {"*/*", "-b/*"}, {"*/*.example.com", "*/" + hosts[3]}, {"-*/*"}} {
		for _, id := range []string{"a/one", "a/two", "b/one", "root/one"} {
			all = append(all, sidecar(id, nil, int64(i%2), patterns...), sidecar(id, map[string]string{"app": "x"}, int64(i%2), patterns...))
		}
	}
	for _, proxy := range []string{"a/x-0", "a/x-1", "a/y-0", "b/x-0", "a/edge", "a/ghost"} {
		for _, authority := range []string{"x", "y:80", "x.b", "x.b.svc.cluster.local", "b.example.com", "nobody"} {
			all = append(all, ask(proxy, authority))
		}
	}
	return all
}

func reported(s model.Service) model.Service  { s.Ports = []model.Port{{Number: 80}}; return s }
func drained(w model.Workload) model.Workload { w.Health = model.Draining; return w }
func moved(w model.Workload) model.Workload {
	w.App, w.Labels = "y", map[string]string{"app": "y"}
	return w
}

func id(row any) string {
	return fmt.Sprintf("%T ", row) + row.(interface{ Key() string }).Key()
}

// Whatever the order of changes, what is known is what the last rows give; and
// it is what a reading of them without any index gives.
func TestIncremental(t *testing.T) {
	all := pool()
	rapid.Check(t, func(t *rapid.T) {
		w, last := newWorld(), map[string]any{}
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			drop := rapid.IntRange(0, 2).Draw(t, "drop") == 0
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 1, 25).Draw(t, "rows") {
				row := all[i]
				if _, have := last[id(row)]; have && drop {
					w.drop(row)
					delete(last, id(row))
					continue
				}
				w.set(row)
				last[id(row)] = row
			}
		}
		fresh := newWorld()
		fresh.set(slices.Collect(maps.Values(last))...)
		if got, want := w.Known.All(), fresh.Known.All(); !reflect.DeepEqual(got, want) {
			t.Fatalf("step by step\n%+v\nfrom scratch\n%+v", got, want)
		}
		for _, workload := range w.workloads.All() {
			if workload.Interception != model.NoProxy {
				checkKnown(t, w, workload.Key())
			}
		}
	})
}

func (w *world) drop(row any) {
	w.graph.Commit(func(tx *flow.Tx) {
		switch row := row.(type) {
		case model.Workload:
			w.workloads.Delete(tx, row.Key())
		case model.Service:
			w.services.Delete(tx, row.Key())
		case model.Egress:
			w.egresses.Delete(tx, row.Key())
		case model.Declared:
			w.declared.Delete(tx, row.Key())
		case model.Learned:
			w.learned.Delete(tx, row.Key())
		case model.Ask:
			w.asks.Delete(tx, row.Key())
		}
	})
}

// checkKnown: what compile and people rely on.
func checkKnown(t *rapid.T, w *world, workload string) {
	k, _ := w.knownOf(workload)
	if !slices.IsSorted(k.Hosts) || len(slices.Compact(slices.Clone(k.Hosts))) != len(k.Hosts) {
		t.Fatalf("not sorted, or twice: %+v", k)
	}
	if k.All && len(k.Hosts) > 0 {
		t.Fatalf("everything and more: %+v", k)
	}
	a, ok := w.Explain(w.graph, workload)
	if !ok || a.All != k.All {
		t.Fatalf("explained as %+v, known %+v", a, k)
	}
	explained := map[string]bool{}
	for _, s := range a.Services {
		explained[s.Host] = true
		if len(s.Why) == 0 {
			t.Fatalf("%s is known to %s without a reason", s.Host, workload)
		}
	}
	if want := len(k.Hosts); len(explained) != want {
		t.Fatalf("%d services explained, %d known", len(explained), want)
	}
	row, _ := w.workloads.Get(workload)
	if row.Gateway != "" {
		return
	}
	for _, o := range w.workloads.All() { // replicas of one label set know the same
		if o.Namespace == row.Namespace && o.App == row.App && o.Gateway == "" && o.Labels["app"] == row.Labels["app"] {
			if same, _ := w.knownOf(o.Key()); !slices.Equal(same.Hosts, k.Hosts) || same.All != k.All {
				t.Fatalf("%s knows %v, its replica %s %v", workload, k.Hosts, o.Key(), same.Hosts)
			}
		}
	}
}

func TestExplain(t *testing.T) {
	w := newWorld()
	reviews, ratings, ledger := model.HostOf("shop", "reviews"), model.HostOf("shop", "ratings"), model.HostOf("bank", "ledger")
	w.set(append(shop(), declares("shop/web", ratings, "gone.example.com"), learned("shop/web", reviews),
		ask("shop/web-2", "reviews"), ask("shop/web-1", "nobody"), ask("shop/web-2", "nobody"),
		model.RouteTable{
			Object: model.Key{Kind: "VirtualService", Namespace: "shop", Name: "r"}, Hosts: []string{reviews}, Gateways: []string{model.Mesh},
			Rules: []model.Rule{{
				Backends: []model.Backend{{Host: reviews}, {Host: ledger, Fallback: &model.Fallback{Instead: &model.Backend{Host: "spare.example.com"}}}}, Mirrors: []model.Mirror{{Backend: model.Backend{Host: ratings}}},
				Origin: model.Origin{Key: model.Key{Kind: "VirtualService", Namespace: "shop", Name: "r"}, Path: "spec.http[0]"},
			}},
		})...)
	since, last := time.Unix(1000, 0), time.Unix(2000, 0)
	want := scope.Answer{
		Workload: "shop/web-1", Account: "shop/web",
		Services: []scope.Service{
			{Host: "gone.example.com", Why: []scope.Reason{{Cause: scope.ByDeclaration, By: "Application shop/web spec.dependencies[1] (app.yaml:8)"}}},
			{Host: ledger, Exists: true, Why: []scope.Reason{{Cause: scope.ByRoute, By: "VirtualService shop/r spec.http[0]"}}},
			{Host: ratings, Exists: true, Why: []scope.Reason{{Cause: scope.ByDeclaration, By: "Application shop/web spec.dependencies[0] (app.yaml:7)"}}},
			{Host: reviews, Exists: true, Why: []scope.Reason{
				{Cause: scope.ByCalls, Since: &since, Last: &last}, {Cause: scope.ByAsking, By: "shop/web-2 asks for reviews"},
			}},
			{Host: "spare.example.com", Why: []scope.Reason{{Cause: scope.ByRoute, By: "VirtualService shop/r spec.http[0]"}}},
		},
		Unknown: []scope.Unknown{{Authority: "nobody"}},
	}
	if got, ok := w.Explain(w.graph, "shop/web-1"); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	w.set(sidecar("shop/default", nil, 1, "*/"+ratings))
	want = scope.Answer{
		Workload: "shop/web-1", Account: "shop/web", Bound: "Sidecar shop/default (sidecar.yaml:3)",
		Services: []scope.Service{{Host: ratings, Exists: true, Why: []scope.Reason{{Cause: scope.ByDeclaration, By: "Sidecar shop/default spec.egress[0].hosts[0]"}}}},
		Unknown:  []scope.Unknown{{Authority: "nobody"}, {Authority: "reviews", Host: reviews}},
	}
	if got, _ := w.Explain(w.graph, "shop/web-1"); !reflect.DeepEqual(got, want) {
		t.Errorf("with a Sidecar, got\n%+v\nwant\n%+v", got, want)
	}
	if _, ok := w.Explain(w.graph, "shop/ghost"); ok {
		t.Error("explained what is not there")
	}
}
