package explain_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"weft.dev/compile"
	"weft.dev/explain"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/scope"
)

// Words are few, so that requests meet what routes ask for.
var (
	segments = []string{"a", "b", "A", "shop", "a.b", ""}
	odd      = []string{".", "..", "%2e", "%2E%2e", "%61", "%2F", "%5c", `\`, "%", "%zz", "%25", "%2", "~", "%7e", "a;b", "a%20b", "%00", "...", "a%2", "%2561", "+", "a=b", "%c3%a4"}
	regexes  = []string{"/a.*", "/[ab]", "/.*b", "(?i)/SHOP", "/a|/b", "/(a|b)/?", "[^.]*", "/\\w+", ".*"}
	values   = []string{"1", "2", "on", "1on"}
	names    = []string{"x-a", "X-B", "x_c"}
)

const (
	services = 12 // s0 ... s11, outside services with two versions
	gwHosts  = 6
)

// randomRows are a mesh of a sidecar, a gateway, and services that are all one
// backend.
type randomRows struct {
	workloads []model.Workload
	services  []model.Service
	tables    []model.RouteTable
	policies  []model.Policy
	splits    []model.Split
	gateway   model.Gateway
	keys      []model.PreviewKey
}

func serviceHost(i int) string { return fmt.Sprintf("s%d.test", i) }

func randomMesh(r *rand.Rand, outbound, gateway, backend int) randomRows {
	all := randomRows{
		workloads: []model.Workload{
			{Namespace: "shop", Name: "sidecar", App: "web", Address: "127.0.0.1", Outbound: uint32(outbound), Health: model.Healthy, Labels: map[string]string{"app": "web"}},
			{Namespace: "shop", Name: "gateway", Gateway: "gw", Address: "127.0.0.1", Health: model.Healthy},
		},
		gateway: model.Gateway{Object: model.Key{Kind: "Gateway", Namespace: "shop", Name: "gw"}, Name: "shop/gw", Proxy: "gw",
			Listeners: []model.GatewayListener{{Name: "http", Port: uint32(gateway), Protocol: model.GatewayHTTP, Hosts: []string{"*"}}}},
	}
	for i := range services {
		host := serviceHost(i)
		all.services = append(all.services, model.Service{
			Host: host, Namespace: "shop", Name: host, External: true, Resolution: model.Static,
			Ports: []model.Port{{Number: 80, Target: uint32(backend), Name: "http", Protocol: model.HTTP}, {Number: 81, Target: uint32(backend), Name: "more", Protocol: model.HTTP}},
			Addresses: []model.Address{
				{Host: "127.0.0.1", Labels: map[string]string{"version": "v1"}}, {Host: "127.0.0.1", Labels: map[string]string{"version": "v2"}},
			},
		})
		all.policies = append(all.policies, model.Policy{Object: model.Key{Kind: "DestinationRule", Namespace: "shop", Name: host}, Host: host,
			Subsets: []model.Subset{{Name: "first", Labels: map[string]string{"version": "v1"}}}})
		if i%3 == 0 {
			all.splits = append(all.splits, model.Split{Host: host, Service: fmt.Sprintf("s%d", i), From: []model.Origin{{Key: model.Key{Kind: "TrafficSplit", Name: host}}},
				Versions: []model.VersionShare{{Version: "v1", Weight: 100}, {Version: "v2", Weight: 0}}})
		}
		all.tables = append(all.tables, randomTable(r, fmt.Sprintf("mesh-%d", i), host, model.Mesh))
	}
	for i := range gwHosts {
		host := []string{"a.test", "b.a.test", "*.a.test", "*.test", "Shop.Example.com", "*.b.a.test"}[i]
		all.tables = append(all.tables, randomTable(r, fmt.Sprintf("gw-%d", i), host, "shop/gw"))
	}
	return all
}

// compile makes views of the rows.
func (all randomRows) compile() *compile.Compiled {
	g := flow.New(flow.Options{})
	tables, policies := flow.NewSource[model.RouteTable](g, "tables"), flow.NewSource[model.Policy](g, "policies")
	services, workloads := flow.NewSource[model.Service](g, "services"), flow.NewSource[model.Workload](g, "workloads")
	keys := flow.NewSource[model.PreviewKey](g, "keys")
	splits, gateways := flow.NewSource[model.Split](g, "splits"), flow.NewSource[model.Gateway](g, "gateways")
	replicas := scope.Singles(workloads.Collection)
	c := compile.New(g, compile.Inputs{
		Services: services.Collection, Replicas: replicas, Cohorts: scope.Cohorts(replicas), RouteTables: tables.Collection, Policies: policies.Collection,
		Splits: splits.Collection, Gateways: gateways.Collection, Certificates: flow.NewSource[model.Certificate](g, "certificates").Collection, Concurrencies: flow.NewSource[model.Concurrency](g, "concurrencies").Collection,
		Previews:       keys.Collection,
		PeerAuths:      flow.NewSource[model.PeerAuth](g, "peers").Collection,
		RateLimits:     flow.NewSource[model.RateLimit](g, "limits").Collection,
		Authorizations: flow.NewSource[model.Authorization](g, "authorizations").Collection,
		Telemetries:    flow.NewSource[model.Telemetry](g, "telemetries").Collection,
		RequestAuths:   flow.NewSource[model.RequestAuth](g, "request authentications").Collection,
		Authorizers:    flow.NewSource[model.Authorizer](g, "authorizers").Collection,
	}, compile.Options{TrustDomain: "mesh.test"})
	g.Commit(func(tx *flow.Tx) {
		services.Replace(tx, "", all.services)
		workloads.Replace(tx, "", all.workloads)
		tables.Replace(tx, "", all.tables)
		policies.Replace(tx, "", all.policies)
		splits.Replace(tx, "", all.splits)
		gateways.Set(tx, all.gateway)
		keys.Replace(tx, "", all.keys)
	})
	return c
}

func one[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func chance(r *rand.Rand, in int) bool { return r.IntN(in) == 0 }

func randomTable(r *rand.Rand, name, host, gateway string) model.RouteTable {
	t := model.RouteTable{Object: model.Key{Kind: "VirtualService", Namespace: "shop", Name: name}, Hosts: []string{host}, Gateways: []string{gateway},
		Order: one(r, model.AsWritten, model.BySpecific)}
	for i := range 1 + r.IntN(6) {
		rule := randomRule(r)
		rule.Name, rule.Origin = fmt.Sprintf("rule-%d", i), model.Origin{Key: t.Object}
		t.Rules = append(t.Rules, rule)
	}
	return t
}

func randomRule(r *rand.Rand) model.Rule {
	rule := model.Rule{}
	if !chance(r, 8) {
		rule.Matches = []model.Match{randomMatch(r), randomMatch(r)}[:1+r.IntN(2)]
	}
	switch r.IntN(6) {
	case 0:
		rule.Direct = &model.DirectResponse{Status: one(r, uint32(200), 403, 418), Body: "-"}
		return rule
	case 1:
		rule.Redirect = &model.Redirect{Host: "elsewhere.test", Code: one(r, uint32(301), 302, 307)}
		return rule
	}
	for range 1 + r.IntN(2) {
		rule.Backends = append(rule.Backends, model.Backend{
			Host: serviceHost(r.IntN(services + 1)), Port: one(r, uint32(80), 81, 80, 80, 99), Subset: one(r, "", "", "", "first", "none"), Weight: one(r, uint32(1), 1, 1, 0, 99),
		})
	}
	if chance(r, 2) {
		rule.Rewrite = randomRewrite(r)
	}
	if chance(r, 3) {
		rule.RequestHeaders.Set = []model.Header{{Name: one(r, "x-new", "x-a", "host"), Value: one(r, "v", "other.test")}}
	}
	return rule
}

func randomRewrite(r *rand.Rand) *model.Rewrite {
	text := one(r, "/", "", "/new", "/new/")
	switch r.IntN(5) {
	case 0:
		return &model.Rewrite{Host: "rewritten.test"}
	case 1:
		return &model.Rewrite{Path: one(r, "/whole", `/w\1`, "/$1/${0}", "/w?x=1")}
	case 2:
		return &model.Rewrite{Regex: one(r, "/(a|b)", "a", "(.)b?", "^/(.*)$"), RegexSubst: one(r, `/x\1`, `\0\0`, "$1", `\\1`, "", `${1}a`)}
	}
	return &model.Rewrite{PrefixPath: &text}
}

func randomString(r *rand.Rand, pool []string) model.StringMatch {
	switch v := one(r, pool...); r.IntN(4) {
	case 0:
		return model.StringMatch{Prefix: v[:1+r.IntN(len(v))]}
	case 1:
		return model.StringMatch{Regex: one(r, v, v[:1]+".*", ".*", v+"?", "[0-9]+")}
	case 2:
		return model.StringMatch{Present: true}
	default:
		return model.StringMatch{Exact: v}
	}
}

func randomMatch(r *rand.Rand) model.Match {
	m := model.Match{IgnoreCase: chance(r, 4)}
	path := plainPath(r)
	switch r.IntN(5) {
	case 0:
		m.Path.Exact = path
	case 1:
		m.Path.Prefix = path
	case 2:
		m.Path.PathPrefix = path
	case 3:
		m.Path.Regex = one(r, regexes...)
	}
	if chance(r, 3) {
		m.Headers = append(m.Headers, model.HeaderMatch{Name: one(r, names...), Value: randomString(r, values), Invert: chance(r, 3)})
	}
	if chance(r, 4) {
		m.Query = append(m.Query, model.HeaderMatch{Name: one(r, "q", "p", "a b"), Value: randomString(r, values)})
	}
	if chance(r, 6) {
		m.Method = model.StringMatch{Exact: one(r, "GET", "POST")}
	}
	if chance(r, 8) {
		m.Authority = model.StringMatch{Prefix: one(r, "s", "a", "S")}
	}
	if chance(r, 10) {
		m.Scheme = model.StringMatch{Exact: one(r, "http", "https")}
	}
	return m
}

func plainPath(r *rand.Rand) string {
	return "/" + strings.Join([]string{one(r, segments...), one(r, segments...)}[:1+r.IntN(2)], "/")
}

func randomRequest(r *rand.Rand, atGateway bool, port int) explain.Request {
	authority := one(r, serviceHost(r.IntN(services)), serviceHost(r.IntN(services)), strings.ToUpper(serviceHost(1)), "nowhere.test") + one(r, "", "", ":80", ":81", ":82")
	if atGateway {
		authority = one(r, "a.test", "b.a.test", "c.a.test", "A.test", "x.b.a.test", "y.test", "shop.example.com", "nowhere", "a.test.", "test") + fmt.Sprintf(":%d", port)
	}
	path := ""
	for range r.IntN(4) {
		path += "/" + one(r, segments...)
		if chance(r, 5) {
			path += one(r, odd...)
		}
		if chance(r, 8) {
			path += "/" + one(r, odd...)
		}
	}
	if chance(r, 3) {
		path += "?" + one(r, "q=1", "q=2&p=on", "q", "q=", "p=1on&q=1&q=2", "q=%31", "a+b=1", "a%20b=2", "q=1;p=1", "q=%zz", "q=1/../b", "&&q=on", "q=1?q=2", "Q=1")
	}
	q := explain.Request{Method: one(r, "GET", "GET", "POST"), URL: "http://" + authority + path, Headers: map[string]string{}}
	for range r.IntN(3) {
		q.Headers[one(r, names...)] = one(r, append(values, "")...)
	}
	if chance(r, 5) {
		q.Headers[model.VersionHeader] = one(r, "s0=v2", "s3=v1,s0=v1", "s6=v2, s9=v2", "s0=v22", "xs0=v2")
	}
	return q
}
