package scope_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
)

// world is a graph with all that scopes read.
type world struct {
	*scope.Scopes
	graph     *flow.Graph
	workloads *flow.Source[model.Workload]
	services  *flow.Source[model.Service]
	egresses  *flow.Source[model.Egress]
	declared  *flow.Source[model.Declared]
	learned   *flow.Source[model.Learned]
	asks      *flow.Source[model.Ask]
	routes    *flow.Source[model.RouteTable]
}

func newWorld() *world { return newWorldWith(scope.Inputs{}) }

func newWorldWith(in scope.Inputs) *world {
	w := &world{graph: flow.New(flow.Options{})}
	w.workloads = flow.NewSource[model.Workload](w.graph, "workloads")
	w.services = flow.NewSource[model.Service](w.graph, "services")
	w.egresses = flow.NewSource[model.Egress](w.graph, "egresses")
	w.declared = flow.NewSource[model.Declared](w.graph, "declared")
	w.learned = flow.NewSource[model.Learned](w.graph, "learned")
	w.asks = flow.NewSource[model.Ask](w.graph, "asks")
	w.routes = flow.NewSource[model.RouteTable](w.graph, "routes")
	in.Replicas, in.Services, in.Egresses = scope.Singles(w.workloads.Collection), w.services.Collection, w.egresses.Collection
	in.Declared, in.Learned, in.Asks, in.Routes = w.declared.Collection, w.learned.Collection, w.asks.Collection, w.routes.Collection
	w.Scopes = scope.New(in)
	return w
}

// rows of any kind.
func (w *world) set(rows ...any) {
	w.graph.Commit(func(tx *flow.Tx) {
		for _, row := range rows {
			switch row := row.(type) {
			case model.Workload:
				w.workloads.Set(tx, row)
			case model.Service:
				w.services.Set(tx, row)
			case model.Egress:
				w.egresses.Set(tx, row)
			case model.Declared:
				w.declared.Set(tx, row)
			case model.Learned:
				w.learned.Set(tx, row)
			case model.Ask:
				w.asks.Set(tx, row)
			case model.RouteTable:
				w.routes.Set(tx, row)
			default:
				panic(fmt.Sprintf("%T", row))
			}
		}
	})
}

// known is the hosts or "*", in short: the mesh's domain is left out.
func (w *world) known(t *testing.T, workload string) string {
	t.Helper()
	k, ok := w.knownOf(workload)
	if !ok {
		t.Fatalf("%s has no row", workload)
	}
	return short(k)
}

func (w *world) knownOf(workload string) (model.Known, bool) {
	row, _ := w.workloads.Get(workload)
	return w.Known.Get(row.Cohort())
}

func short(k model.Known) string {
	if k.All {
		return strings.Join(append([]string{"*"}, k.Hosts...), " ")
	}
	return strings.ReplaceAll(strings.Join(k.Hosts, " "), "."+model.Domain, "")
}

func workload(id string) model.Workload {
	namespace, name, _ := strings.Cut(id, "/")
	app, _, _ := strings.Cut(name, "-")
	return model.Workload{Namespace: namespace, Name: name, App: app, Labels: map[string]string{"app": app}}
}

func service(namespace, name string) model.Service {
	return model.Service{Host: model.HostOf(namespace, name), Namespace: namespace, Name: name}
}

func numbered(namespace, name string, vips ...string) model.Service {
	s := service(namespace, name)
	s.VIPs = vips
	return s
}

func outside(host string) model.Service {
	return model.Service{Host: host, Namespace: "shop", Name: host, External: true}
}

func ask(proxy, authority string) model.Ask {
	return model.Ask{Proxy: proxy, Type: model.TypeVirtualHost, Name: model.AskPrefix + authority}
}

func learned(account, host string) model.Learned {
	namespace, name, _ := strings.Cut(account, "/")
	return model.Learned{Namespace: namespace, Account: name, Host: host, How: model.Observed, First: time.Unix(1000, 0), Last: time.Unix(2000, 0)}
}

func declares(account string, hosts ...string) model.Declared {
	namespace, name, _ := strings.Cut(account, "/")
	key := model.Key{Kind: "Application", Namespace: namespace, Name: name}
	d := model.Declared{Object: key, Namespace: namespace, Account: name, From: []model.Origin{{Key: key}}}
	for i, host := range hosts {
		d.Hosts = append(d.Hosts, model.DeclaredHost{Host: host, Origin: model.Origin{Key: key, Path: fmt.Sprintf("spec.dependencies[%d]", i), File: "app.yaml", Line: 7 + i}})
	}
	return d
}

func only(d model.Declared) model.Declared {
	d.Only, d.Object.Kind = true, "Scope"
	d.From = []model.Origin{{Key: d.Object, File: "scope.yaml", Line: 1}}
	return d
}

// sidecar has patterns "namespace/host"; "-namespace/host" is taken out.
func sidecar(id string, selector map[string]string, rank int64, patterns ...string) model.Egress {
	namespace, name, _ := strings.Cut(id, "/")
	key := model.Key{Kind: "Sidecar", Namespace: namespace, Name: name}
	e := model.Egress{Object: key, Namespace: namespace, Selector: selector, Rank: rank, From: []model.Origin{{Key: key, File: "sidecar.yaml", Line: 3}}}
	if namespace == "root" && selector == nil {
		e.Namespace = ""
	}
	for i, text := range patterns {
		text, except := strings.CutPrefix(text, "-")
		in, host, _ := strings.Cut(text, "/")
		p := model.HostPattern{Namespace: strings.Trim(in, "*"), Host: host, Origin: model.Origin{Key: key, Path: fmt.Sprintf("spec.egress[0].hosts[%d]", i)}}
		if except {
			e.Except = append(e.Except, p)
		} else {
			e.Hosts = append(e.Hosts, p)
		}
	}
	return e
}

// shop is what the cases below have in common.
func shop() []any {
	return []any{
		workload("shop/web-1"), workload("shop/web-2"), workload("shop/batch-1"), workload("bank/web-1"),
		service("shop", "reviews"), service("shop", "ratings"), service("shop", "db-0.db"), service("bank", "ledger"),
		outside("api.example.com"), outside("*.cdn.example.com"), outside("short"),
	}
}

// Any way in which a caller may write a service leads to it, and no other does.
func TestResolution(t *testing.T) {
	for authority, want := range map[string]string{
		"reviews":                              "reviews.shop",
		"reviews:9080":                         "reviews.shop",
		"reviews.shop":                         "reviews.shop",
		"reviews.shop:80":                      "reviews.shop",
		"reviews.shop.svc":                     "reviews.shop",
		"reviews.shop.svc.cluster.local":       "reviews.shop",
		"reviews.shop.svc.cluster.local:65535": "reviews.shop",
		"Reviews.Shop":                         "reviews.shop",
		"db-0.db.shop":                         "db-0.db.shop",
		"db-0.db":                              "",
		"ledger":                               "",
		"ledger.bank":                          "ledger.bank",
		"api.example.com:443":                  "api.example.com",
		"www.example.com":                      "",
		"a.cdn.example.com":                    "*.cdn.example.com",
		"a.b.cdn.example.com:8443":             "*.cdn.example.com",
		"cdn.example.com":                      "",
		"short":                                "short",
		"short.shop":                           "",
		"[::1]:80":                             "",
		"10.0.0.1":                             "",
		"10.96.0.7:80":                         "ledger-1.bank",
		"10.96.0.7":                            "ledger-1.bank",
		"[fd96::7]:80":                         "ledger-1.bank",
		"[FD96::7]":                            "ledger-1.bank",
		"10.96.0.8":                            "ours.shop", // others say so, too
		"10.96.0.9":                            "",
		".":                                    "",
		".shop":                                "",
		"reviews.":                             "",
		"reviews..shop":                        "",
		strings.Repeat("a.", 120) + "example.com": "",
	} {
		w := newWorld()
		w.set(append(shop(), ask("shop/web-1", authority), numbered("bank", "ledger-1", "10.96.0.7", "fd96::7"),
			numbered("shop", "ours", "10.96.0.8"), numbered("evil", "ours", "10.96.0.8", "10.96.0.9"), numbered("bank", "ours", "10.96.0.9"))...)
		if got := w.known(t, "shop/web-1"); got != want {
			t.Errorf("%q leads to %q, want %q", authority, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	app := map[string]string{"app": "web"}
	reviews, ratings, ledger := model.HostOf("shop", "reviews"), model.HostOf("shop", "ratings"), model.HostOf("bank", "ledger")
	for _, c := range []struct {
		name     string
		rows     []any
		workload string // default: shop/web-1
		want     string
	}{
		{name: "nobody said anything", want: ""},
		{name: "declared, learned and asked are one", want: "gone.shop ledger.bank ratings.shop reviews.shop",
			rows: []any{declares("shop/web", ratings, model.HostOf("shop", "gone")), learned("shop/web", ledger), ask("shop/web-1", "reviews"), ask("shop/web-1", "nobody:80")}},
		{name: "replicas know what one asks for", workload: "shop/web-2", want: "reviews.shop", rows: []any{ask("shop/web-1", "reviews")}},
		{name: "other accounts do not", workload: "shop/batch-1", rows: []any{ask("shop/web-1", "reviews"), learned("shop/web", ledger), declares("shop/web", ratings)}},
		{name: "accounts of one name in two namespaces differ", workload: "bank/web-1", rows: []any{ask("shop/web-1", "reviews")}},
		{name: "another type, another prefix, a proxy that nobody registered", rows: []any{
			model.Ask{Proxy: "shop/web-1", Type: model.TypeCluster, Name: "outbound/reviews"},
			model.Ask{Proxy: "shop/web-1", Type: model.TypeVirtualHost, Name: "reviews"}, ask("shop/ghost", "reviews")}},
		{name: "what is declared is all", want: "ratings.shop",
			rows: []any{declares("shop/web", ratings), only(declares("shop/web")), learned("shop/web", ledger), ask("shop/web-1", "reviews")}},
		{name: "a Sidecar is all, and over what is declared", want: "ledger.bank",
			rows: []any{sidecar("shop/default", nil, 1, "bank/"+ledger), declares("shop/web", ratings), learned("shop/web", reviews), ask("shop/web-1", "reviews")}},
		{name: "what is asked for under a Sidecar is not its account's", want: "", rows: []any{
			model.Workload{Namespace: "shop", Name: "web-3", App: "web", Labels: map[string]string{"tier": "x"}},
			sidecar("shop/x", map[string]string{"tier": "x"}, 1, "*/"+ratings), ask("shop/web-3", "reviews")}},
		{name: "everything", want: "*", rows: []any{sidecar("shop/default", nil, 1, "shop/*", "*/*"), ask("shop/web-1", "nobody")}},
		{name: "everything but", want: "*.cdn.example.com api.example.com db-0.db.shop ratings.shop short",
			rows: []any{sidecar("shop/default", nil, 1, "*/*", "-bank/*", "-*/"+reviews)}},
		{name: "nothing", want: "", rows: []any{sidecar("shop/default", nil, 1, "-*/*"), learned("shop/web", reviews)}},
		{name: "a namespace", want: "ledger.bank", rows: []any{sidecar("shop/default", nil, 1, "bank/*")}},
		{name: "a suffix anywhere", want: "*.cdn.example.com api.example.com", rows: []any{sidecar("shop/default", nil, 1, "*/*.example.com")}},
		{name: "a suffix in a namespace", want: "", rows: []any{sidecar("shop/default", nil, 1, "bank/*.example.com")}},
		{name: "a host of another namespace", want: "", rows: []any{sidecar("shop/default", nil, 1, "bank/"+reviews)}},
		{name: "a host before its service", want: "later.example.com", rows: []any{sidecar("shop/default", nil, 1, "*/later.example.com")}},
		{name: "the mesh's default, in the caller's namespace", workload: "bank/web-1", want: "ledger.bank", rows: []any{sidecar("root/default", nil, 1, "./*")}},
		{name: "the namespace's before the mesh's", want: "ratings.shop",
			rows: []any{sidecar("root/default", nil, 1, "*/*"), sidecar("shop/default", nil, 2, "*/"+ratings)}},
		{name: "a selector before the namespace's", want: "reviews.shop",
			rows: []any{sidecar("shop/a", nil, 1, "*/"+ratings), sidecar("shop/b", app, 2, "*/"+reviews)}},
		{name: "a selector of others", workload: "shop/batch-1", want: "ratings.shop",
			rows: []any{sidecar("shop/a", nil, 1, "*/"+ratings), sidecar("shop/b", app, 2, "*/"+reviews)}},
		{name: "the oldest of two", want: "ratings.shop",
			rows: []any{sidecar("shop/a", app, 2, "*/"+reviews), sidecar("shop/b", app, 1, "*/"+ratings)}},
		{name: "a selector elsewhere", want: "", rows: []any{sidecar("bank/a", app, 1, "*/*")}},
		{name: "a proxy that cannot ask", workload: "shop/old", want: "*", rows: []any{
			model.Workload{Namespace: "shop", Name: "old", App: "web", InlineRoutes: true}, ask("shop/web-1", "reviews"), sidecar("shop/default", nil, 1, "-*/*")}},
		{name: "a gateway", workload: "shop/edge", want: "", rows: []any{
			model.Workload{Namespace: "shop", Name: "edge", Gateway: "web"}, sidecar("shop/default", nil, 1, "*/*"), learned("shop/web", reviews), ask("shop/edge", "reviews")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.set(append(shop(), c.rows...)...)
			if c.workload == "" {
				c.workload = "shop/web-1"
			}
			if got := w.known(t, c.workload); got != c.want {
				t.Errorf("knows %q, want %q", got, c.want)
			}
		})
	}
}

// Where there is no server to ask, who has nothing declared knows everything.
func TestAlone(t *testing.T) {
	w := newWorldWith(scope.Inputs{Alone: true})
	gateway := workload("shop/edge-1")
	gateway.Gateway = "edge"
	w.set(service("shop", "a"), service("shop", "b"), service("far", "c"),
		workload("shop/free-1"), workload("shop/told-1"), workload("shop/none-1"), workload("shop/bound-1"), gateway,
		declares("shop/told", "a.shop.svc.cluster.local"), only(declares("shop/none")),
		sidecar("shop/s", map[string]string{"app": "bound"}, 0, "far/*"))
	for name, want := range map[string]string{"free-1": "*", "told-1": "a.shop", "none-1": "", "bound-1": "c.far", "edge-1": ""} {
		if got := w.known(t, "shop/"+name); got != want {
			t.Errorf("%s knows %q, want %q", name, got, want)
		}
	}
	w.set(declares("shop/free", "b.shop.svc.cluster.local"))
	if got := w.known(t, "shop/free-1"); got != "b.shop" {
		t.Errorf("it knows %q once something is declared, want b.shop", got)
	}
}

// A name that nobody had becomes known when its service comes, without a word
// of the proxy.
func TestLaterService(t *testing.T) {
	w := newWorld()
	w.set(append(shop(), ask("shop/web-1", "later"), ask("shop/batch-1", "x.later.example.com"), sidecar("bank/default", nil, 1, "./*"))...)
	w.set(service("shop", "later"), outside("*.later.example.com"), service("bank", "new"))
	for workload, want := range map[string]string{
		"shop/web-2": "later.shop", "shop/batch-1": "*.later.example.com", "bank/web-1": "ledger.bank new.bank",
	} {
		if got := w.known(t, workload); got != want {
			t.Errorf("%s knows %q, want %q", workload, got, want)
		}
	}
	w.graph.Commit(func(tx *flow.Tx) { w.services.Delete(tx, model.HostOf("shop", "later")) })
	if got := w.known(t, "shop/web-1"); got != "" {
		t.Errorf("after its service has gone, %q is known", got)
	}
}

// Without the rows that learning needs, what is declared is known.
func TestWithoutLearning(t *testing.T) {
	g := flow.New(flow.Options{})
	workloads, services := flow.NewSource[model.Workload](g, "workloads"), flow.NewSource[model.Service](g, "services")
	s := scope.New(scope.Inputs{Replicas: scope.Singles(workloads.Collection), Services: services.Collection})
	g.Commit(func(tx *flow.Tx) { workloads.Set(tx, workload("shop/web-1")) })
	if k, ok := s.Known.Get(workload("shop/web-1").Cohort()); !ok || k.All || len(k.Hosts) > 0 {
		t.Errorf("known: %+v %v", k, ok)
	}
	if a, ok := s.Explain(g, "shop/web-1"); !ok || a.Services == nil {
		t.Errorf("explained: %+v %v", a, ok)
	}
}

// The cost of a change does not follow the size of the mesh.
func TestCost(t *testing.T) {
	reviews := model.HostOf("shop", "reviews")
	runs := func(accounts int) (costs []uint64) {
		w := newWorld()
		rows := append(shop(), sidecar("bank/default", nil, 1, "./*"))
		for i := range accounts {
			app := fmt.Sprintf("shop/app%d", i)
			rows = append(rows, workload(app+"-1"), workload(app+"-2"), service("shop", fmt.Sprintf("app%d", i)), learned(app, reviews), ask(app+"-1", "reviews"))
		}
		w.set(rows...)
		counted := reviewsWithPort()
		for _, row := range []any{
			ask("shop/web-1", "ratings"), learned("shop/batch", reviews), counted, service("shop", "new"), service("bank", "new"),
		} {
			before := w.graph.Stats().Runs
			w.set(row)
			costs = append(costs, w.graph.Stats().Runs-before)
		}
		return costs
	}
	few, many := runs(3), runs(300)
	if !slices.Equal(few, many) {
		t.Errorf("runs of an ask, a lesson, a port, two services: %v with few accounts, %v with many", few, many)
	}
	if slices.Max(many) > 10 {
		t.Errorf("runs: %v", many)
	}
}

// reviewsWithPort is a change of a service that is none of its name.
func reviewsWithPort() model.Service {
	s := service("shop", "reviews")
	s.Ports = []model.Port{{Number: 9080}}
	return s
}
