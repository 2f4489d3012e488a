package compile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"pgregory.net/rapid"

	"weft.dev/flow"
	"weft.dev/model"
)

// randomRows are a small mesh in which most things refer to each other, and
// some to nothing.
func randomRows(t *rapid.T) rows {
	var r rows
	namespaces := []string{"a", "b"}
	hosts := []string{"nowhere.example.com"}
	for _, namespace := range namespaces {
		for _, name := range []string{"x", "y"} {
			if rapid.IntRange(0, 3).Draw(t, "service") == 0 {
				continue
			}
			s := model.Service{Namespace: namespace, Name: name, Ports: randomPorts(t)}
			if rapid.Bool().Draw(t, "datagrams") {
				s.Datagrams = []model.Port{{Number: 82, Protocol: model.UDP}}
			}
			if rapid.IntRange(0, 4).Draw(t, "outside") == 0 {
				s.Host, s.External, s.Resolution = name+"."+namespace, true, rapid.SampledFrom([]model.Resolution{model.Static, model.ByDNS}).Draw(t, "resolution")
				s.Addresses = []model.Address{{Host: "127.0.0.1"}}
			}
			r.Services = append(r.Services, s)
			hosts = append(hosts, model.HostOf(namespace, name), name+"."+namespace)
		}
	}
	if rapid.IntRange(0, 2).Draw(t, "wildcard") == 0 {
		r.Services = append(r.Services, model.Service{Namespace: "a", Host: "*.example.com", Name: "*.example.com", External: true, Resolution: model.Dynamic,
			Ports: append(randomPorts(t), model.Port{Number: 443, Protocol: model.TLS}), Private: rapid.Bool().Draw(t, "private")})
		hosts = append(hosts, "*.example.com")
	}
	r.Workloads = randomWorkloads(t, namespaces)
	r.RouteTables = randomTables(t, hosts)
	r.Certificates = randomCertificates(t)
	for _, host := range hosts {
		if rapid.Bool().Draw(t, "policy") {
			r.Policies = append(r.Policies, model.Policy{
				Object: model.Key{Kind: "DestinationRule", Namespace: "a", Name: host}, Host: host,
				Subsets: []model.Subset{{Name: "v1", Labels: map[string]string{"version": rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "label")}}},
				Traffic: model.TrafficPolicy{TLS: rapid.SampledFrom([]*model.ClientTLS{nil, nil, {Mode: model.TLSOwn, Secret: "p"}, {Mode: model.TLSSimple, Secret: "q"}}).Draw(t, "tls"),
					Local:   rapid.SampledFrom([]*model.Localities{nil, nil, {}, {Near: []string{"app", "version=v1"}}, {Shares: []model.LocalityShares{{Callers: "eu", To: []model.LocalityShare{{Place: "eu/a", Percent: 70}, {Place: "*", Percent: 30}}}}}}).Draw(t, "local"),
					Outlier: rapid.SampledFrom([]*model.Outlier{nil, {Consecutive5xx: 1}}).Draw(t, "outlier")},
			})
		}
		if rapid.Bool().Draw(t, "split") {
			weight := rapid.Uint32Range(0, 100).Draw(t, "share")
			r.Splits = append(r.Splits, model.Split{Host: host, Service: "x", Versions: []model.VersionShare{{Version: "v1", Weight: weight}, {Version: "v2", Weight: 100 - weight}}})
		}
		if rapid.IntRange(0, 3).Draw(t, "limit") == 0 {
			r.Concurrencies = append(r.Concurrencies, model.Concurrency{Host: host, Namespace: "a", Selector: map[string]string{"app": "x"}, AtMost: 10, AtLeast: 1, Every: time.Second, MeasureEvery: time.Minute})
		}
	}
	r.RateLimits, r.EnvoyFilters = randomLimits(t), randomFilters(t)
	randomAccess(t, &r)
	if rapid.Bool().Draw(t, "gateway") {
		r.Gateways = randomGateways(t)
	}
	r.fill()
	known := map[string]bool{}
	for _, w := range r.Workloads {
		if known[w.Cohort()] {
			continue
		}
		known[w.Cohort()] = true
		switch rapid.IntRange(0, 3).Draw(t, "knows") {
		case 0:
			r.Known = append(r.Known, model.Known{Cohort: w.Cohort(), All: true, Closed: rapid.Bool().Draw(t, "closed")})
		case 1, 2:
			hosts := rapid.SliceOfDistinct(rapid.SampledFrom(append(hosts, "x.a", "gone.example.com")), rapid.ID[string]).Draw(t, "knows")
			slices.Sort(hosts)
			r.Known = append(r.Known, model.Known{Cohort: w.Cohort(), Hosts: slices.Compact(hosts)})
		}
	}
	return r
}

// randomLimits are of services, a gateway and routes that may not be there.
func randomLimits(t *rapid.T) []model.RateLimit {
	targets := []model.LimitTarget{
		{Kind: "Service", Name: "x", Selector: map[string]string{"app": "x"}, Ports: []model.Port{{Number: 80, Protocol: model.HTTP}}},
		{Kind: "Service", Name: "y", Selector: map[string]string{"version": "v1"}, Ports: []model.Port{{Number: 81, Protocol: model.HTTP2}, {Number: 99, Protocol: model.HTTP}}},
		{Kind: "Gateway", Name: "gw"}, {Kind: "Gateway", Name: "gw", Section: "none"}, {Kind: "VirtualService", Name: "t0"}, {Kind: "VirtualService", Name: "t1", Section: "none"},
	}
	all := slices.DeleteFunc(targets, func(model.LimitTarget) bool { return rapid.Bool().Draw(t, "not limited") })
	var limits []model.RateLimit
	for _, target := range all {
		l := model.Limit{Name: "l", Requests: rapid.Uint32Range(1, 3).Draw(t, "requests"), Per: time.Second, Burst: 1, Global: rapid.Bool().Draw(t, "global"), Shadow: rapid.Bool().Draw(t, "shadow")}
		limits = append(limits, model.RateLimit{Object: model.Key{Kind: "RateLimit", Namespace: "a", Name: "limits"}, Target: target, Limits: []model.Limit{l}})
	}
	return limits
}

func randomGateways(t *rapid.T) []model.Gateway {
	return []model.Gateway{{Object: model.Key{Kind: "Gateway", Namespace: "a", Name: "gw"}, Name: "a/gw", Proxy: rapid.SampledFrom([]string{"", "gw"}).Draw(t, "proxy"), Shows: rapid.SampledFrom([]string{"", "a/p", "a/none"}).Draw(t, "shows"), Selector: map[string]string{"gw": "1"},
		Listeners: []model.GatewayListener{{Name: "http", Port: 8080, Protocol: model.GatewayHTTP, Hosts: []string{"*"}}, {Name: "udp", Port: 8080, Protocol: model.GatewayUDP, Hosts: []string{"*"}}}}}
}

func randomCertificates(t *rapid.T) []model.Certificate {
	var all []model.Certificate
	for _, secret := range []string{"a/p", "b/p", "a/q-cacert"} {
		if rapid.Bool().Draw(t, "secret") {
			all = append(all, model.Certificate{Name: secret, Chain: []byte("c"), PrivateKey: []byte("k"), CA: []byte("ca"), From: []model.Origin{{Key: model.Key{Kind: "Secret", Name: secret}}}})
		}
	}
	return all
}

// randomFilters patch what a proxy has alone, and what it shares.
func randomFilters(t *rapid.T) (all []model.EnvoyFilter) {
	patches := []model.Patch{
		{Of: model.PatchListener, Do: model.PatchMerge, Value: `{"per_connection_buffer_limit_bytes": 4096}`},
		{Of: model.PatchCluster, Do: model.PatchMerge, Value: `{"connect_timeout": "3s"}`},
		{Of: model.PatchCluster, Do: model.PatchAdd, Value: `{"name": "aside", "type": "STATIC", "load_assignment": {"cluster_name": "aside"}}`},
		{Of: model.PatchRoute, Do: model.PatchFirst, Value: `{"name": "tea", "match": {"path": "/tea"}, "direct_response": {"status": 418}}`},
		{Of: model.PatchHost, At: model.PatchOutbound, Do: model.PatchMerge, Value: `{"domains": ["no"]}`},
	}
	for _, name := range []string{"e", "f"} {
		if rapid.Bool().Draw(t, "filter") {
			all = append(all, model.EnvoyFilter{
				Object: model.Key{Kind: "EnvoyFilter", Namespace: "a", Name: name},
				Reach: model.Reach{
					Namespace: rapid.SampledFrom([]string{"", "a"}).Draw(t, "reach"),
					Targets:   rapid.SampledFrom([][]model.Target{nil, {{Gateway: "a/gw"}}}).Draw(t, "targets"),
				},
				Patches: []model.Patch{rapid.SampledFrom(patches).Draw(t, "patch"), rapid.SampledFrom(patches).Draw(t, "patch")},
			})
		}
	}
	return all
}

// randomAccess are rules, tokens whose keys may be there or not, and authorizers that may be.
func randomAccess(t *rapid.T, r *rows) {
	if rapid.Bool().Draw(t, "guard") {
		r.Authorizations = []model.Authorization{{Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "a", Name: "g"}, Reach: model.Reach{Namespace: "a"}, Action: model.Allow,
			Rules: []model.AuthzRule{{From: []model.AuthzSource{{Namespaces: []string{"b"}}}}}}}
	}
	reach := func() model.Reach {
		targets := [][]model.Target{nil, {{Service: model.HostOf("a", "x")}}, {{Gateway: "a/gw"}}}
		return model.Reach{Namespace: rapid.SampledFrom([]string{"", "a"}).Draw(t, "reach"), Targets: rapid.SampledFrom(targets).Draw(t, "targets")}
	}
	from := model.KeySource{URI: "https://keys.example"}
	if rapid.Bool().Draw(t, "tokens") {
		r.RequestAuths = []model.RequestAuth{{Object: model.Key{Kind: "RequestAuthentication", Namespace: "a", Name: "t"}, Reach: reach(), Rules: []model.TokenRule{{Issuer: "i", KeysFrom: from}}}}
	}
	if rapid.Bool().Draw(t, "telemetry") {
		lines := rapid.SampledFrom([]model.Log{model.LogAll, model.LogNothing}).Draw(t, "lines")
		r.Telemetries = []model.Telemetry{{Object: model.Key{Kind: "Telemetry", Namespace: "a", Name: "t"}, Reach: reach(), Says: []model.Tells{{Served: true, Calls: rapid.Bool().Draw(t, "calls"), Log: &lines}}}}
	}
	if rapid.Bool().Draw(t, "inbound") {
		r.Inbounds = []model.Inbound{{Object: model.Key{Kind: "Sidecar", Namespace: "a", Name: "s"}, Namespace: rapid.SampledFrom([]string{"", "a"}).Draw(t, "of"), Selector: rapid.SampledFrom([]map[string]string{nil, {"app": "x"}}).Draw(t, "selects"), Pool: model.Pool{MaxRequests: 5}}}
	}
	module := model.ModuleSource{URL: "https://modules.example"}
	if rapid.Bool().Draw(t, "plugin") {
		on := rapid.SampledFrom([][]model.PluginOn{nil, {{Calls: true}}, {{Served: true, Ports: []uint32{80}}}}).Draw(t, "on")
		r.Plugins = []model.Plugin{{Object: model.Key{Kind: "WasmPlugin", Namespace: "a", Name: "p"}, Reach: reach(), On: on,
			Phase: rapid.SampledFrom([]model.PluginPhase{model.PluginAuthn, model.PluginAuthz, model.PluginLast}).Draw(t, "phase"),
			Wasm:  &model.Wasm{Source: module, Fail: rapid.SampledFrom([]model.PluginFail{model.PluginClosed, model.PluginOpen}).Draw(t, "fail")}}}
	}
	if rapid.Bool().Draw(t, "module") {
		r.Modules = []model.Module{{Source: module, Code: rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "code")}}
	}
	if rapid.Bool().Draw(t, "keys") {
		r.KeySets = []model.KeySet{{Source: from, Trouble: rapid.SampledFrom([]string{"", "down"}).Draw(t, "trouble")}}
	}
	who := model.Key{Kind: "ExternalAuthorizer", Namespace: "a", Name: "who"}
	if rapid.Bool().Draw(t, "authorizer") {
		r.Authorizers = []model.Authorizer{{Object: who, Host: model.HostOf("a", rapid.SampledFrom([]string{"x", "y"}).Draw(t, "asked")), Port: 81, Status: 403, Timeout: time.Second}}
	}
	if rapid.Bool().Draw(t, "custom") {
		r.Authorizations = append(r.Authorizations, model.Authorization{Object: model.Key{Kind: "AuthorizationPolicy", Namespace: "a", Name: "c"}, Reach: reach(), Action: model.Custom, Provider: who.String(), Rules: []model.AuthzRule{{}}})
	}
}

func randomPorts(t *rapid.T) []model.Port {
	all := []model.Port{{Number: 80, Protocol: model.HTTP}, {Number: 81, Protocol: model.HTTP2}, {Number: 82, Protocol: model.TCP}}
	for i := range all {
		all[i].TLS = rapid.SampledFrom([]*model.ClientTLS{nil, nil, nil, {Mode: model.TLSSimple, SNI: "a.example", SANs: []string{"a.example"}, CA: []byte("ca")}, {Mode: model.TLSSimple, Distrusts: true}}).Draw(t, "port's tls")
	}
	return slices.DeleteFunc(all, func(p model.Port) bool { return !rapid.Bool().Draw(t, "port") })
}

func randomWorkloads(t *rapid.T, namespaces []string) []model.Workload {
	var all []model.Workload
	for i := range rapid.IntRange(1, 5).Draw(t, "workloads") {
		w := model.Workload{
			Namespace: rapid.SampledFrom(namespaces).Draw(t, "namespace"), Name: fmt.Sprintf("w%d", i), App: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "app"),
			Version: rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "version"), Address: "127.0.0.1", Outbound: uint32(15000 + i), InlineRoutes: rapid.IntRange(0, 5).Draw(t, "inline") == 0,
			Health: rapid.SampledFrom([]model.Health{model.Healthy, model.Unhealthy, model.Draining, model.Lost}).Draw(t, "health"),
		}
		for _, number := range []uint32{80, 81, 82} {
			w.Ports = append(w.Ports, model.WorkloadPort{Number: number, Protocol: []model.Protocol{model.HTTP, model.HTTP2, model.TCP}[number-80], ProxyPort: 20000 + number, AppPort: 30000 + number})
		}
		if rapid.Bool().Draw(t, "takes datagrams") {
			w.Datagrams = []model.WorkloadPort{{Number: 82, Protocol: model.UDP, ProxyPort: 20000 + uint32(i)}}
		}
		if rapid.IntRange(0, 5).Draw(t, "is gateway") == 0 {
			w.Gateway, w.Labels, w.Outbound = "gw", map[string]string{"gw": "1", "app": w.App}, 0
		} else if where := rapid.SampledFrom([]string{"", "eu.a", "eu.b", "us"}).Draw(t, "where"); where != "" {
			w.Labels = map[string]string{"app": w.App, "version": w.Version, model.LocalityLabel: where}
		}
		all = append(all, w)
	}
	return all
}

func randomTables(t *rapid.T, hosts []string) []model.RouteTable {
	var all []model.RouteTable
	for i := range rapid.IntRange(0, 3).Draw(t, "tables") {
		table := model.RouteTable{
			Object: model.Key{Kind: "VirtualService", Namespace: "a", Name: fmt.Sprintf("t%d", i)},
			Hosts:  []string{rapid.SampledFrom(append(hosts, "*", "*.svc.cluster.local")).Draw(t, "host")},
			Order:  rapid.SampledFrom([]model.Order{model.AsWritten, model.BySpecific}).Draw(t, "order"),
		}
		if rapid.Bool().Draw(t, "at gateway") {
			table.Gateways = []string{"a/gw", model.Mesh}
		}
		for range rapid.IntRange(0, 2).Draw(t, "rules") {
			table.Rules = append(table.Rules, randomRule(t, hosts))
		}
		if len(table.Rules) == 1 && rapid.Bool().Draw(t, "of datagrams") {
			table.Gateways, table.Connections = []string{"a/gw"}, model.GatewayUDP
		}
		all = append(all, table)
	}
	return all
}

func randomRule(t *rapid.T, hosts []string) model.Rule {
	rule := model.Rule{}
	if rapid.Bool().Draw(t, "match") {
		m := model.Match{Path: model.StringMatch{Prefix: "/" + rapid.StringMatching(`[a-z]?`).Draw(t, "path")}}
		if rapid.Bool().Draw(t, "source") {
			m.SourceLabels = map[string]string{"version": "v1"}
		}
		rule.Matches = []model.Match{m}
	}
	for range rapid.IntRange(0, 3).Draw(t, "backends") {
		rule.Backends = append(rule.Backends, model.Backend{
			Host: rapid.SampledFrom(hosts).Draw(t, "backend"), Port: rapid.SampledFrom([]uint32{0, 80, 82, 99}).Draw(t, "port"),
			Subset: rapid.SampledFrom([]string{"", "", "v1", "none"}).Draw(t, "subset"), Weight: rapid.SampledFrom([]uint32{0, 1, 50, 1 << 31}).Draw(t, "weight"),
			Fallback: randomFallback(t, hosts),
		})
	}
	return rule
}

func randomFallback(t *rapid.T, hosts []string) *model.Fallback {
	f := &model.Fallback{Host: "x.a", Service: "x", On: []uint32{503}, Failures: []model.Failure{model.FailedTimeout}, Status: 200, Body: "-"}
	switch rapid.IntRange(0, 4).Draw(t, "fallback") {
	case 0:
		return f
	case 1:
		f.Instead = &model.Backend{Host: rapid.SampledFrom(hosts).Draw(t, "instead"), Port: 80, Weight: 1}
		return f
	}
	return nil
}

// What Envoy would refuse, or answer with 503, is in no view.
func TestViewsAreClosed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMesh()
		m.set(randomRows(rt))
		for _, v := range m.views() {
			checkUnique(rt, v)
			checkTables(t, rt, v)
			for r := range v.All(model.TypeListener) {
				checkNeeds(rt, v, r)
			}
			for r := range v.All(model.TypeEndpoint) {
				if v.Find(model.TypeCluster, r.Name) == nil {
					rt.Fatalf("%s: endpoints of %s, which is no cluster", v.Scope, r.Name)
				}
			}
		}
	})
}

func checkNeeds(t *rapid.T, v *model.View, r *model.Resource) {
	for _, name := range r.Needs {
		if v.Find(model.TypeCluster, name) == nil {
			t.Fatalf("%s: %v %s needs cluster %s, which is not there", v.Scope, r.Type, r.Name, name)
		}
	}
}

// checkUnique: no name of a type stands in two layers.
func checkUnique(t *rapid.T, v *model.View) {
	for kind := range model.NumTypes {
		seen := map[string]bool{}
		for r := range v.All(kind) {
			if seen[r.Name] || v.Find(kind, r.Name) != r {
				t.Fatalf("%s: %v %s twice, or not found", v.Scope, kind, r.Name)
			}
			seen[r.Name] = true
		}
	}
}

// checkTables looks at every table with the virtual hosts that it discovers.
func checkTables(t *testing.T, rt *rapid.T, v *model.View) {
	for r := range v.All(model.TypeRoute) {
		checkNeeds(rt, v, r)
		config := decode(t, r).(*routev3.RouteConfiguration)
		domains := map[string]bool{}
		for _, host := range config.VirtualHosts {
			checkHost(rt, v, r, host, domains)
		}
		if config.Vhds == nil {
			continue
		}
		for piece := range v.All(model.TypeVirtualHost) {
			if !strings.HasPrefix(piece.Name, r.Name+"/") {
				continue
			}
			checkNeeds(rt, v, piece)
			host := decode(t, piece).(*routev3.VirtualHost)
			if host.Name != piece.Name {
				rt.Fatalf("virtual host %s has the name %s: Envoy could not remove it", piece.Name, host.Name)
			}
			checkHost(rt, v, piece, host, domains)
		}
	}
}

func checkHost(t *rapid.T, v *model.View, r *model.Resource, host *routev3.VirtualHost, domains map[string]bool) {
	if host.Name == "" || len(host.Domains) == 0 {
		t.Fatalf("%s: virtual host without name or domain: %v", r.Name, host)
	}
	for _, d := range host.Domains {
		if domains[d] {
			t.Fatalf("%s: domain %s twice", r.Name, d)
		}
		domains[d] = true
	}
	for _, route := range host.Routes {
		checkRoute(t, v, r, route)
	}
}

func checkRoute(t *rapid.T, v *model.View, r *model.Resource, route *routev3.Route) {
	action := route.GetRoute()
	if action == nil {
		return
	}
	clusters := []string{action.GetCluster()}
	if weighted := action.GetWeightedClusters(); weighted != nil {
		clusters = nil
		var total uint64
		for _, w := range weighted.Clusters {
			clusters = append(clusters, w.Name)
			total += uint64(w.Weight.GetValue())
		}
		if total == 0 || total > 1<<32-1 {
			t.Fatalf("%s: route %s: weights sum to %d", r.Name, route.Name, total)
		}
	}
	for _, name := range clusters {
		if v.Find(model.TypeCluster, name) == nil || !slices.Contains(r.Needs, name) {
			t.Fatalf("%s: route %s leads to cluster %q: not in the view, or not among its needs %v", r.Name, route.Name, name, r.Needs)
		}
	}
}

// A graph that was edited holds what a new one with the same rows holds.
func TestIncrementalEqualsFromScratch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMesh()
		var last rows
		for range rapid.IntRange(2, 4).Draw(rt, "edits") {
			last = randomRows(rt)
			m.set(last)
		}
		fresh := newMesh()
		fresh.set(last)
		if difference := m.differs(fresh); difference != "" {
			rt.Fatal(difference)
		}
	})
}

// A thousand services: an endpoint that drains is one new resource, and the
// work does not grow with the mesh.
func TestEndpointChangeIsOneResource(t *testing.T) {
	m := newMesh()
	r := largeMesh(1000)
	m.set(r)
	before := m.viewOf(t, "shop/s7-1")
	runs := m.g.Stats().Runs

	w := r.Workloads[7]
	w.Health = model.Draining
	m.g.Commit(func(tx *flow.Tx) { m.workloads.Set(tx, w) })

	after := m.viewOf(t, "shop/s7-1")
	var changed []string
	for kind := range model.NumTypes {
		for r := range after.All(kind) {
			if before.Find(kind, r.Name) != r {
				changed = append(changed, fmt.Sprint(kind, " ", r.Name))
			}
		}
	}
	if want := []string{"ClusterLoadAssignment s7.shop.svc.cluster.local:80"}; !slices.Equal(changed, want) {
		t.Errorf("changed: %v, want %v", changed, want)
	}
	// accounts, endpoints, placement; two layers have the endpoints.
	if got, most := m.g.Stats().Runs-runs, uint64(10); got > most {
		t.Errorf("%d derivations ran, at most %d expected", got, most)
	}
}

// Adding an instance of a known scope compiles no routes again.
func TestWorkloadsShareLayers(t *testing.T) {
	m := newMesh()
	m.set(largeMesh(10))
	a, b := m.viewOf(t, "shop/s1-1"), m.viewOf(t, "shop/s2-1")
	name := OutboundRoutes + "/s3.shop.svc.cluster.local:80"
	find := func(v *model.View) *model.Resource { return v.Find(model.TypeVirtualHost, name) }
	if find(a) == nil || find(a) != find(b) {
		t.Errorf("two callers of one namespace have two virtual hosts: %p and %p", find(a), find(b))
	}
}

func largeMesh(services int) rows {
	var r rows
	for i := range services {
		name := fmt.Sprintf("s%d", i)
		r.Services = append(r.Services, model.Service{Namespace: "shop", Name: name, Ports: []model.Port{{Number: 80, Protocol: model.HTTP}}})
		r.Workloads = append(r.Workloads, model.Workload{Namespace: "shop", Name: name + "-1", App: name, Address: "127.0.0.1", Outbound: 15001,
			Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP, ProxyPort: 20001, AppPort: 30001}}})
	}
	r.fill()
	return r
}

func BenchmarkEndpointChange(b *testing.B) {
	b.Run("plain", func(b *testing.B) { endpointChanges(b, largeMesh(1000)) })
	b.Run("every cluster patched", func(b *testing.B) {
		r := largeMesh(1000)
		r.EnvoyFilters = []model.EnvoyFilter{{Object: model.Key{Kind: "EnvoyFilter", Namespace: "istio-system", Name: "all"}, Patches: []model.Patch{
			{Of: model.PatchCluster, Do: model.PatchMerge, Value: `{"connect_timeout": "3s"}`},
		}}}
		endpointChanges(b, r)
	})
}

func endpointChanges(b *testing.B, r rows) {
	m := newMesh()
	m.set(r)
	w := r.Workloads[7]
	b.ResetTimer()
	for i := range b.N {
		w.Health = []model.Health{model.Draining, model.Healthy}[i%2]
		m.g.Commit(func(tx *flow.Tx) { m.workloads.Set(tx, w) })
	}
}

func BenchmarkRouteChange(b *testing.B) {
	m := newMesh()
	m.set(largeMesh(200))
	for i := range b.N {
		share := uint32(i % 100)
		m.g.Commit(func(tx *flow.Tx) {
			m.splits.Set(tx, model.Split{Host: model.HostOf("shop", "s7"), Service: "s7", Versions: []model.VersionShare{{Version: "v1", Weight: 100 - share}, {Version: "v2", Weight: share}}})
		})
	}
}
